"""Updating work items: versions, merge patches, deleting and undeleting."""

from __future__ import annotations

from typing import Any

import pytest

from contract.agent import Agent

COMMIT = "0123456789abcdef0123456789abcdef01234567"

# RFC 7396, appendix A: (original, patch, result), those whose documents may stand as a member.
MERGE_PATCHES: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


def test_an_update_changes_what_it_names_and_nothing_else(agent: Agent, name: str) -> None:
    item = agent.create(name, branch_name="b", metadata={"a": 1})
    updated = agent.update(item, status="completed", updated_by="another")
    assert updated["version"] == 2
    assert updated["status"] == "completed"
    assert (updated["created_by"], updated["updated_by"]) == ("tester", "another")
    assert updated["updated_at"] > item["updated_at"]
    for field in ("id", "title", "branch_name", "metadata", "created_at", "path", "depth", "item_type"):
        assert updated[field] == item[field], field
    assert {"wrote_to_cache", "wrote_to_markdown", "pending_sync"} <= set(updated)


def test_every_field_can_be_changed_at_once(agent: Agent, name: str) -> None:
    parent = agent.create(name)
    item = agent.create(name)
    change = {
        "title": "new",
        "status": "blocked",
        "parent_id": parent["id"],
        "metadata": {"a": 1},
        "branch_name": "b",
        "commit_hash": COMMIT,
        "pr_number": 3,
    }
    updated = agent.update(item, **change)
    assert updated["version"] == 2
    assert {field: agent.read(item)[field] for field in change} == change


def test_clear_empties_a_field_that_may_be_empty(agent: Agent, name: str) -> None:
    item = agent.create(name, branch_name="b", commit_hash=COMMIT, pr_number=3)
    updated = agent.update(item, clear=["branch_name", "commit_hash", "pr_number"])
    assert [updated[field] for field in ("branch_name", "commit_hash", "pr_number")] == [None] * 3


def test_created_by_of_an_update_names_who_updates(agent: Agent, name: str) -> None:
    updated = agent.update(agent.create(name), title="new", created_by="another")
    assert (updated["created_by"], updated["updated_by"]) == ("tester", "another")


@pytest.mark.parametrize("sent", [1, 3, 4, 10**6, 2**63 - 1])
def test_a_version_that_is_not_the_current_one_is_a_mismatch(agent: Agent, name: str, sent: int) -> None:
    item = agent.update(agent.create(name), title="second", updated_by="rival")
    refusal = agent.refused("update_work_item", id=item["id"], version=sent, title="late")
    assert refusal.kind == "VersionMismatchError"
    assert "version mismatch" in refusal.text
    assert "work item" in refusal.text
    assert refusal.details["entity"] == "work_item", "the name that every other error has"
    assert refusal.details["expected_version"] == sent
    assert refusal.details["actual_version"] == 2
    assert refusal.details["updated_by"] == "rival"
    assert agent.read(item)["title"] == "second"


def test_versions_rise_by_one(agent: Agent, name: str) -> None:
    item = agent.create(name)
    for version in range(2, 12):
        item = agent.update(item, title=f"{name} {version}")
        assert item["version"] == version


@pytest.mark.parametrize(("original", "patch", "result"), MERGE_PATCHES)
def test_metadata_is_merged_as_rfc_7396_says(agent: Agent, name: str, original: Any, patch: Any, result: Any) -> None:
    item = agent.create(name, metadata={"k": original, "other": [1, {"x": None}]})
    updated = agent.update(item, metadata={"k": patch})
    assert updated["metadata"] == {"k": result, "other": [1, {"x": None}]}
    assert agent.read(item)["metadata"] == updated["metadata"]


def test_a_patch_of_null_takes_a_known_key_away(agent: Agent, name: str) -> None:
    item = agent.create(name, metadata={"priority": "high", "estimated_hours": 5})
    assert agent.update(item, metadata={"priority": None})["metadata"] == {"estimated_hours": 5}


def test_taking_away_what_is_not_there_is_no_fault(agent: Agent, name: str) -> None:
    item = agent.create(name, metadata={"a": 1})
    assert agent.update(item, metadata={"b": None})["metadata"] == {"a": 1}


@pytest.mark.parametrize(
    ("item_type", "patch", "field"),
    [
        ("task", {"estimated_hours": 1000.5}, "estimated_hours"),
        ("task", {"actual_hours": -1}, "actual_hours"),
        ("task", {"priority": "soon"}, "priority"),
        ("task", {"blocked_reason": "x" * 501}, "blocked_reason"),
        ("session", {"token_budget": 999}, "token_budget"),
        ("session", {"token_budget": 1_000_001}, "token_budget"),
        ("session", {"prompts_count": -1}, "prompts_count"),
        ("session", {"yaml_frontmatter": {"schema_version": 2}}, "schema_version"),
        ("project", {"description": "x" * 1001}, "description"),
        ("research", {"findings_summary": "x" * 2001}, "findings_summary"),
        ("task", {"mine": "a\x00"}, "metadata"),
    ],
)
def test_a_patch_is_held_to_the_type(agent: Agent, name: str, item_type: str, patch: dict[str, Any], field: str) -> None:
    item = agent.create(name, item_type)
    agent.invalid(field, "update_work_item", id=item["id"], version=1, metadata=patch)
    read = agent.read(item)
    assert (read["version"], read["metadata"]) == (1, {})


def test_what_a_patch_leaves_is_held_to_the_type_as_well(agent: Agent, name: str) -> None:
    item = agent.create(name, "session", metadata={"yaml_frontmatter": {"schema_version": "1", "a": 1}})
    item = agent.update(item, metadata={"yaml_frontmatter": {"schema_version": None}})
    assert item["metadata"] == {"yaml_frontmatter": {"a": 1}}


@pytest.mark.parametrize("change", [{"clear": ["title"]}, {"clear": ["status"]}, {"title": ""}, {"title": "x" * 201}])
def test_what_an_item_must_have_cannot_be_taken_away(agent: Agent, name: str, change: dict[str, Any]) -> None:
    item = agent.create(name)
    agent.invalid(next(iter(change)), "update_work_item", id=item["id"], version=1, **change)


def test_the_type_of_an_item_cannot_be_changed(agent: Agent, name: str) -> None:
    item = agent.create(name)
    agent.invalid("item_type", "update_work_item", id=item["id"], version=1, item_type="project")


def test_a_deleted_item_stays_readable_by_id_and_leaves_the_lists(agent: Agent, name: str) -> None:
    item = agent.create(name)
    deleted = agent.update(item, deleted=True)
    assert deleted["version"] == 2
    assert deleted["deleted_at"] is not None
    assert agent.read(item)["deleted_at"] == deleted["deleted_at"]
    assert agent.read(item)["title"] == name
    listed = agent.call("list_work_items", limit=100)["items"]
    assert item["id"] not in [each["id"] for each in listed]
    listed = agent.call("list_work_items", limit=100, include_deleted=True)["items"]
    assert item["id"] in [each["id"] for each in listed]
    assert item["id"] not in [each["id"] for each in agent.call("search_work_items", query=name)["items"]]
    assert item["id"] not in [each["id"] for each in agent.call("ready_work_items", limit=100)["items"]]


@pytest.mark.parametrize(
    "change", [{"title": "new"}, {"status": "completed"}, {"metadata": {"a": 1}}, {"clear": ["parent_id"]}, {"deleted": True}]
)
def test_a_deleted_item_can_only_be_undeleted(agent: Agent, name: str, change: dict[str, Any]) -> None:
    item = agent.update(agent.create(name), deleted=True)
    refusal = agent.refused("update_work_item", id=item["id"], version=2, **change)
    assert refusal.kind == "InvalidStateError"
    assert agent.read(item)["version"] == 2


def test_an_undeleted_item_is_back_as_it_was(agent: Agent, name: str) -> None:
    item = agent.create(name, metadata={"a": 1}, branch_name="b")
    deleted = agent.update(item, deleted=True)
    back = agent.update(deleted, deleted=False)
    assert (back["version"], back["deleted_at"]) == (3, None)
    for field in ("title", "metadata", "branch_name", "status", "created_at"):
        assert back[field] == item[field], field
    assert item["id"] in [each["id"] for each in agent.call("search_work_items", query=name)["items"]]
    assert agent.update(back, title="alive")["version"] == 4


def test_a_stale_delete_is_a_mismatch(agent: Agent, name: str) -> None:
    item = agent.create(name)
    agent.update(item, title="second")
    refusal = agent.refused("update_work_item", id=item["id"], version=1, deleted=True)
    assert refusal.kind == "VersionMismatchError"
    assert agent.read(item)["deleted_at"] is None


def test_an_item_with_live_children_is_not_deleted(agent: Agent, name: str) -> None:
    parent = agent.create(name)
    child = agent.create(name, parent_id=parent["id"])
    assert agent.refused("update_work_item", id=parent["id"], version=1, deleted=True).kind == "InvalidStateError"
    assert agent.read(parent)["deleted_at"] is None
    agent.update(child, deleted=True)
    assert agent.update(agent.read(parent), deleted=True)["deleted_at"] is not None


def test_nothing_comes_to_live_under_a_deleted_parent(agent: Agent, name: str) -> None:
    parent = agent.create(name)
    child = agent.update(agent.create(name, parent_id=parent["id"]), deleted=True)
    agent.update(agent.read(parent), deleted=True)
    other = agent.create(name)
    refusals = [
        agent.refused("create_work_item", item_type="task", title=name, parent_id=parent["id"]),
        agent.refused("update_work_item", id=other["id"], version=1, parent_id=parent["id"]),
        agent.refused("update_work_item", id=child["id"], version=child["version"], deleted=False),
    ]
    assert {refusal.kind for refusal in refusals} <= {"InvalidStateError", "NotFoundError"}
    assert agent.read(child)["deleted_at"] is not None
    assert agent.read(other)["parent_id"] is None


def test_a_repeated_create_of_a_changed_item_does_not_undo_the_change(agent: Agent, name: str) -> None:
    item = agent.create(name)
    agent.update(item, title="changed")
    agent.raw("create_work_item", id=item["id"], item_type="task", title=name)
    read = agent.read(item)
    assert (read["title"], read["version"]) == ("changed", 2)
