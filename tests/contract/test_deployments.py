"""Deployments: one atomic record of what went out, with the vendors and work items that it touched."""

from __future__ import annotations

from typing import Any

import pytest

from contract.agent import Agent

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NOBODY = "00000000-0000-4000-8000-000000000000"
METADATA = {
    "pr_number": 100,
    "pr_title": "Ship it",
    "commit_hash": COMMIT,
    "test_summary": {"passed": 45, "failed": 0},
    "constitutional_compliance": True,
}


def test_a_deployment_names_what_it_touched(agent: Agent, name: str) -> None:
    vendors = [agent.call("create_vendor", name=f"{name} {number}") for number in range(2)]
    items = [agent.create(f"{name} {number}") for number in range(2)]
    made = agent.call(
        "record_deployment",
        metadata=METADATA,
        vendor_ids=[vendor["id"] for vendor in vendors],
        work_item_ids=[item["id"] for item in items],
        deployed_at="2025-10-01T12:00:00+02:00",
        created_by="someone",
        detail="full",
    )
    assert (made["version"], made["created_by"]) == (1, "someone")
    read = agent.call("query_deployment", id=made["id"])
    assert read["metadata"] == METADATA
    assert read["commit_hash"] == COMMIT
    assert read["timestamp"].startswith("2025-10-01T10:00:00")
    assert {(each["id"], each["name"]) for each in read["affected_vendors"]} == {
        (vendor["id"], vendor["name"]) for vendor in vendors
    }
    assert {(each["id"], each["title"]) for each in read["related_work_items"]} == {
        (item["id"], item["title"]) for item in items
    }


def test_a_deployment_may_touch_nothing(agent: Agent) -> None:
    made = agent.call("record_deployment", metadata=METADATA)
    read = agent.call("query_deployment", id=made["id"])
    assert (read["affected_vendors"], read["related_work_items"]) == ([], [])
    assert read["timestamp"] == made["timestamp"]


@pytest.mark.parametrize("unknown", ["vendor_ids", "work_item_ids"])
def test_one_unknown_id_and_nothing_is_recorded(agent: Agent, name: str, unknown: str) -> None:
    vendor, item = agent.call("create_vendor", name=name), agent.create(name)
    before = agent.call("list_deployments")["total_count"]
    pending = agent.call("sync_status")["pending_mutations"]
    call = {"metadata": METADATA, "vendor_ids": [vendor["id"]], "work_item_ids": [item["id"]]}
    call[unknown] = [*call[unknown], NOBODY]
    refusal = agent.refused("record_deployment", **call)
    assert refusal.kind == "NotFoundError"
    assert NOBODY in refusal.text
    assert agent.call("list_deployments")["total_count"] == before
    assert agent.call("sync_status")["pending_mutations"] == pending


def test_an_id_given_twice_is_one(agent: Agent, name: str) -> None:
    vendor, item = agent.call("create_vendor", name=name), agent.create(name)
    made = agent.call("record_deployment", metadata=METADATA, vendor_ids=[vendor["id"]] * 2, work_item_ids=[item["id"]] * 2)
    read = agent.call("query_deployment", id=made["id"])
    assert (len(read["affected_vendors"]), len(read["related_work_items"])) == (1, 1)


def test_two_equal_deployments_are_two(agent: Agent) -> None:
    first = agent.call("record_deployment", metadata=METADATA)
    assert agent.call("record_deployment", metadata=METADATA)["id"] != first["id"]


def test_the_name_and_title_are_the_current_ones(agent: Agent, name: str) -> None:
    item = agent.create(name)
    made = agent.call("record_deployment", metadata=METADATA, work_item_ids=[item["id"]])
    agent.update(item, title="changed")
    assert agent.call("query_deployment", id=made["id"])["related_work_items"][0]["title"] == "changed"


@pytest.mark.parametrize(
    "change",
    [
        {"pr_number": 1},
        {"pr_title": "x"},
        {"pr_title": "é" * 200},
        {"test_summary": {}},
        {"test_summary": {"passed": 0, "any name é": 3}},
        {"constitutional_compliance": False},
        {"mine": [None, {"deep": 1.5}]},
    ],
    ids=lambda change: repr(change)[:40],
)
def test_metadata_within_its_bounds_is_kept(agent: Agent, change: dict[str, Any]) -> None:
    made = agent.call("record_deployment", metadata={**METADATA, **change})
    assert agent.call("query_deployment", id=made["id"])["metadata"] == {**METADATA, **change}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"pr_number": 0}, "pr_number"),
        ({"pr_number": -1}, "pr_number"),
        ({"pr_number": "100"}, "pr_number"),
        ({"pr_number": 1.5}, "pr_number"),
        ({"pr_number": True}, "pr_number"),
        ({"pr_title": ""}, "pr_title"),
        ({"pr_title": "é" * 201}, "pr_title"),
        ({"pr_title": 5}, "pr_title"),
        ({"commit_hash": COMMIT.upper()}, "commit_hash"),
        ({"commit_hash": COMMIT[:-1]}, "commit_hash"),
        ({"commit_hash": COMMIT + "0"}, "commit_hash"),
        ({"commit_hash": COMMIT[:-1] + "g"}, "commit_hash"),
        ({"commit_hash": COMMIT + "\n"}, "commit_hash"),
        ({"commit_hash": "٠" * 40}, "commit_hash"),
        ({"commit_hash": ""}, "commit_hash"),
        ({"test_summary": {"passed": -1}}, "test_summary"),
        ({"test_summary": {"passed": "45"}}, "test_summary"),
        ({"test_summary": {"passed": 1.5}}, "test_summary"),
        ({"test_summary": ["passed"]}, "test_summary"),
        ({"constitutional_compliance": "yes"}, "constitutional_compliance"),
        ({"mine": "\x00"}, "metadata"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_metadata_beyond_its_bounds_is_refused(agent: Agent, change: dict[str, Any], field: str) -> None:
    before = agent.call("list_deployments")["total_count"]
    agent.invalid(field, "record_deployment", metadata={**METADATA, **change})
    assert agent.call("list_deployments")["total_count"] == before


def test_deployments_are_listed_newest_first_and_page_by_page(agent: Agent) -> None:
    times = ["2030-03-01T00:00:00Z", "2030-01-01T00:00:00Z", "2030-02-01T00:00:00Z"]
    made = [agent.call("record_deployment", metadata=METADATA, deployed_at=time)["id"] for time in times]
    newest = agent.call("list_deployments", since="2030-01-01T00:00:00Z")
    assert [each["id"] for each in newest["items"]] == [made[0], made[2], made[1]]
    assert newest["total_count"] == 3
    page = agent.call("list_deployments", since="2030-01-01T00:00:00Z", limit=1, offset=1)
    assert [each["id"] for each in page["items"]] == [made[2]]
    assert page["total_count"] == 3


def test_since_is_compared_in_utc(agent: Agent) -> None:
    agent.call("record_deployment", metadata=METADATA, deployed_at="2040-06-01T00:30:00+02:00")
    assert agent.call("list_deployments", since="2040-05-31T22:00:00Z")["total_count"] == 1
    assert agent.call("list_deployments", since="2040-05-31T23:00:00Z")["total_count"] == 0
    assert agent.call("list_deployments", since="2040-06-01T01:00:00+03:00")["total_count"] == 1
