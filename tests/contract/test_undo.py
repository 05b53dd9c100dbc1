"""Undo: the last act of a session is taken back whole, as a new act, where nothing else has touched its rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from contract.agent import Agent, Answer, working
from contract.conftest import Start
from contract.laptop import Laptop


@pytest.fixture(scope="module")
def other(shared_laptop: Laptop) -> Iterator[Agent]:
    """Another session on the same replica."""
    with working(shared_laptop, "other") as started:
        yield started


AUDIT = {"version", "updated_at", "updated_by", "warnings", "success", "data_source"}


def content(row: Answer) -> Answer:
    """A row without what every change of it changes."""
    return {name: value for name, value in row.items() if name not in AUDIT}


def links_of(agent: Agent, item: Answer) -> list[Answer]:
    return list(agent.read(item)["dependencies"])


def test_a_creation_is_taken_back_by_a_deletion_and_made_again_by_another_undo(agent: Agent, name: str) -> None:
    item = agent.create(name, metadata={"priority": "high"})
    before = agent.read(item)
    undone = agent.call("undo", updated_by="ann")
    assert undone["undone_count"] == 1
    assert undone["undone"] == [
        {"entity": "work_item", "id": item["id"], "title": name, "what": "deleted", "fields": ["deleted_at"], "version": 2}
    ]
    assert {"wrote_to_cache": True, "wrote_to_markdown": False, "pending_sync": False}.items() <= undone.items()
    gone = agent.read(item)
    assert gone["deleted_at"] is not None
    assert (gone["version"], gone["updated_by"]) == (2, "ann")
    again = agent.call("undo")
    assert [(one["what"], one["version"]) for one in again["undone"]] == [("undeleted", 3)]
    assert content(agent.read(item)) == content(before)


def test_an_update_gives_back_each_field_and_each_key_of_the_metadata(agent: Agent, name: str) -> None:
    parent = agent.create(name)
    item = agent.create(name, branch_name="b", metadata={"kept": 1, "gone": {"deep": [1], "too": 2}, "estimated_hours": 3})
    before = agent.read(item)
    agent.update(
        item,
        title="other",
        status="blocked",
        parent_id=parent["id"],
        metadata={"gone": {"deep": None}, "estimated_hours": 5, "new": {"a": 1}},
        pr_number=7,
        clear=["branch_name"],
    )
    changed = agent.read(item)
    undone = agent.call("undo")["undone"]
    assert set(undone[0]["fields"]) == {"title", "status", "parent_id", "metadata", "pr_number", "branch_name"}
    after = agent.read(item)
    assert content(after) == content(before)
    assert after["version"] == 3
    agent.call("undo")
    assert content(agent.read(item)) == content(changed)
    assert agent.read(item)["path"] == f"{parent['id']}/{item['id']}"


def test_what_stood_below_a_moved_item_comes_back_with_it(agent: Agent, name: str) -> None:
    one, two = agent.create(name), agent.create(name)
    item = agent.create(name, parent_id=one["id"])
    leaf = agent.create(name, parent_id=item["id"])
    agent.update(item, parent_id=two["id"])
    agent.call("undo")
    assert agent.read(leaf)["path"] == f"{one['id']}/{item['id']}/{leaf['id']}"


def test_a_deletion_is_taken_back(agent: Agent, name: str) -> None:
    item = agent.create(name)
    agent.update(item, deleted=True)
    assert agent.call("undo")["undone"][0]["what"] == "undeleted"
    assert agent.read(item)["deleted_at"] is None
    agent.call("undo")
    assert agent.read(item)["deleted_at"] is not None


def test_a_link_is_taken_away_and_one_that_was_taken_away_is_made_again(agent: Agent, name: str) -> None:
    one, two = agent.create(name), agent.create(name)
    ends = {"source_id": one["id"], "target_id": two["id"], "dependency_type": "blocks"}
    agent.call("link_work_items", **ends)
    agent.call("undo")
    assert links_of(agent, one) == []
    agent.call("undo")
    assert [link["related_item"]["id"] for link in links_of(agent, one)] == [two["id"]]
    agent.call("unlink_work_items", **ends)
    agent.call("undo")
    assert [link["related_item"]["id"] for link in links_of(agent, one)] == [two["id"]]


def test_a_link_that_would_close_a_circle_by_now_does_not_come_back(agent: Agent, other: Agent, name: str) -> None:
    one, two = agent.create(name), agent.create(name)
    ends = {"source_id": one["id"], "target_id": two["id"], "dependency_type": "depends_on"}
    agent.call("link_work_items", **ends)
    agent.call("unlink_work_items", **ends)
    other.call("link_work_items", source_id=two["id"], target_id=one["id"], dependency_type="depends_on")
    assert agent.refused("undo").kind == "CycleError"
    assert links_of(agent, one)[0]["direction"] == "incoming"


def test_a_deployment_is_taken_back_with_all_of_its_links(agent: Agent, name: str) -> None:
    vendor, item = agent.call("create_vendor", name=name), agent.create(name)
    made = agent.call("record_deployment", metadata={"pr_title": name}, vendor_ids=[vendor["id"]], work_item_ids=[item["id"]])
    undone = agent.call("undo")
    assert undone["undone_count"] == 3
    assert [one["entity"] for one in undone["undone"]] == [
        "work_item_deployment_link",
        "vendor_deployment_link",
        "deployment",
    ]
    assert made["id"] not in [one["id"] for one in agent.call("list_deployments", limit=100)["items"]]
    agent.call("undo")
    again = agent.call("query_deployment", id=made["id"])
    assert again["deleted_at"] is None
    assert [one["id"] for one in again["affected_vendors"]] == [vendor["id"]]
    assert [one["id"] for one in again["related_work_items"]] == [item["id"]]


def test_vendors_enhancements_comments_claims_and_the_configuration_go_back_too(agent: Agent, name: str) -> None:
    agent.call("create_vendor", name=name, metadata={"test_results": {"passing": 1, "total": 2}})
    before = agent.call("query_vendor_status", name=name)
    agent.call(
        "update_vendor_status",
        name=name,
        version=1,
        operational=not before["operational"],
        metadata={"test_results": {"passing": 2}},
    )
    agent.call("undo")
    assert content(agent.call("query_vendor_status", name=name)) == content(before)

    planned = agent.call("create_enhancement", title=name, requires_constitutional_principles=["one"], priority="low")
    agent.call("update_enhancement", id=planned["id"], version=1, clear=["requires_constitutional_principles"], priority="high")
    agent.call("undo")
    (back,) = [one for one in agent.call("list_enhancements", limit=100)["items"] if one["id"] == planned["id"]]
    assert (back["requires_constitutional_principles"], back["priority"]) == (["one"], "low")

    item = agent.create(name)
    agent.call("add_comment", id=item["id"], body="too soon")
    agent.call("undo")
    assert agent.call("list_comments", id=item["id"])["total_count"] == 0

    agent.call("claim_work_item", id=item["id"], claimed_by="ann")
    agent.call("undo")
    assert agent.call("claim_work_item", id=item["id"], claimed_by="bob")["claimed_by"] == "bob"

    version = agent.call("get_project_configuration")["version"]
    agent.call("update_project_configuration", version=version, git_branch=name)
    agent.call("undo")
    assert agent.call("get_project_configuration")["git_branch"] != name


def test_a_vendor_that_came_back_from_a_deletion_goes_as_it_was(agent: Agent, name: str) -> None:
    agent.call("create_vendor", name=name, metadata={"extractor_version": "1"})
    agent.call("undo")
    agent.call("create_vendor", name=name, metadata={"extractor_version": "2"}, operational=True)
    agent.call("undo")
    assert agent.refused("query_vendor_status", name=name).kind == "NotFoundError"
    agent.call("undo")
    assert agent.call("query_vendor_status", name=name)["metadata"] == {"extractor_version": "2"}


def test_what_another_session_has_touched_since_is_a_version_mismatch(start: Start, name: str) -> None:
    one, two = start("one"), start("two")
    item = one.update(one.create(name), title="one's")
    two.update(two.read(item), status="blocked")
    refusal = one.refused("undo")
    assert refusal.kind == "VersionMismatchError"
    assert "version mismatch" in refusal.text
    expected = {"entity": "work_item", "id": item["id"], "expected_version": 2, "actual_version": 3, "updated_by": "two"}
    assert expected.items() <= refusal.details.items()
    assert one.read(item)["title"] == "one's"


def test_an_act_of_which_one_row_was_touched_stays_whole(start: Start, name: str) -> None:
    one, two = start("one"), start("two")
    items = [one.create(name, created_at="2001-01-01") for _ in range(3)]
    one.call("trigger_archiving")
    two.update(two.read(items[1]), status="blocked")
    assert one.refused("undo").kind == "VersionMismatchError"
    assert all(one.read(item)["archived_at"] is not None for item in items)


def test_each_session_takes_back_its_own(start: Start, name: str) -> None:
    one, two = start("one"), start("two")
    first, second = one.create(name), two.create(name)
    one.call("undo")
    assert one.read(first)["deleted_at"] is not None
    assert one.read(second)["deleted_at"] is None


def test_there_may_be_nothing_to_take_back(start: Start) -> None:
    refusal = start("nobody").refused("undo")
    assert refusal.kind == "InvalidStateError"
    assert "nothing to take back" in refusal.text


def test_what_changed_nothing_is_no_act(agent: Agent, name: str) -> None:
    item = agent.create(name, id="5d0c5a3e-3f0e-4a52-9d52-6f0e1c7b9a01")
    other = agent.create(name)
    agent.create(name, id=item["id"])  # the same once more: nothing was written
    agent.refused("update_work_item", id=item["id"], version=9, title="late")
    assert agent.call("undo")["undone"][0]["id"] == other["id"]


def test_an_item_that_has_children_by_now_stays(agent: Agent, other: Agent, name: str) -> None:
    item = agent.create(name)
    other.create(name, parent_id=item["id"])
    assert agent.refused("undo").kind == "InvalidStateError"
    assert agent.read(item)["deleted_at"] is None


def test_an_item_does_not_come_back_below_what_was_deleted_since(agent: Agent, other: Agent, name: str) -> None:
    parent = agent.create(name)
    item = agent.create(name, parent_id=parent["id"])
    agent.update(item, deleted=True)
    other.update(other.read(parent), deleted=True)
    assert agent.refused("undo").kind == "InvalidStateError"


@pytest.mark.parametrize("more", [{"id": "x"}, {"version": 1}])
def test_it_takes_no_other_arguments(agent: Agent, more: dict[str, Any]) -> None:
    assert agent.refused("undo", **more).kind == "ValidationError"
