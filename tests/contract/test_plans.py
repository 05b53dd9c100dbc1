"""A plan in one call, what a completed item frees, and what is ready."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import uuid4

import pytest

from contract.agent import Agent, Answer

PLAN: list[dict[str, Any]] = [
    {"item_type": "task", "title": "leaf", "key": "c", "parent": "b", "depends_on": ["a", "d"]},
    {"item_type": "project", "title": "root", "key": "a"},
    {"item_type": "session", "title": "middle", "key": "b", "parent": "a"},
    {"item_type": "task", "title": "other", "key": "d", "parent": "b"},
]


def several(agent: Agent, *items: dict[str, Any]) -> list[Answer]:
    return list(agent.call("create_work_items", items=list(items))["items"])


def titles(answer: Answer) -> list[str]:
    return [item["title"] for item in answer["items"]]


def ready(agent: Agent, top: Answer, **filters: Any) -> list[str]:
    return titles(agent.call("ready_work_items", under=top["id"], **filters))


def test_a_plan_is_made_in_one_call_in_any_order(agent: Agent) -> None:
    plan = [one if one["key"] != "c" else one | {"depends_on": ["d"]} for one in PLAN]
    made = several(agent, *plan)
    assert [one["key"] for one in made] == ["c", "a", "b", "d"]
    assert all(set(one) == {"key", "id", "ref", "version"} and one["version"] == 1 for one in made)
    by_key = {one["key"]: one for one in made}
    leaf = agent.read(by_key["c"])
    assert [one["title"] for one in leaf["parent_chain"]] == ["root", "middle"]
    assert [(one["type"], one["direction"], one["related_item"]["id"]) for one in leaf["dependencies"]] == [
        ("depends_on", "outgoing", by_key["d"]["id"])
    ]


def test_parents_and_dependencies_may_be_named_by_ref_and_id_and_keys_win(agent: Agent, name: str) -> None:
    there = agent.create(name, "project")
    made = several(
        agent,
        {"item_type": "task", "title": "below", "parent": there["ref"], "depends_on": [there["id"][:18]]},
        {"item_type": "task", "title": "besides", "parent_id": there["ref"], "key": there["ref"]},
        {"item_type": "task", "title": "above", "depends_on": [there["ref"]]},
    )
    below, besides, above = (agent.read(one) for one in made)
    assert below["parent_id"] == besides["id"], "the key, not the ref"
    assert besides["parent_id"] == there["id"]
    assert above["dependencies"][0]["related_item"]["id"] == besides["id"]
    assert "key" not in made[0]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"parent": "nowhere"}, "items[1].parent"),
        ({"parent": "a", "parent_id": str(uuid4())}, "items[1].parent"),
        ({"depends_on": ["a", "nowhere"]}, "items[1].depends_on"),
        ({"key": "a"}, "items[1].key"),
        ({"title": ""}, "items[1].title"),
        ({"item_type": "epic"}, "items[1].item_type"),
        ({"metadata": {"estimated_hours": -1}}, "items[1].metadata.estimated_hours"),
        ({"colour": "red"}, "items[1].colour"),
        ({"title": "x\ny"}, "items[1].title"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_created(agent: Agent, name: str, change: dict[str, Any], field: str) -> None:
    before = agent.call("list_work_items", limit=1)["total_count"]
    items = [{"item_type": "task", "title": name, "key": "a"}, {"item_type": "task", "title": name, "key": "b"} | change]
    refusal = agent.refused("create_work_items", items=items)
    assert (refusal.kind, refusal.details["field"]) == ("ValidationError", field), refusal
    assert agent.call("list_work_items", limit=1)["total_count"] == before


@pytest.mark.parametrize("circle", [{"parent": "c"}, {"depends_on": ["c"]}, {"parent": "a"}, {"depends_on": ["a"]}])
def test_a_circle_is_refused_and_nothing_is_created(agent: Agent, name: str, circle: dict[str, Any]) -> None:
    before = agent.call("list_work_items", limit=1)["total_count"]
    (kind,) = circle
    chain = [
        {"item_type": "task", "title": name, "key": "a"} | circle,
        {"item_type": "task", "title": name, "key": "b", kind: "a" if kind == "parent" else ["a"]},
        {"item_type": "task", "title": name, "key": "c", kind: "b" if kind == "parent" else ["b"]},
    ]
    assert agent.refused("create_work_items", items=chain).kind == "CycleError"
    assert agent.call("list_work_items", limit=1)["total_count"] == before


def test_a_plan_nests_at_most_five_levels(agent: Agent, name: str) -> None:
    chain: list[dict[str, Any]] = [{"item_type": "task", "title": name, "key": "0"}]
    chain += [{"item_type": "task", "title": name, "key": str(level), "parent": str(level - 1)} for level in range(1, 6)]
    assert agent.refused("create_work_items", items=chain).kind == "ValidationError"
    assert len(several(agent, *chain[:5])) == 5


def test_a_repeated_plan_with_its_ids_answers_again(agent: Agent, name: str) -> None:
    plan: list[dict[str, Any]] = [
        {"item_type": "project", "title": name, "id": str(uuid4()), "key": "a"},
        {"item_type": "task", "title": name, "id": str(uuid4()), "parent": "a"},
        {"item_type": "task", "title": name, "id": str(uuid4()), "depends_on": ["a"]},
    ]
    first = several(agent, *plan)
    total = agent.call("list_work_items", limit=1)["total_count"]
    assert several(agent, *plan) == first
    assert agent.call("list_work_items", limit=1)["total_count"] == total
    assert len(agent.call("get_history", entity="work_item", id=first[1]["id"])["changes"]) == 1


def test_two_hundred_items_and_no_more(agent: Agent, name: str) -> None:
    plan = [{"item_type": "task", "title": f"{name} {number}"} for number in range(201)]
    assert agent.refused("create_work_items", items=plan).details["field"] == "items"
    assert len(several(agent, *plan[:200])) == 200
    assert agent.refused("create_work_items", items=[]).details["field"] == "items"


def test_eight_megabytes_together_and_no_more(agent: Agent, name: str) -> None:
    item = {"item_type": "session", "title": name, "metadata": {"prompt": "p" * 900_000}}
    assert agent.refused("create_work_items", items=[item] * 10).details["field"] == "items"
    assert len(several(agent, *[item] * 8)) == 8


def test_a_new_item_names_what_it_waits_for(agent: Agent, name: str) -> None:
    first = agent.create(name)
    second = agent.create(f"{name} 2", depends_on=[first["ref"], first["id"]])
    assert [one["related_item"]["id"] for one in agent.read(second)["dependencies"]] == [first["id"]]
    assert agent.refused("create_work_item", item_type="task", title="x", depends_on=[str(uuid4())]).kind == "NotFoundError"


def test_completing_says_what_became_ready(agent: Agent, name: str) -> None:
    top, _, parent, child, waiting, below, blocked, far = several(
        agent,
        {"item_type": "project", "title": "top", "key": "top"},
        {"item_type": "task", "title": "elsewhere", "parent": "top"},
        {"item_type": "task", "title": "parent", "key": "parent", "parent": "top"},
        {"item_type": "task", "title": "child", "key": "child", "parent": "parent"},
        {"item_type": "task", "title": "waiting", "key": "waiting", "parent": "top", "depends_on": ["child"]},
        {"item_type": "task", "title": "below waiting", "parent": "waiting"},
        {"item_type": "task", "title": "blocked", "parent": "top", "key": "blocked", "depends_on": ["child", "parent"]},
        {"item_type": "task", "title": "far", "parent": "top", "depends_on": ["blocked"]},
    )
    assert set(ready(agent, top)) == {"elsewhere", "child"}
    refusal = agent.refused("complete_work_item", id=parent["ref"])
    assert refusal.kind == "InvalidStateError"
    agent.call("claim_work_item", id=child["id"])
    done = agent.call("complete_work_item", id=child["ref"], comment="it was easy")
    assert (done["id"], done["status"]) == (child["id"], "completed")
    assert "claimed_by" not in done
    assert {one["title"] for one in done["unblocked"]} == {"parent", "below waiting"}
    assert all("path" not in one and one["ref"] for one in done["unblocked"])
    read = agent.read(child, include_comments=True)
    assert [one["body"] for one in read["comments"]] == ["it was easy"]
    assert {one["title"] for one in agent.call("complete_work_item", id=parent["id"])["unblocked"]} == {"blocked"}
    assert agent.call("complete_work_item", id=below["id"])["unblocked"][0]["id"] == waiting["id"]
    assert {one["id"] for one in agent.call("complete_work_item", id=blocked["id"])["unblocked"]} == {far["id"]}


def test_completing_again_changes_nothing(agent: Agent, name: str) -> None:
    item = agent.create(name)
    done = agent.call("complete_work_item", id=item["id"], version=1)
    again = agent.call("complete_work_item", id=item["id"], version=1, comment="once more")
    assert again["version"] == done["version"] == 2
    assert again["unblocked"] == []
    assert agent.read(item)["comment_count"] == 0


def test_completing_a_version_that_was_passed_is_a_mismatch(agent: Agent, name: str) -> None:
    item = agent.create(name)
    agent.update(item, title=f"{name} 2")
    assert agent.refused("complete_work_item", id=item["id"], version=1).kind == "VersionMismatchError"
    assert agent.call("complete_work_item", id=item["id"])["version"] == 3


def test_ready_items_are_free_to_be_worked_on(agent: Agent, name: str) -> None:
    today = datetime.datetime.now().astimezone().date()
    top, held, *_ = several(
        agent,
        {"item_type": "project", "title": name, "key": "top"},
        {"item_type": "task", "title": "held", "parent": "top"},
        {"item_type": "task", "title": "due", "parent": "top", "metadata": {"due_on": "2026-01-01"}},
        {"item_type": "task", "title": "later", "parent": "top", "metadata": {"due_on": "2027-01-01"}},
        {"item_type": "task", "title": "low", "parent": "top", "metadata": {"priority": "low"}},
        {"item_type": "research", "title": "high", "parent": "top", "metadata": {"priority": "high"}},
        {"item_type": "task", "title": "begins today", "parent": "top", "metadata": {"start_on": today.isoformat()}},
        {"item_type": "task", "title": "not yet", "parent": "top", "metadata": {"start_on": f"{today.year + 1}-12-31"}},
        {"item_type": "task", "title": "blocked", "parent": "top", "status": "blocked"},
        {"item_type": "task", "title": "labelled", "parent": "top", "metadata": {"labels": ["a", "b"], "priority": "low"}},
    )
    agent.call("claim_work_item", id=held["id"], claimed_by="somebody else")
    assert ready(agent, top) == ["high", "due", "later", "begins today", "low", "labelled"]
    assert set(ready(agent, top, include_claimed=True)) - set(ready(agent, top)) == {"held"}
    assert ready(agent, top, item_type="research") == ["high"]
    assert ready(agent, top, labels=["b", "a"]) == ["labelled"]
    assert ready(agent, top, labels=["b", "c"]) == []
    page = agent.call("ready_work_items", under=top["ref"], limit=2)
    assert (titles(page), page["total_count"]) == (["high", "due"], 6)
