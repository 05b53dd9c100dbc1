"""Refs: each work item has one, and it is taken wherever an item is named."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from contract.agent import Agent, Answer

FIRST = "ghjkmnpqrstvwxyz"
REST = "0123456789abcdefghjkmnpqrstvwxyz"


def ref_by_the_contract(item_id: str, length: int) -> str:
    """As the contract says it, with bits as text."""
    bits = "".join(f"{byte:08b}" for byte in hashlib.sha256(UUID(item_id).bytes).digest())
    symbols = [FIRST[int(bits[:4], 2)]]
    symbols += [REST[int(bits[place : place + 5], 2)] for place in range(4, 4 + 5 * (length - 1), 5)]
    return "".join(symbols)


@pytest.fixture
def item(agent: Agent, name: str) -> Answer:
    return agent.create(name)


def test_a_ref_is_made_of_the_id(agent: Agent, item: Answer) -> None:
    assert item["ref"] == ref_by_the_contract(item["id"], len(item["ref"]))
    assert len(item["ref"]) >= 6
    assert agent.read(item)["ref"] == item["ref"]


def test_a_work_item_has_its_ref_wherever_it_is_displayed(agent: Agent, name: str) -> None:
    top = agent.create(name, "project")
    middle = agent.create(f"{name} below", parent_id=top["id"])
    leaf = agent.create(f"{name} leaf", parent_id=middle["id"])
    agent.call("link_work_items", source_id=leaf["id"], target_id=top["id"], dependency_type="blocks")
    deployment = agent.call("record_deployment", metadata={}, work_item_ids=[leaf["id"]])
    displayed: list[Any] = [
        agent.update(leaf, title=f"{name} again"),
        *agent.call("list_work_items", parent_id=middle["id"])["items"],
        *agent.call("ready_work_items", limit=100)["items"],
        *agent.call("search_work_items", query=name)["items"],
        *agent.read(leaf)["parent_chain"],
        *agent.read(top)["children"],
        agent.read(top)["children"][0]["children"][0],
        agent.read(leaf)["dependencies"][0]["related_item"],
        *deployment["related_work_items"],
        *agent.call("query_deployment", id=deployment["id"])["related_work_items"],
        agent.call("claim_work_item", id=leaf["id"]),
        agent.call("release_work_item", id=leaf["id"]),
        agent.call("revert_work_item", id=leaf["id"], version=2, to_version=1),
    ]
    for row in displayed:
        assert row["ref"] == ref_by_the_contract(row["id"], len(row["ref"])), row


def names_of(item: Answer) -> Iterator[str]:
    whole = ref_by_the_contract(item["id"], 40)
    yield from (item["ref"], item["ref"].upper(), f" {item['ref']} ", whole[:8], whole, item["id"].upper(), item["id"][:23])
    yield item["id"].replace("-", "")[:20]


def test_an_item_is_named_in_many_ways(agent: Agent, item: Answer) -> None:
    for name in names_of(item):
        assert agent.call("query_work_item", id=name)["id"] == item["id"], name


def test_a_ref_is_taken_wherever_an_item_is_named(agent: Agent, name: str) -> None:
    one, other = agent.create(name), agent.create(f"{name} 2")
    ref, second = one["ref"], other["ref"]
    child = agent.create(f"{name} child", parent_id=ref)
    assert child["parent_id"] == one["id"]
    assert [row["id"] for row in agent.call("list_work_items", parent_id=ref)["items"]] == [child["id"]]
    assert agent.call("update_work_item", id=child["ref"], version=1, parent_id=second)["parent_id"] == other["id"]
    linked = agent.call("link_work_items", source_id=ref, target_id=second, dependency_type="depends_on")
    assert (linked["source_id"], linked["target_id"]) == (one["id"], other["id"])
    agent.call("unlink_work_items", source_id=ref, target_id=second, dependency_type="depends_on")
    agent.call("add_comment", id=ref, body="said")
    assert agent.call("list_comments", work_item_id=ref)["total_count"] == 1
    assert agent.call("claim_work_item", id=ref)["id"] == agent.call("release_work_item", id=ref)["id"] == one["id"]
    assert agent.call("get_history", entity="work_item", id=ref)["changes"][-1]["version"] == 1
    agent.call("update_work_item", id=ref, version=1, title=f"{name} again")
    assert agent.call("revert_work_item", id=ref, version=2, to_version=1)["id"] == one["id"]
    deployment = agent.call("record_deployment", metadata={}, work_item_ids=[ref, second])
    assert {row["id"] for row in deployment["related_work_items"]} == {one["id"], other["id"]}


def test_what_names_nothing_is_not_found_and_nothing_is_written(agent: Agent) -> None:
    for nothing in ("zzzzzzzz", "ffffffffffff"):
        for tool, more in (
            ("query_work_item", {}),
            ("update_work_item", {"version": 1, "title": "x"}),
            ("claim_work_item", {}),
        ):
            assert agent.refused(tool, id=nothing, **more).kind == "NotFoundError"
    assert agent.refused("create_work_item", item_type="task", title="x", parent_id="zzzzzzzz").kind == "NotFoundError"


@pytest.mark.parametrize("ill", ["", "gab", "12345", "abcde", "gabi", "golden", "g-abcd", "g" * 60, "1abcdefg"])
def test_what_cannot_name_an_item_is_refused(agent: Agent, ill: str) -> None:
    agent.invalid("id", "query_work_item", id=ill)


def test_a_new_item_gets_an_id_and_no_ref(agent: Agent, item: Answer) -> None:
    agent.invalid("id", "create_work_item", id=item["ref"], item_type="task", title="x")


def test_only_work_items_have_refs(agent: Agent, item: Answer) -> None:
    agent.invalid("id", "get_history", entity="vendor", id=item["ref"])


def colliding(symbols: int) -> tuple[str, str]:
    """Two ids whose refs have so many symbols in common, and no more."""
    seen: dict[str, str] = {}
    number = 0
    while True:
        item_id = str(UUID(int=0x1900000000007000A000000000000000 + number))
        ref = ref_by_the_contract(item_id, symbols + 1)
        other = seen.setdefault(ref[:symbols], item_id)
        if other != item_id and ref_by_the_contract(other, symbols + 1) != ref:
            return other, item_id
        number += 1


def test_of_several_items_the_candidates_are_named(agent: Agent) -> None:
    ids = colliding(4)
    for place, item_id in enumerate(ids):
        agent.create(f"twin {place}", id=item_id)
    ref = ref_by_the_contract(ids[0], 4)
    refusal = agent.invalid("id", "query_work_item", id=ref)
    candidates = {one["id"]: one for one in refusal.details["candidates"]}
    assert set(ids) <= set(candidates)
    assert all(set(one) == {"ref", "id", "title"} for one in candidates.values())
    assert candidates[ids[0]]["title"] == "twin 0"
    beginning = agent.invalid("id", "query_work_item", id=ids[0][:8])
    assert {one["id"] for one in beginning.details["candidates"]} >= set(ids)
