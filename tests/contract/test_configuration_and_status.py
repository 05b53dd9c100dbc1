"""The project's configuration, of which there is one, and the full status."""

from __future__ import annotations

from typing import Any

import pytest

from contract.agent import Agent, Answer
from contract.conftest import Start

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def set_configuration(agent: Agent, **changes: Any) -> Answer:
    version = agent.call("get_project_configuration")["version"]
    return agent.call("update_project_configuration", version=version, **changes)


def test_there_is_a_configuration_from_the_start(start: Start) -> None:
    configuration = start().call("get_project_configuration")
    assert configuration["version"] >= 1
    assert configuration["active_context_type"] in ("feature", "maintenance", "research")
    assert {"current_session_id", "git_branch", "git_head_commit", "default_token_budget"} <= set(configuration)
    assert configuration["database_healthy"] is not True
    assert configuration["last_health_check_at"] is None


def test_two_servers_see_one_configuration(start: Start) -> None:
    one, two = start("one"), start("two")
    assert one.call("get_project_configuration")["id"] == two.call("get_project_configuration")["id"]
    set_configuration(one, git_branch="main")
    seen = two.call("get_project_configuration")
    assert (seen["git_branch"], seen["updated_by"]) == ("main", "one")


def test_every_setting_can_be_changed(agent: Agent, name: str) -> None:
    session = agent.create(name, "session")
    changes = {
        "active_context_type": "maintenance",
        "current_session_id": session["id"],
        "git_branch": "feature/x",
        "git_head_commit": COMMIT,
        "default_token_budget": 50_000,
    }
    before = agent.call("get_project_configuration")
    after = set_configuration(agent, **changes)
    assert after["version"] == before["version"] + 1
    read = agent.call("get_project_configuration")
    assert {key: read[key] for key in changes} == changes
    assert set_configuration(agent, clear=["current_session_id"])["current_session_id"] is None


@pytest.mark.parametrize("context", ["feature", "maintenance", "research"])
def test_each_context_may_be_active(agent: Agent, context: str) -> None:
    assert set_configuration(agent, active_context_type=context)["active_context_type"] == context


def test_a_stale_update_is_a_mismatch(agent: Agent) -> None:
    version = set_configuration(agent, git_branch="one")["version"]
    refusal = agent.refused("update_project_configuration", version=version - 1 or 99, git_branch="two")
    assert refusal.kind == "VersionMismatchError"
    assert refusal.details["actual_version"] == version
    assert refusal.details["updated_by"] == "tester"
    assert agent.call("get_project_configuration")["git_branch"] == "one"


def test_the_current_session_is_one_that_there_is(agent: Agent) -> None:
    version = agent.call("get_project_configuration")["version"]
    nobody = "00000000-0000-4000-8000-000000000000"
    refusal = agent.refused("update_project_configuration", version=version, current_session_id=nobody)
    assert refusal.kind == "NotFoundError"


def test_the_status_of_an_empty_project_is_all_zeros(start: Start) -> None:
    status = start().call("generate_full_status")
    health, items = status["vendor_health"], status["active_work_items"]
    assert [health[key] for key in ("total_vendors", "operational_count", "broken_count")] == [0, 0, 0]
    assert 0 <= health["operational_percentage"] <= 100
    assert (items["total_count"], items["archived_count"]) == (0, 0)
    assert not any(items["by_type"].values())
    assert not any(items["by_status"].values())
    assert (status["recent_deployments"], status["pending_enhancements"]) == ([], [])


def test_the_full_status_counts_what_is_there(start: Start) -> None:
    agent = start()
    for number in range(4):
        agent.call("create_vendor", name=f"v{number}", operational=number != 0)
    agent.create("p", "project")
    agent.create("t1", metadata={"priority": "high"})
    agent.create("t2", metadata={"priority": "high"}, status="completed")
    agent.create("t3", metadata={"priority": "low"}, status="blocked")
    agent.update(agent.create("gone"), deleted=True)
    for number in range(12):
        agent.call(
            "record_deployment",
            metadata={"pr_number": number + 1, "pr_title": f"PR {number + 1}", "commit_hash": COMMIT},
            deployed_at=f"2025-01-{number + 1:02}T00:00:00Z",
        )
    for state in ("planned", "approved", "implementing", "completed"):
        agent.call("create_enhancement", title=state, priority="low", status=state, target_quarter="2026-Q1")
    status = agent.call("generate_full_status")
    assert status["vendor_health"] == {
        "total_vendors": 4,
        "operational_count": 3,
        "broken_count": 1,
        "operational_percentage": 75.0,
    }
    items = status["active_work_items"]
    assert items["total_count"] == 4
    assert {key: count for key, count in items["by_type"].items() if count} == {"project": 1, "task": 3}
    assert {key: count for key, count in items["by_status"].items() if count} == {"active": 2, "completed": 1, "blocked": 1}
    assert (items["by_priority"]["high"], items["by_priority"]["low"]) == (2, 1)
    recent = status["recent_deployments"]
    assert [each["pr_number"] for each in recent] == list(range(12, 2, -1))
    assert (recent[0]["pr_title"], recent[0]["commit_hash"]) == ("PR 12", COMMIT)
    assert recent[0]["timestamp"].startswith("2025-01-12T00:00:00")
    assert all(each["id"] for each in recent)
    pending = {each["title"]: each for each in status["pending_enhancements"]}
    assert set(pending) == {"planned", "approved", "implementing"}
    assert pending["planned"]["target_quarter"] == "Q1 2026"
    assert (pending["approved"]["priority"], pending["approved"]["status"]) == ("low", "approved")


def test_the_status_is_also_a_text(start: Start) -> None:
    agent = start()
    agent.call(
        "create_vendor",
        name="vendor_1",
        metadata={
            "format_support": {"excel": True, "csv": True, "pdf": False, "ocr": False},
            "test_results": {"passing": 10, "total": 12, "skipped": 2},
            "extractor_version": "1.2.3",
        },
    )
    vendor = agent.call("query_vendor_status", name="vendor_1")
    agent.call("create_enhancement", title="Enhancement A", priority="high", status="planned", target_quarter="Q1 2026")
    agent.call(
        "record_deployment",
        metadata={
            "pr_number": 100,
            "pr_title": "Ship it",
            "commit_hash": COMMIT,
            "test_summary": {"passed": 45, "failed": 0},
            "constitutional_compliance": True,
        },
        vendor_ids=[vendor["id"]],
        deployed_at="2025-10-01T00:00:00Z",
    )
    agent.create("Session 1", "session", metadata={"token_budget": 50_000, "prompt": "Do the thing.\n\nWell."})
    status = agent.call("generate_full_status", output_format="markdown")
    lines = status["markdown"].splitlines()
    for line in (
        "# Project Status",
        "## Vendors (1 total)",
        "- vendor_1: operational (10/12 tests passed, 2 skipped) [Excel, CSV] v1.2.3",
        "## Deployments (1 total)",
        "### 2025-10-01 - PR #100",
        f"- Commit: {COMMIT}",
        "- Vendors: vendor_1",
        "- Tests: 45 passed, 0 failed",
        "- Constitutional Compliance: ✓",
        "## Future Enhancements (1 total)",
        "- Enhancement A (Priority: High, Q1 2026)",
        "## Session Prompts (1 total)",
        "Do the thing.",
    ):
        assert line in [each.strip() for each in lines], line
    assert status["vendor_health"]["total_vendors"] == 1
