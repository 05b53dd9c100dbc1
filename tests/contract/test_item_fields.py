"""The fields that trackers have: arguments of their own, keys of the metadata, filters of lists."""

from __future__ import annotations

from typing import Any

import pytest

from contract.agent import Agent

FIELDS: dict[str, Any] = {
    "description": "What *is* to be done.",
    "priority": "urgent",
    "labels": ["backend", "urgent one"],
    "assignee": "ann",
    "due_on": "2026-12-24",
    "start_on": "2026-01-01",
    "acceptance": [{"text": "it works", "done": False}, {"text": "it is said", "done": True}],
}


@pytest.mark.parametrize("item_type", ["project", "session", "task", "research"])
def test_every_type_takes_them_as_arguments_and_keeps_them_in_its_metadata(agent: Agent, name: str, item_type: str) -> None:
    item = agent.create(name, item_type, **FIELDS, metadata={"other": 1})
    assert item["metadata"] == FIELDS | {"other": 1}
    assert agent.create(f"{name} 2", item_type, metadata=FIELDS)["metadata"] == FIELDS
    changed = agent.update(item, assignee="bob", clear=["due_on", "labels"])
    assert changed["metadata"] == {k: v for k, v in item["metadata"].items() if k not in ("due_on", "labels")} | {
        "assignee": "bob"
    }


def test_labels_have_one_form_and_are_added_and_removed(agent: Agent, name: str) -> None:
    item = agent.create(name, labels=[" b", "a", "a", "Cafe\u0301"])
    assert item["metadata"]["labels"] == ["Caf\u00e9", "a", "b"]
    changed = agent.update(item, add_labels=["z", "a"], remove_labels=["b", "never there"])
    assert changed["metadata"]["labels"] == ["Caf\u00e9", "a", "z"]
    agent.invalid("labels", "update_work_item", id=item["id"], version=2, labels=["x"], add_labels=["y"])
    agent.invalid("add_labels", "update_work_item", id=item["id"], version=2, add_labels=["y"], remove_labels=["y"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("description", "x" * 20_001), ("priority", "soon"), ("labels", ["a,b"]), ("labels", ["a\tb"]), ("labels", ["x" * 51]),
        ("labels", [f"l{n}" for n in range(51)]), ("labels", [" "]), ("assignee", ""), ("assignee", "x" * 101),
        ("due_on", "24.12.2026"), ("start_on", "2026-02-30"), ("acceptance", [{"done": True}]),
        ("acceptance", [{"text": "a"}, {"text": "a"}]), ("acceptance", ["a"]),
    ],
)  # fmt: skip
def test_a_misfit_is_refused_as_an_argument_and_in_the_metadata(agent: Agent, name: str, field: str, value: Any) -> None:
    agent.invalid(field, "create_work_item", item_type="task", title=name, **{field: value})
    agent.invalid(field, "create_work_item", item_type="task", title=name, metadata={field: value})


def test_a_field_stands_in_one_place(agent: Agent, name: str) -> None:
    agent.invalid("priority", "create_work_item", item_type="task", title=name, priority="low", metadata={"priority": "low"})
    item = agent.create(name)
    agent.invalid("labels", "update_work_item", id=item["id"], version=1, labels=["a"], metadata={"labels": ["a"]})


def test_lists_filter_by_them(agent: Agent, name: str) -> None:
    one = agent.create(name, labels=[f"{name}a", "b"], assignee=name, priority="urgent")
    other = agent.create(name, labels=[f"{name}a"], assignee=name)

    def ids(**filters: Any) -> list[str]:
        return [row["id"] for row in agent.call("list_work_items", **filters)["items"]]

    assert ids(labels=[f"{name}a"]) == [other["id"], one["id"]]
    assert ids(labels=[f"{name}a", "b"]) == ids(assignee=name, priority="urgent") == [one["id"]]
    agent.call("claim_work_item", id=other["id"], claimed_by=f"{name}/x")
    assert ids(claimed_by=f"{name}/x") == [other["id"]]
    assert one["id"] not in ids(updated_since=other["updated_at"], limit=100)
    assert other["id"] in ids(updated_since=other["updated_at"])


def test_a_label_is_found_however_it_is_written(agent: Agent, name: str) -> None:
    one = agent.create(name, labels=[f"{name}\u00e9"])
    for written in (f"{name}e\u0301", f" {name}\u00e9 "):
        assert [row["id"] for row in agent.call("list_work_items", labels=[written])["items"]] == [one["id"]]
        assert [row["id"] for row in agent.call("ready_work_items", labels=[written])["items"]] == [one["id"]]
    assert agent.call("claim_next", labels=[f"{name}e\u0301"])["item"]["id"] == one["id"]


def test_what_is_urgent_is_counted(agent: Agent, name: str) -> None:
    before = agent.call("generate_full_status")["active_work_items"]["by_priority"]["urgent"]
    agent.create(name, priority="urgent")
    assert agent.call("generate_full_status")["active_work_items"]["by_priority"]["urgent"] == before + 1


def test_a_search_row_has_the_passage_that_fits(agent: Agent, name: str) -> None:
    long = f"{'before ' * 60}the {name}needle in it{' after' * 60}"
    described = agent.create("Described", description=long)
    titled = agent.create(f"Title with {name}needle", metadata={"note": "nothing of it"})
    rows = {row["id"]: row for row in agent.call("search_work_items", query=f"{name}needle")["items"]}
    assert f"{name}needle" in rows[described["id"]]["excerpt"]
    assert len(rows[described["id"]]["excerpt"]) <= 162
    assert "metadata" not in rows[described["id"]], "nothing is left of it"
    assert rows[described["id"]]["omitted"] == ["description"]
    assert rows[titled["id"]]["excerpt"] == f"Title with {name}needle"
