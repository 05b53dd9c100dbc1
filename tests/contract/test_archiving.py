"""Archiving: by the time of creation; archived items leave the default queries and stay readable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contract.agent import Agent


@pytest.fixture
def alone(agent: Agent) -> Agent:
    """Archiving is of the whole project: what earlier tests left is archived before."""
    agent.call("trigger_archiving", older_than_days=0)
    assert agent.call("list_work_items")["total_count"] == 0
    return agent


def ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def test_items_older_than_a_year_are_archived_and_leave_the_default_queries(alone: Agent) -> None:
    old = alone.create("ancient quokka", created_at=ago(366))
    new = alone.create("recent quokka", created_at=ago(364))
    archived_before = alone.call("generate_full_status")["active_work_items"]["archived_count"]
    answer = alone.call("trigger_archiving")
    assert answer["archived_count"] == 1
    listed = alone.call("list_work_items")
    assert [item["id"] for item in listed["items"]] == [new["id"]]
    assert listed["total_count"] == 1
    assert [item["id"] for item in alone.call("ready_work_items")["items"]] == [new["id"]]
    assert old["id"] not in [item["id"] for item in alone.call("search_work_items", query="quokka")["items"]]
    assert alone.read(old)["archived_at"] is not None
    assert alone.read(new)["archived_at"] is None
    both = alone.call("list_work_items", include_archived=True)
    assert {item["id"] for item in both["items"]} >= {old["id"], new["id"]}
    status = alone.call("generate_full_status")["active_work_items"]
    assert (status["total_count"], status["archived_count"]) == (1, archived_before + 1)


def test_archiving_goes_by_creation_and_not_by_change(alone: Agent) -> None:
    old = alone.create("old", created_at=ago(400))
    alone.update(old, title="changed today")
    assert alone.call("trigger_archiving")["archived_count"] == 1


def test_the_age_is_the_callers(alone: Agent) -> None:
    for days in (1.5, 10, 20):
        alone.create(f"{days}", created_at=ago(days))
    assert alone.call("trigger_archiving", older_than_days=30)["archived_count"] == 0
    assert alone.call("trigger_archiving", older_than_days=15)["archived_count"] == 1
    assert alone.call("trigger_archiving", older_than_days=1)["archived_count"] == 2


def test_an_age_of_nothing_archives_everything(alone: Agent) -> None:
    alone.create("just now")
    assert alone.call("trigger_archiving", older_than_days=0)["archived_count"] == 1
    assert alone.call("list_work_items")["items"] == []


def test_what_is_archived_is_archived_once(alone: Agent) -> None:
    item = alone.create("old", created_at=ago(400))
    assert alone.call("trigger_archiving")["archived_count"] == 1
    first = alone.read(item)
    assert alone.call("trigger_archiving")["archived_count"] == 0
    assert alone.read(item) == first


def test_an_archived_item_keeps_its_history_links_and_children(alone: Agent) -> None:
    parent = alone.create("parent", created_at=ago(400))
    child = alone.create("child", parent_id=parent["id"], created_at=ago(400))
    alone.call("link_work_items", source_id=parent["id"], target_id=alone.create("x")["id"], dependency_type="blocks")
    assert alone.call("trigger_archiving")["archived_count"] == 2
    assert [each["id"] for each in alone.read(child)["parent_chain"]] == [parent["id"]]
    assert len(alone.read(parent)["dependencies"]) == 1
    history = alone.call("get_history", entity="work_item", id=parent["id"])["changes"]
    assert history[-1]["version"] == 1


def test_an_age_below_nothing_is_refused(alone: Agent) -> None:
    alone.create("old", created_at=ago(400))
    alone.invalid("older_than_days", "trigger_archiving", older_than_days=-1)
    assert alone.call("list_work_items")["total_count"] == 1
