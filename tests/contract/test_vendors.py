"""Vendors: one per name, with typed metadata and the versions of every update."""

from __future__ import annotations

from typing import Any

import pytest

from contract.agent import Agent

METADATA = {
    "format_support": {"excel": True, "csv": False, "pdf": True, "ocr": False},
    "test_results": {"passing": 10, "total": 12, "skipped": 2},
    "extractor_version": "1.2.3",
    "manifest_compliant": True,
}


def test_a_new_vendor_has_every_field(agent: Agent, name: str) -> None:
    vendor = agent.call("create_vendor", name=name, metadata=METADATA, created_by="someone", detail="full")
    read = agent.call("query_vendor_status", name=name)
    for answer in (vendor, read):
        assert (answer["name"], answer["operational"], answer["status"]) == (name, True, "operational")
        assert (answer["version"], answer["metadata"]) == (1, METADATA)
        assert (answer["created_by"], answer["updated_by"]) == ("someone", "someone")
        assert {"id", "created_at", "updated_at", "deleted_at"} <= set(answer)


def test_a_vendor_that_does_not_work_is_broken(agent: Agent, name: str) -> None:
    assert agent.call("create_vendor", name=name, operational=False)["status"] == "broken"
    assert agent.call("query_vendor_status", name=name)["operational"] is False


def test_a_name_is_taken_once(agent: Agent, name: str) -> None:
    agent.call("create_vendor", name=name)
    assert agent.refused("create_vendor", name=name, operational=False).kind == "DuplicateError"
    assert agent.call("query_vendor_status", name=name)["operational"] is True


@pytest.mark.parametrize("title", ["vendor / ünï", "a b", "🎉", "'; --", "[CSV] v1: x"])
def test_a_name_may_hold_any_characters(agent: Agent, name: str, title: str) -> None:
    full = f"{title} {name}"
    agent.call("create_vendor", name=full)
    assert agent.call("query_vendor_status", name=full)["name"] == full


def test_an_update_sets_the_status_and_merges_metadata(agent: Agent, name: str) -> None:
    agent.call("create_vendor", name=name, metadata={**METADATA, "mine": 1})
    updated = agent.call(
        "update_vendor_status",
        name=name,
        version=1,
        operational=False,
        metadata={"test_results": {"passing": 5}, "mine": None},
        updated_by="another",
    )
    assert (updated["version"], updated["status"], updated["updated_by"]) == (2, "broken", "another")
    assert updated["metadata"] == {**METADATA, "test_results": {"passing": 5, "total": 12, "skipped": 2}}
    assert {"wrote_to_cache", "wrote_to_markdown", "pending_sync"} <= set(updated)
    assert agent.call("query_vendor_status", name=name)["metadata"] == updated["metadata"]


def test_only_metadata_leaves_the_status(agent: Agent, name: str) -> None:
    agent.call("create_vendor", name=name, operational=False)
    updated = agent.call("update_vendor_status", name=name, version=1, metadata={"a": 1})
    assert (updated["status"], updated["metadata"]) == ("broken", {"a": 1})


def test_a_stale_update_is_a_mismatch(agent: Agent, name: str) -> None:
    agent.call("create_vendor", name=name)
    agent.call("update_vendor_status", name=name, version=1, operational=False, updated_by="rival")
    refusal = agent.refused("update_vendor_status", name=name, version=1, operational=True)
    assert refusal.kind == "VersionMismatchError"
    assert "version mismatch" in refusal.text
    facts = ("expected_version", "actual_version", "updated_by")
    assert [refusal.details[fact] for fact in facts] == [1, 2, "rival"]


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"extractor_version": "x"},
        {"extractor_version": "x" * 50},
        {"test_results": {"passing": 0, "total": 0, "skipped": 0}},
        {"test_results": {"passing": 1}},
        {"format_support": {"csv": True}},
        {"format_support": {}},
        {"manifest_compliant": False},
        {"mine": [None, {"deep": 1.5}], "é": ""},
        {"format_support": {"excel": True, "docx": True}, "test_results": {"total": 3, "flaky": 1}},
    ],
    ids=repr,
)
def test_metadata_within_its_bounds_is_kept(agent: Agent, name: str, metadata: dict[str, Any]) -> None:
    agent.call("create_vendor", name=name, metadata=metadata)
    assert agent.call("query_vendor_status", name=name)["metadata"] == metadata


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"extractor_version": ""}, "extractor_version"),
        ({"extractor_version": "x" * 51}, "extractor_version"),
        ({"extractor_version": 1.2}, "extractor_version"),
        ({"test_results": {"passing": -1}}, "passing"),
        ({"test_results": {"total": -1}}, "total"),
        ({"test_results": {"skipped": -1}}, "skipped"),
        ({"test_results": {"total": "12"}}, "total"),
        ({"test_results": {"total": 1.5}}, "total"),
        ({"test_results": [1, 2]}, "test_results"),
        ({"format_support": ["csv"]}, "format_support"),
        ({"format_support": {"csv": "yes"}}, "csv"),
        ({"format_support": {"ocr": 1}}, "ocr"),
        ({"manifest_compliant": "yes"}, "manifest_compliant"),
        ({"mine": "\x00"}, "metadata"),
    ],
    ids=repr,
)
def test_metadata_beyond_its_bounds_is_refused(agent: Agent, name: str, metadata: dict[str, Any], field: str) -> None:
    agent.invalid(field, "create_vendor", name=name, metadata=metadata)
    assert agent.refused("query_vendor_status", name=name).kind == "NotFoundError"
    agent.call("create_vendor", name=name)
    agent.invalid(field, "update_vendor_status", name=name, version=1, metadata=metadata)
    assert agent.call("query_vendor_status", name=name)["version"] == 1


def test_vendors_are_listed_by_status_and_page_by_page(agent: Agent, name: str) -> None:
    before = {status: agent.call("list_vendors", status=status)["total_count"] for status in ("operational", "broken")}
    for number in range(4):
        agent.call("create_vendor", name=f"{name} {number}", operational=number != 3)
    for status, added in (("operational", 3), ("broken", 1)):
        answer = agent.call("list_vendors", status=status, limit=100)
        assert answer["total_count"] == before[status] + added
        assert {vendor["status"] for vendor in answer["items"]} == {status}
    total = agent.call("list_vendors")["total_count"]
    assert total == sum(before.values()) + 4
    names: list[str] = []
    for offset in range(0, total, 3):
        page = agent.call("list_vendors", limit=3, offset=offset)
        assert page["total_count"] == total
        names += [vendor["name"] for vendor in page["items"]]
    assert len(names) == len(set(names)) == total
    assert {f"{name} {number}" for number in range(4)} <= set(names)
