"""Several servers on one replica at once: each sees what the others wrote, and none hears that the file is busy."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from contract.conftest import Start
from contract.laptop import Laptop
from contract.wire import Wire

SERVERS = 10
OPERATIONS = 30


def structured(result: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = result["structuredContent"]
    return answer


@pytest.fixture(scope="module")
def wires(shared_laptop: Laptop) -> Iterator[list[Wire]]:
    """Ten servers on one replica, started at once, for all tests that keep to names of their own."""
    with ExitStack() as stack:
        started = [Wire(shared_laptop) for _ in range(SERVERS)]
        yield [stack.enter_context(wire) for wire in started]


def at_once(wires: list[Wire], work: Callable[[int, Wire], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(wires)) as pool:
        return list(pool.map(work, range(len(wires)), wires))


def test_what_one_wrote_the_other_reads_at_once(start: Start) -> None:
    one, two = start("one"), start("two")
    item = one.create("x")
    seen = two.read(item)
    assert (seen["title"], seen["created_by"]) == ("x", "one")
    two.update(seen, title="y")
    assert one.read(item)["updated_by"] == "two"
    assert [each["title"] for each in one.call("search_work_items", query="y")["items"]] == ["y"]


def test_the_slower_of_two_updates_is_a_mismatch(start: Start) -> None:
    one, two = start("one"), start("two")
    item = one.create("x")
    two.update(two.read(item), title="two's")
    refusal = one.refused("update_work_item", id=item["id"], version=1, title="one's")
    assert refusal.kind == "VersionMismatchError"
    assert (refusal.details["expected_version"], refusal.details["actual_version"]) == (1, 2)
    assert refusal.details["updated_by"] == "two"
    assert one.update(one.read(item), title="one's")["version"] == 3


def test_of_ten_claims_one_wins(wires: list[Wire]) -> None:
    item = structured(wires[0].call("create_work_item", item_type="task", title="x"))
    for _ in range(3):
        answers = at_once(wires, lambda number, wire: wire.call("claim_work_item", id=item["id"], claimed_by=f"agent {number}"))
        winners = [number for number, answer in enumerate(answers) if not answer.get("isError")]
        assert len(winners) == 1
        losers = [structured(answer) for answer in answers if answer.get("isError")]
        assert {loser["error"] for loser in losers} == {"InvalidStateError"}
        seen = structured(wires[-1].call("query_work_item", id=item["id"]))
        assert seen["claimed_by"] == f"agent {winners[0]}"
        wires[0].call("release_work_item", id=item["id"], claimed_by=seen["claimed_by"])


def test_of_ten_updates_of_one_version_one_wins(wires: list[Wire]) -> None:
    item = structured(wires[0].call("create_work_item", item_type="task", title="x"))
    answers = at_once(
        wires, lambda number, wire: wire.call("update_work_item", id=item["id"], version=1, title=f"title {number}")
    )
    winners = [number for number, answer in enumerate(answers) if not answer.get("isError")]
    assert len(winners) == 1
    for answer in answers:
        if answer.get("isError"):
            assert structured(answer)["error"] == "VersionMismatchError"
            assert structured(answer)["details"]["actual_version"] == 2
    seen = structured(wires[0].call("query_work_item", id=item["id"]))
    assert (seen["version"], seen["title"]) == (2, f"title {winners[0]}")


def test_one_name_is_one_vendor_however_many_create_it(wires: list[Wire]) -> None:
    before = structured(wires[0].call("list_vendors"))["total_count"]
    answers = at_once(wires, lambda _, wire: wire.call("create_vendor", name="v"))
    assert Counter(structured(answer).get("error") for answer in answers) == {None: 1, "DuplicateError": SERVERS - 1}
    assert structured(wires[0].call("list_vendors"))["total_count"] == before + 1


def test_one_id_is_one_item_however_many_create_it(wires: list[Wire]) -> None:
    before = structured(wires[0].call("list_work_items"))["total_count"]
    call = {"id": "11111111-2222-4333-8444-555555555555", "item_type": "task", "title": "x", "created_by": "all"}
    answers = at_once(wires, lambda _, wire: wire.call("create_work_item", **call))
    assert not any(answer.get("isError") for answer in answers)
    assert {structured(answer)["version"] for answer in answers} == {1}
    assert structured(wires[0].call("list_work_items"))["total_count"] == before + 1


def test_two_halves_of_a_cycle_are_not_both_linked(wires: list[Wire]) -> None:
    one, two = (structured(wires[0].call("create_work_item", item_type="task", title=title)) for title in "ab")
    answers = at_once(
        wires[:2],
        lambda number, wire: wire.call(
            "link_work_items",
            source_id=(one, two)[number]["id"],
            target_id=(two, one)[number]["id"],
            dependency_type="depends_on",
        ),
    )
    assert sorted(structured(answer).get("error", "") for answer in answers) == ["", "CycleError"]


def test_mixed_operations_of_ten_servers_lose_nothing_and_are_never_busy(wires: list[Wire]) -> None:
    shared = structured(wires[0].call("create_work_item", item_type="task", title="shared"))
    wires[0].call("create_vendor", name="shared")
    lists = ("list_work_items", "list_deployments")
    before = {tool: structured(wires[0].call(tool))["total_count"] for tool in lists}

    def work(number: int, wire: Wire) -> Counter[str]:
        reported: Counter[str] = Counter()
        choice = random.Random(number)

        def call(tool: str, **arguments: Any) -> dict[str, Any]:
            answer = structured(wire.call(tool, **arguments))
            reported[answer.get("error", tool)] += 1
            assert answer.get("error") in (None, "VersionMismatchError"), answer
            return answer

        for turn in range(OPERATIONS):
            kind = choice.randrange(6)
            if kind == 0:
                call("create_work_item", item_type="task", title=f"item {number} {turn}")
            elif kind == 1:
                version = call("query_work_item", id=shared["id"])["version"]
                call("update_work_item", id=shared["id"], version=version, metadata={f"{number} {turn}": turn})
            elif kind == 2:
                version = call("query_vendor_status", name="shared")["version"]
                call("update_vendor_status", name="shared", version=version, metadata={f"{number} {turn}": turn})
            elif kind == 3:
                call("record_deployment", metadata={"pr_number": turn + 1}, work_item_ids=[shared["id"]])
            elif kind == 4:
                call("generate_full_status")
            else:
                call("search_work_items", query="item")
        return reported

    reported = sum(at_once(wires, work), Counter[str]())
    after = {tool: structured(wires[0].call(tool))["total_count"] for tool in lists}
    assert after["list_work_items"] - before["list_work_items"] == reported["create_work_item"]
    assert after["list_deployments"] - before["list_deployments"] == reported["record_deployment"]
    item = structured(wires[0].call("query_work_item", id=shared["id"]))
    vendor = structured(wires[0].call("query_vendor_status", name="shared"))
    assert len(item["metadata"]) == item["version"] - 1 == reported["update_work_item"]
    assert len(vendor["metadata"]) == vendor["version"] - 1 == reported["update_vendor_status"]


def test_an_acknowledged_write_survives_the_death_of_its_server(laptop: Laptop) -> None:
    made: dict[str, str] = {}
    for number in range(3):
        with Wire(laptop) as wire:
            for turn in range(3):
                title = f"{number} {turn}"
                made[structured(wire.call("create_work_item", item_type="task", title=title))["id"]] = title
            os.kill(wire.process.pid, 9)
            wire.process.wait()
    with Wire(laptop) as wire:
        listed = structured(wire.call("list_work_items", limit=100))
        assert {item["id"]: item["title"] for item in listed["items"]} == made
        for number in range(3):
            found = structured(wire.call("search_work_items", query=f"{number}"))["items"]
            assert found


def test_a_server_killed_amid_its_writes_leaves_each_of_them_whole_or_absent(laptop: Laptop) -> None:
    with Wire(laptop) as wire:
        item = structured(wire.call("create_work_item", item_type="task", title="0"))
        for number in range(1, 200):
            call = {"name": "update_work_item", "arguments": {"id": item["id"], "version": number, "title": f"{number}"}}
            wire.send(json.dumps({"jsonrpc": "2.0", "id": f"n{number}", "method": "tools/call", "params": call}))
        answered = structured(wire.message()["result"])["version"]
        os.kill(wire.process.pid, 9)
        wire.process.wait()
    with Wire(laptop) as wire:
        kept = structured(wire.call("query_work_item", id=item["id"]))
        assert kept["version"] >= answered
        assert kept["title"] == f"{kept['version'] - 1}"
        changes = structured(wire.call("get_history", entity="work_item", id=item["id"], limit=500))["changes"]
        assert [change["version"] for change in changes] == list(range(kept["version"], 0, -1))


def test_a_server_that_dies_leaves_the_others_working(start: Start, laptop: Laptop) -> None:
    agent = start()
    with Wire(laptop) as wire:
        item = structured(wire.call("create_work_item", item_type="task", title="x"))
        os.kill(wire.process.pid, 9)
        wire.process.wait()
        assert agent.update(agent.read(item), title="y")["version"] == 2
