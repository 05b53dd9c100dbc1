"""Missing, unknown and ill-typed arguments are `ValidationError` in the one form, whatever the tool."""

from __future__ import annotations

from typing import Any

import pytest

from contract.agent import Agent

NOBODY = "00000000-0000-4000-8000-000000000000"
COMMIT = "a" * 40

# A call of each tool that is right in form, whether or not what it names exists.
WELL_FORMED: dict[str, dict[str, Any]] = {
    "create_work_item": {"item_type": "task", "title": "t"},
    "create_work_items": {"items": [{"item_type": "task", "title": "t"}]},
    "complete_work_item": {"id": NOBODY},
    "update_work_item": {"id": NOBODY, "version": 1, "title": "t"},
    "query_work_item": {"id": NOBODY},
    "list_work_items": {},
    "ready_work_items": {},
    "search_work_items": {"query": "q"},
    "link_work_items": {"source_id": NOBODY, "target_id": NOBODY, "dependency_type": "blocks"},
    "unlink_work_items": {"source_id": NOBODY, "target_id": NOBODY, "dependency_type": "blocks"},
    "get_history": {"entity": "work_item", "id": NOBODY},
    "revert_work_item": {"id": NOBODY, "version": 1, "to_version": 1},
    "undo": {},
    "add_comment": {"id": NOBODY, "body": "b"},
    "list_comments": {"id": NOBODY},
    "claim_work_item": {"id": NOBODY},
    "claim_next": {},
    "prime": {},
    "release_work_item": {"id": NOBODY},
    "create_vendor": {"name": "v"},
    "query_vendor_status": {"name": "v"},
    "update_vendor_status": {"name": "v", "version": 1, "operational": True},
    "list_vendors": {},
    "record_deployment": {"metadata": {}},
    "query_deployment": {"id": NOBODY},
    "list_deployments": {},
    "create_enhancement": {"title": "t"},
    "update_enhancement": {"id": NOBODY, "version": 1, "title": "t"},
    "list_enhancements": {},
    "get_project_configuration": {},
    "update_project_configuration": {"version": 1, "git_branch": "b"},
    "generate_full_status": {},
    "trigger_archiving": {},
    "sync_now": {},
    "sync_status": {},
    "list_conflicts": {},
}
MISSING = [(tool, field) for tool, call in WELL_FORMED.items() for field in call]
OPTIONAL = {
    ("update_work_item", "title"),
    ("update_vendor_status", "operational"),
    ("update_enhancement", "title"),
    ("update_project_configuration", "git_branch"),
}

TEXT: list[Any] = [5, True, ["x"], {"x": 1}]
LINE: list[Any] = ["", " ", "\u3000 \u00a0", "a\x00b", "\x00", "a\nb", "a\tb", "a\r", "\x1b[31mred", "a\x7f", "a\u0085b", "\n"]
NUMBER: list[Any] = ["", "5x", " 5", "0x5", "5.0", "1" * 30, True, 1.5, [1], {"x": 1}, 2**63, -(2**63) - 1, 2**70]
NAME: list[Any] = ["", "x", 5, True, NOBODY + "0", "12345", "gab", "gabi", "../../etc/passwd", "\u0660" * 36]
UUID: list[Any] = ["", "x", 5, True, NOBODY + "0", NOBODY[:-1], "../../etc/passwd", "\u0660" * 36]
COMMITS: list[Any] = ["", "a" * 39, "a" * 41, "g" * 40, "a" * 39 + " ", "a" * 39 + "\n", "0x" + "a" * 38, 5, "\u0661" * 40]
TIME: list[Any] = [
    "",
    "yesterday",
    "2025-13-01T00:00:00Z",
    "2025-02-30T00:00:00Z",
    "9999-12-31T23:59:59-10:00",
    "0001-01-01T00:00:00+23:59",
    5,
    True,
    ["2025-01-01T00:00:00Z"],
]
FLAG: list[Any] = ["", "1", "yes", 1, 0, [], "no"]
OBJECT: list[Any] = ["", "[]", "{", "{}{}", 5, [], [["a", 1]], True]

ILL_TYPED: list[tuple[str, str, list[Any]]] = [
    ("create_work_item", "item_type", [*TEXT, "", "epic", "Task", " task"]),
    ("create_work_item", "title", [*TEXT, *LINE, "x" * 201]),
    ("create_work_item", "id", UUID),
    ("create_work_item", "parent_id", NAME),
    ("create_work_item", "status", [*TEXT, "", "done", "ACTIVE"]),
    ("create_work_item", "metadata", OBJECT),
    ("create_work_item", "branch_name", [*TEXT, "x" * 101, "a\x00"]),
    ("create_work_item", "commit_hash", COMMITS),
    ("create_work_item", "pr_number", [*NUMBER, 0, -1]),
    ("create_work_item", "created_by", [*TEXT, "x" * 101, "a\x00"]),
    ("create_work_item", "created_at", TIME),
    ("update_work_item", "id", NAME),
    ("update_work_item", "version", [*NUMBER, 0, -1, None]),
    ("update_work_item", "title", [*TEXT, *LINE, "x" * 201]),
    ("update_work_item", "status", [*TEXT, "done"]),
    ("update_work_item", "parent_id", NAME),
    ("update_work_item", "metadata", OBJECT),
    ("update_work_item", "branch_name", [*TEXT, "x" * 101]),
    ("update_work_item", "commit_hash", COMMITS),
    ("update_work_item", "pr_number", [*NUMBER, 0, -1]),
    ("update_work_item", "deleted", FLAG),
    ("update_work_item", "updated_by", [*TEXT, "x" * 101]),
    ("query_work_item", "id", [*NAME, None]),
    ("query_work_item", "include_children", FLAG),
    ("query_work_item", "include_dependencies", FLAG),
    ("query_work_item", "max_depth", [*NUMBER, -1]),
    ("list_work_items", "item_type", [*TEXT, "epic"]),
    ("list_work_items", "status", [*TEXT, "done"]),
    ("list_work_items", "parent_id", NAME),
    ("list_work_items", "root_only", FLAG),
    ("list_work_items", "include_deleted", FLAG),
    ("list_work_items", "include_archived", FLAG),
    ("list_work_items", "limit", [*NUMBER, 0, 101, -1]),
    ("list_work_items", "offset", [*NUMBER, -1]),
    ("ready_work_items", "limit", [*NUMBER, 0, -1]),
    ("create_work_items", "items", [5, True, {}, [], [5], [{}], "x"]),
    ("create_work_item", "depends_on", [5, True, {}, "x", [5], ["x"], [None]]),
    ("complete_work_item", "id", NAME),
    ("complete_work_item", "version", [*NUMBER, 0]),
    ("complete_work_item", "comment", [*TEXT, "", "\x00"]),
    ("ready_work_items", "under", NAME),
    ("ready_work_items", "labels", [5, True, {}, "x", [5]]),
    ("ready_work_items", "include_claimed", FLAG),
    ("list_work_items", "detail", [*TEXT, "", "all"]),
    ("ready_work_items", "item_type", [*TEXT, "epic"]),
    ("search_work_items", "query", TEXT),
    ("search_work_items", "limit", [*NUMBER, 0, -1]),
    ("link_work_items", "source_id", NAME),
    ("link_work_items", "target_id", NAME),
    ("link_work_items", "dependency_type", [*TEXT, "", "relates_to"]),
    ("unlink_work_items", "dependency_type", [*TEXT, "", "relates_to"]),
    ("get_history", "entity", [*TEXT, "", "laptop"]),
    ("get_history", "id", NAME),
    ("get_history", "limit", [*NUMBER, 0, 501]),
    ("create_vendor", "name", [*TEXT, "", "a\x00b"]),
    ("create_vendor", "operational", FLAG),
    ("create_vendor", "metadata", OBJECT),
    ("create_vendor", "created_by", [*TEXT, "x" * 101]),
    ("update_vendor_status", "version", [*NUMBER, 0]),
    ("update_vendor_status", "operational", FLAG),
    ("update_vendor_status", "metadata", OBJECT),
    ("update_vendor_status", "updated_by", [*TEXT, "x" * 101]),
    ("list_vendors", "status", [*TEXT, "fine"]),
    ("list_vendors", "limit", [*NUMBER, 0]),
    ("list_vendors", "offset", [*NUMBER, -1]),
    ("record_deployment", "metadata", [*OBJECT, None]),
    ("record_deployment", "vendor_ids", ["x", ["x"], [5], [None], {}, NOBODY]),
    ("record_deployment", "work_item_ids", ["x", ["x"], [5], [None], {}, NOBODY]),
    ("record_deployment", "deployed_at", TIME),
    ("record_deployment", "created_by", [*TEXT, "x" * 101]),
    ("query_deployment", "id", UUID),
    ("list_deployments", "since", TIME),
    ("list_deployments", "limit", [*NUMBER, 0]),
    ("list_deployments", "offset", [*NUMBER, -1]),
    ("create_enhancement", "title", [*TEXT, *LINE]),
    ("create_enhancement", "description", TEXT),
    ("create_enhancement", "priority", [*TEXT, "", "urgent", "High"]),
    ("create_enhancement", "status", [*TEXT, "", "active"]),
    ("create_enhancement", "target_quarter", [*TEXT, "", "Q5 2026", "Q0 2026", "2026", "Q1", "2026-Q5", "soon"]),
    ("update_enhancement", "version", [*NUMBER, 0]),
    ("update_enhancement", "priority", [*TEXT, "urgent"]),
    ("update_enhancement", "target_quarter", [*TEXT, "Q5 2026"]),
    ("list_enhancements", "priority", [*TEXT, "urgent"]),
    ("list_enhancements", "status", [*TEXT, "active"]),
    ("list_enhancements", "target_quarter", [*TEXT, "Q5 2026"]),
    ("update_project_configuration", "version", [*NUMBER, 0]),
    ("update_project_configuration", "active_context_type", [*TEXT, "", "bugfix"]),
    ("update_project_configuration", "current_session_id", UUID),
    ("update_project_configuration", "git_branch", TEXT),
    ("update_project_configuration", "git_head_commit", COMMITS),
    ("update_project_configuration", "default_token_budget", [*NUMBER, 0, -1]),
    ("generate_full_status", "output_format", [*TEXT, "", "html"]),
    ("trigger_archiving", "older_than_days", [*NUMBER, -1]),
    ("list_conflicts", "entity", [*TEXT, "laptop"]),
    ("list_conflicts", "limit", [*NUMBER, 0]),
    ("claim_work_item", "claimed_by", [*TEXT, "x" * 101]),
    ("claim_work_item", "lease_minutes", [0, 0.009, -1, 10_081, "soon", [1], True]),
    ("claim_next", "lease_minutes", [0, 10_081]),
    ("release_work_item", "force", FLAG),
    ("add_comment", "body", [*TEXT, "", "\x00"]),
    ("revert_work_item", "to_version", [*NUMBER, 0]),
]


def test_a_well_formed_call_is_known_of_every_tool(agent: Agent) -> None:
    assert set(agent.tools()) <= set(WELL_FORMED) | {"resolve_conflict"} | {
        tool for tool in agent.tools() if "index" in tool or tool == "search_code"
    }


@pytest.mark.parametrize("tool", sorted(WELL_FORMED))
def test_an_unknown_argument_is_named_and_refused(agent: Agent, tool: str) -> None:
    refusal = agent.invalid("colour", tool, **WELL_FORMED[tool], colour="red")
    assert "colour" in refusal.text


@pytest.mark.parametrize(("tool", "field"), [pair for pair in MISSING if pair not in OPTIONAL])
def test_a_missing_argument_is_named(agent: Agent, tool: str, field: str) -> None:
    rest = {name: value for name, value in WELL_FORMED[tool].items() if name != field}
    refusal = agent.invalid(field, tool, **rest)
    assert field in refusal.text


@pytest.mark.parametrize(("tool", "field", "values"), ILL_TYPED, ids=[f"{tool}-{field}" for tool, field, _ in ILL_TYPED])
def test_an_ill_typed_argument_is_named(agent: Agent, tool: str, field: str, values: list[Any]) -> None:
    for value in values:
        refusal = agent.invalid(field, tool, **{**WELL_FORMED[tool], field: value})
        assert field in refusal.text, value
        assert len(refusal.text) < 1000, "a long value is not repeated at length"


def test_a_refused_argument_leaves_nothing_behind(agent: Agent) -> None:
    before = agent.call("list_work_items")["total_count"]
    agent.refused("create_work_item", item_type="task", title="t", metadata={"priority": "soon"})
    agent.refused("create_work_item", item_type="task", title="t", colour="red")
    assert agent.call("list_work_items")["total_count"] == before


def test_several_faults_are_all_one_validation_error(agent: Agent) -> None:
    assert agent.refused("create_work_item", item_type="epic", pr_number=0, colour="red").kind == "ValidationError"


@pytest.mark.parametrize("value", [1, 100])
def test_the_bounds_of_a_page_are_within_it(agent: Agent, value: int) -> None:
    assert agent.call("list_work_items", limit=value)["limit"] == value


@pytest.mark.parametrize("value", [1, 500])
def test_the_bounds_of_a_history_are_within_it(agent: Agent, name: str, value: int) -> None:
    item = agent.create(name)
    assert len(agent.call("get_history", entity="work_item", id=item["id"], limit=value)["changes"]) == 1


@pytest.mark.parametrize(
    "entity", ["work_item", "work_item_dependency", "vendor", "deployment", "enhancement", "configuration"]
)
def test_each_entity_has_a_history_and_conflicts(agent: Agent, entity: str) -> None:
    assert agent.refused("get_history", entity=entity, id=NOBODY).kind == "NotFoundError"
    assert agent.call("list_conflicts", entity=entity)["total_count"] == 0
