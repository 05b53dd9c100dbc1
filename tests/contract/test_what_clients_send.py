"""Clients send null for what they leave out, and numbers, flags, objects and lists as text: what is meant is done."""

from __future__ import annotations

import json

import pytest

from contract.agent import Agent
from contract.test_argument_checks import WELL_FORMED


def test_null_is_absence_in_every_argument_of_every_tool(agent: Agent) -> None:
    for name, tool in agent.tools().items():
        if name not in WELL_FORMED or name == "sync_now":
            continue
        given = WELL_FORMED[name]
        optional = dict.fromkeys(set(tool.input_schema["properties"]) - set(given))
        plain, nulls = agent.raw(name, **given), agent.raw(name, **given, **optional)
        if nulls.is_error:
            assert nulls.structured_content["error"] != "ValidationError" or plain.is_error, (name, nulls.structured_content)
        assert tool.annotations is not None
        if tool.annotations.read_only_hint:
            assert plain.structured_content == nulls.structured_content, name


def test_a_required_argument_that_is_null_is_missing(agent: Agent) -> None:
    refusal = agent.invalid("version", "update_work_item", id=agent.create("t")["id"], version=None, title="x")
    assert refusal.details["constraint"] == "is required"


def test_a_null_changes_nothing_in_an_update(agent: Agent, name: str) -> None:
    parent = agent.create(name)
    item = agent.create(name, parent_id=parent["id"], branch_name="b", pr_number=5)
    item = agent.update(
        item, title="new", parent_id=None, branch_name=None, pr_number=None, metadata=None, deleted=None, clear=None
    )
    assert (item["title"], item["parent_id"], item["branch_name"], item["pr_number"]) == ("new", parent["id"], "b", 5)


def test_within_metadata_a_null_still_takes_a_key_away(agent: Agent, name: str) -> None:
    item = agent.create(name, metadata={"a": 1, "b": None})
    assert item["metadata"] == {"a": 1, "b": None}
    assert agent.update(item, metadata={"a": None})["metadata"] == {"b": None}


def test_what_comes_as_text_is_taken_for_what_it_is(agent: Agent, name: str) -> None:
    item = agent.create(name, metadata='{"estimated_hours": 2, "note": "5"}', pr_number="7")
    assert (item["metadata"], item["pr_number"]) == ({"estimated_hours": 2, "note": "5"}, 7)
    item = agent.call(
        "update_work_item", id=item["id"], version="1", metadata='{"note": null}', clear='["pr_number"]', deleted="false"
    )
    assert (item["version"], item["metadata"], item.get("pr_number")) == (2, {"estimated_hours": 2}, None)
    read = agent.read(item, include_children="True", include_dependencies="false", max_depth="5", max_children=200.0)
    assert read["dependencies"] == []
    assert agent.call("list_work_items", limit="1", offset="0", root_only="true", item_type=None)["limit"] == 1
    vendor = agent.call("create_vendor", name=name, operational="false", metadata="{}")
    assert vendor["operational"] is False
    deployment = agent.call("record_deployment", metadata="{}", vendor_ids=json.dumps([vendor["id"]]), work_item_ids="null")
    assert [one["id"] for one in deployment["affected_vendors"]] == [vendor["id"]]
    enhancement = agent.call("create_enhancement", title=name, requires_constitutional_principles='["I"]')
    assert enhancement["requires_constitutional_principles"] == ["I"]


@pytest.mark.parametrize("text", ["5", "true", "null", '{"a": 1}', "[1]", "1e5"])
def test_a_text_is_never_taken_for_something_else(agent: Agent, text: str) -> None:
    item = agent.create(text, branch_name=text, metadata={"note": text})
    assert (item["title"], item["branch_name"], item["metadata"]) == (text, text, {"note": text})
    agent.invalid("title", "create_work_item", item_type="task", title=json.loads(text) if text != "null" else [])


def test_clear_is_for_fields_that_may_be_empty_and_for_no_others(agent: Agent, name: str) -> None:
    item = agent.create(name)
    for wrong in (["title"], ["metadata"], "parent_id", [None], [5], {"parent_id": True}, ["parent_id", "status"]):
        agent.invalid("clear", "update_work_item", id=item["id"], version=1, clear=wrong)
    refusal = agent.invalid("clear", "update_work_item", id=item["id"], version=1, clear=["parent_id"], parent_id=item["id"])
    assert "parent_id" in refusal.text
    agent.invalid("arguments", "update_work_item", id=item["id"], version=1, clear=[])
    assert agent.read(item)["version"] == 1


def test_comments_take_id_and_still_work_item_id(agent: Agent, name: str) -> None:
    item, other = agent.create(name), agent.create(name)
    agent.call("add_comment", id=item["id"], body="a")
    agent.call("add_comment", work_item_id=item["id"], body="b")
    agent.call("add_comment", id=item["id"], work_item_id=item["id"], body="c")
    agent.call("add_comment", id=item["id"], work_item_id=None, body="d")
    assert [one["body"] for one in agent.call("list_comments", id=item["id"])["items"]] == list("abcd")
    agent.invalid("work_item_id", "add_comment", id=item["id"], work_item_id=other["id"], body="e")
    agent.invalid("id", "add_comment", body="e")
