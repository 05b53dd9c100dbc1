"""Future enhancements: priorities, statuses and the two ways to write a quarter."""

from __future__ import annotations

from typing import Any

import pytest

from contract.agent import Agent, Answer


def enhancement(agent: Agent, title: str, **more: Any) -> Answer:
    given = {"priority": "medium", "status": "planned", "target_quarter": "Q1 2026", **more}
    return agent.call("create_enhancement", title=title, **given)


def found(agent: Agent, **filters: str) -> set[str]:
    return {each["title"] for each in agent.call("list_enhancements", limit=100, **filters)["items"]}


def test_a_new_enhancement_is_what_was_given(agent: Agent, name: str) -> None:
    made = enhancement(
        agent,
        name,
        description="why\n\nand how",
        priority="high",
        status="approved",
        requires_constitutional_principles=["one", "two"],
    )
    assert made["version"] == 1
    assert (made["title"], made["description"]) == (name, "why\n\nand how")
    assert (made["priority"], made["status"], made["target_quarter"]) == ("high", "approved", "Q1 2026")
    assert made["requires_constitutional_principles"] == ["one", "two"]
    (listed,) = [each for each in agent.call("list_enhancements", limit=100)["items"] if each["id"] == made["id"]]
    assert listed == {key: made[key] for key in listed}


@pytest.mark.parametrize("given", ["Q3 2027", "2027-Q3"])
def test_a_quarter_is_read_in_both_forms_and_written_in_one(agent: Agent, name: str, given: str) -> None:
    assert enhancement(agent, name, target_quarter=given)["target_quarter"] == "Q3 2027"
    for form in ("Q3 2027", "2027-Q3"):
        assert name in found(agent, target_quarter=form)
    assert name not in found(agent, target_quarter="Q4 2027")


@pytest.mark.parametrize("quarter", ["Q1 2026", "Q2 2026", "Q3 2026", "Q4 2026"])
def test_a_year_has_four_quarters(agent: Agent, name: str, quarter: str) -> None:
    assert enhancement(agent, name, target_quarter=quarter)["target_quarter"] == quarter


@pytest.mark.parametrize("quarter", ["Q5 2026", "Q0 2026", "Q1", "2026", "2026-Q5", "2026-Q0", "Q1 26", "Q11 2026", "next", ""])
def test_anything_else_is_no_quarter(agent: Agent, name: str, quarter: str) -> None:
    agent.invalid("target_quarter", "create_enhancement", title=name, target_quarter=quarter)
    assert name not in found(agent)


@pytest.mark.parametrize("priority", ["high", "medium", "low"])
@pytest.mark.parametrize("status", ["planned", "approved", "implementing", "completed"])
def test_the_filters_narrow_together(agent: Agent, name: str, priority: str, status: str) -> None:
    enhancement(agent, name, priority=priority, status=status)
    assert name in found(agent, priority=priority, status=status)
    assert name not in found(agent, priority="low" if priority == "high" else "high", status=status)
    assert name not in found(agent, status="planned" if status == "completed" else "completed")


def test_a_title_is_1_to_200_characters(agent: Agent) -> None:
    for title in ("x", "é" * 200):
        assert enhancement(agent, title)["title"] == title
    for title in ("", "é" * 201):
        agent.invalid("title", "create_enhancement", title=title)


def test_an_update_changes_what_it_names(agent: Agent, name: str) -> None:
    made = enhancement(agent, name, description="d")
    updated = agent.call(
        "update_enhancement",
        id=made["id"],
        version=1,
        status="implementing",
        target_quarter="2026-Q2",
        priority="low",
        detail="full",
    )
    assert updated["version"] == 2
    assert (updated["status"], updated["target_quarter"], updated["priority"]) == ("implementing", "Q2 2026", "low")
    assert (updated["title"], updated["description"]) == (name, "d")
    cleared = agent.call("update_enhancement", id=made["id"], version=2, title="new", clear=["description"], detail="full")
    assert cleared["description"] is None


def test_a_stale_update_is_a_mismatch(agent: Agent, name: str) -> None:
    made = enhancement(agent, name)
    agent.call("update_enhancement", id=made["id"], version=1, status="approved")
    refusal = agent.refused("update_enhancement", id=made["id"], version=1, status="completed")
    assert refusal.kind == "VersionMismatchError"
    assert (refusal.details["expected_version"], refusal.details["actual_version"]) == (1, 2)
    assert refusal.details["updated_by"] == "tester"


def test_the_total_counts_beyond_the_page(agent: Agent, name: str) -> None:
    for number in range(3):
        enhancement(agent, f"{name} {number}", target_quarter="Q4 2031")
    answer = agent.call("list_enhancements", target_quarter="Q4 2031", limit=2)
    assert (len(answer["items"]), answer["total_count"]) == (2, 3)
