"""History: every change of every entity, newest first, with what it was and what it became."""

from __future__ import annotations

from typing import Any

from contract.agent import Agent, Answer


def changes(agent: Agent, entity: str, row: Answer, **more: Any) -> list[Answer]:
    return list(agent.call("get_history", entity=entity, id=row["id"], **more)["changes"])


def test_every_change_is_reported_newest_first(agent: Agent, name: str) -> None:
    item = agent.create(name, created_by="first", branch_name="b")
    item = agent.update(item, title="new", status="blocked", updated_by="second")
    item = agent.update(item, clear=["branch_name"], updated_by="third")
    reported = changes(agent, "work_item", item)
    assert [change["version"] for change in reported] == [3, 2, 1]
    assert [change["by"] for change in reported] == ["third", "second", "first"]
    assert {change["outcome"] for change in reported} == {"accepted"}
    assert reported[0]["at"] == item["updated_at"]
    assert reported[2]["at"] == item["created_at"]
    assert reported[0]["fields"] == {"branch_name": {"old": "b", "new": None}}
    assert reported[1]["fields"] == {
        "title": {"old": name, "new": "new"},
        "status": {"old": "active", "new": "blocked"},
    }
    assert reported[2]["fields"]["title"] == {"old": None, "new": name}
    assert reported[2]["fields"]["branch_name"] == {"old": None, "new": "b"}


def test_a_history_is_as_long_as_asked_for(agent: Agent, name: str) -> None:
    item = agent.create(name)
    for number in range(4):
        item = agent.update(item, title=str(number))
    assert [change["version"] for change in changes(agent, "work_item", item, limit=2)] == [5, 4]
    assert len(changes(agent, "work_item", item)) == 5


def test_metadata_changes_tell_old_and_new(agent: Agent, name: str) -> None:
    item = agent.update(agent.create(name, metadata={"a": 1, "b": 2}), metadata={"a": None, "c": 3})
    fields = changes(agent, "work_item", item)[0]["fields"]
    assert list(fields) == ["metadata"]
    assert fields["metadata"] == {"old": {"a": 1, "b": 2}, "new": {"b": 2, "c": 3}}


def test_deleting_and_undeleting_are_changes(agent: Agent, name: str) -> None:
    item = agent.update(agent.update(agent.create(name), deleted=True), deleted=False)
    back, gone, _ = changes(agent, "work_item", item)
    assert gone["fields"]["deleted_at"]["old"] is None
    assert gone["fields"]["deleted_at"]["new"] is not None
    assert back["fields"]["deleted_at"]["new"] is None


def test_a_move_tells_both_parents(agent: Agent, name: str) -> None:
    one, two = agent.create(name), agent.create(name)
    item = agent.update(agent.create(name, parent_id=one["id"]), parent_id=two["id"])
    reported = changes(agent, "work_item", item)[0]["fields"]
    assert reported["parent_id"] == {"old": one["id"], "new": two["id"]}


def test_what_was_refused_is_no_history(agent: Agent, name: str) -> None:
    item = agent.create(name)
    agent.refused("update_work_item", id=item["id"], version=9, title="late")
    agent.refused("update_work_item", id=item["id"], version=1, title="")
    assert len(changes(agent, "work_item", item)) == 1


def test_a_vendor_has_a_history(agent: Agent, name: str) -> None:
    vendor = agent.call("create_vendor", name=name, created_by="first")
    agent.call("update_vendor_status", name=name, version=1, operational=False, updated_by="second")
    reported = changes(agent, "vendor", vendor)
    assert [(change["version"], change["by"]) for change in reported] == [(2, "second"), (1, "first")]
    assert reported[0]["fields"] == {"operational": {"old": True, "new": False}}


def test_a_deployment_has_a_history(agent: Agent, name: str) -> None:
    deployment = agent.call("record_deployment", metadata={"pr_title": name})
    (reported,) = changes(agent, "deployment", deployment)
    assert reported["version"] == 1
    assert reported["fields"]["metadata"]["new"] == {"pr_title": name}


def test_an_enhancement_has_a_history(agent: Agent, name: str) -> None:
    made = agent.call("create_enhancement", title=name, priority="low", status="planned", target_quarter="Q1 2026")
    agent.call("update_enhancement", id=made["id"], version=1, target_quarter="2026-Q2")
    reported = changes(agent, "enhancement", made)
    assert reported[0]["fields"] == {"target_quarter": {"old": "Q1 2026", "new": "Q2 2026"}}


def test_a_link_has_a_history(agent: Agent, name: str) -> None:
    one, two = agent.create(name), agent.create(name)
    ends = {"source_id": one["id"], "target_id": two["id"], "dependency_type": "blocks"}
    made = agent.call("link_work_items", **ends)
    agent.call("unlink_work_items", **ends)
    assert [change["version"] for change in changes(agent, "work_item_dependency", made)] == [2, 1]


def test_the_configuration_has_a_history(agent: Agent) -> None:
    before = agent.call("get_project_configuration")
    agent.call("update_project_configuration", version=before["version"], active_context_type="research")
    reported = changes(agent, "configuration", before)
    assert reported[0]["fields"] == {"active_context_type": {"old": before["active_context_type"], "new": "research"}}
