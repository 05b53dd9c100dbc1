"""Claims: who holds an item, until when, and what becomes of what a session that is gone has left behind."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from contract.agent import Agent, working
from contract.conftest import Start
from contract.laptop import Laptop


def until(answer: dict[str, str]) -> float:
    """Seconds from now until a claim ends."""
    return (datetime.fromisoformat(answer["claimed_until"]) - datetime.now(UTC)).total_seconds()


def await_end(agent: Agent, item: dict[str, str]) -> None:
    """Until the claim has lapsed, by the clock that says so (both are this machine's)."""
    left = until(agent.read(item))
    assert 0 < left < 7
    time.sleep(left)  # a clock is waited for, there is no event


def test_a_claim_is_no_change_of_the_item(agent: Agent, name: str) -> None:
    item = agent.create(name)
    claimed = agent.call("claim_work_item", id=item["id"])
    assert claimed["version"] == item["version"]
    assert 3500 < until(claimed) < 3700
    assert agent.update(item, title=f"{name} again")["version"] == item["version"] + 1
    assert len(agent.call("get_history", entity="work_item", id=item["id"])["changes"]) == 2


def test_two_sessions_of_one_client_name_are_two_claimants(start: Start, name: str) -> None:
    one, other = start(), start()
    item = one.create(name)
    mine = one.call("claim_work_item", id=item["id"])["claimed_by"]
    assert mine.startswith("tester/")
    refusal = other.refused("claim_work_item", id=item["id"])
    assert (refusal.kind, refusal.details["claimed_by"]) == ("InvalidStateError", mine)
    assert refusal.details["claimed_until"]
    assert "ready_work_items" in refusal.text
    assert item["id"] not in [row["id"] for row in other.call("ready_work_items", limit=100)["items"]]
    assert item["id"] in [row["id"] for row in one.call("ready_work_items", limit=100)["items"]]


def test_a_lease_that_has_ended_is_free_and_a_session_that_is_gone_leaves_its_item_to_another(laptop: Laptop) -> None:
    with working(laptop) as gone:
        item = gone.create("left behind")
        gone.call("claim_work_item", id=item["id"], lease_minutes=0.1)
    with working(laptop) as agent:
        assert agent.refused("claim_work_item", id=item["id"]).kind == "InvalidStateError"
        await_end(agent, item)
        assert agent.read(item)["claimed_by"] is None
        assert agent.call("claim_next")["item"]["id"] == item["id"]


def test_who_claims_under_a_name_holds_it_under_that_name(start: Start, name: str) -> None:
    one, other = start(), start()
    item = one.create(name)
    one.call("claim_work_item", id=item["id"], claimed_by="claude/old")
    assert other.call("claim_work_item", id=item["id"], claimed_by="claude/old")["claimed_by"] == "claude/old"
    assert other.call("release_work_item", id=item["id"], claimed_by="claude/old").get("claimed_by") is None


def test_a_claim_is_given_back_by_its_holder_by_force_and_when_nobody_has_it(agent: Agent, name: str) -> None:
    item = agent.create(name)
    assert "claimed_by" not in agent.call("release_work_item", id=item["id"])
    agent.call("claim_work_item", id=item["id"], claimed_by="another")
    refusal = agent.refused("release_work_item", id=item["id"])
    assert "force" in refusal.text
    assert "claimed_by" not in agent.call("release_work_item", id=item["id"], force=True)


@pytest.mark.parametrize("ending", ["completed", "deleted", "complete_work_item"])
def test_who_ends_an_item_gives_its_claim_back(agent: Agent, name: str, ending: str) -> None:
    item = agent.create(name)
    agent.call("claim_work_item", id=item["id"])
    if ending == "complete_work_item":
        done = agent.call("complete_work_item", id=item["id"])
    else:
        done = agent.update(item, **({"status": "completed"} if ending == "completed" else {"deleted": True}))
    assert done.get("claimed_by") is None
    again = {"deleted": False} if ending == "deleted" else {"status": "active"}
    assert agent.update(done, **again)["claimed_by"] is None


def test_a_change_of_what_somebody_else_holds_is_made_and_says_so(agent: Agent, name: str) -> None:
    item = agent.create(name)
    agent.call("claim_work_item", id=item["id"], claimed_by="another")
    changed = agent.update(item, title=f"{name} changed")
    assert changed["warnings"] == ["claimed_by_other"]
    assert changed["claimed_by"] == "another"
    assert agent.update(changed, title=name, updated_by="another")["warnings"] == []
    assert agent.call("complete_work_item", id=item["id"])["warnings"] == ["claimed_by_other"]


def test_a_call_of_the_holder_renews_a_claim_of_which_less_than_half_is_left(agent: Agent, name: str) -> None:
    item = agent.create(name)
    first = agent.call("claim_work_item", id=item["id"], lease_minutes=0.1)["claimed_until"]
    assert agent.read(item)["claimed_until"] == first, "more than half is left"
    time.sleep(3.2)  # more than half of the lease goes by
    agent.call("add_comment", id=item["ref"], body="still at it")
    assert until(agent.read(item)) > 4
    agent.call("undo")
    assert agent.call("list_comments", id=item["id"])["total_count"] == 0, "a renewal is no act that could be taken back"


def test_of_two_who_take_the_next_item_each_gets_one(start: Start) -> None:
    one, other = start(), start()
    low, high = one.create("low"), one.create("high", metadata={"priority": "high"})
    above = one.create("above")
    below = one.create("below", parent_id=above["id"], depends_on=[high["id"]])
    taken = one.call("claim_next", lease_minutes=5)["item"]
    assert taken["id"] == high["id"]
    assert taken["claimed_by"].startswith("tester/")
    assert taken["dependencies"][0]["related_item"]["id"] == below["id"]
    assert other.call("claim_next")["item"]["id"] == low["id"]
    assert one.call("claim_next")["item"] is None, "what it holds itself is passed over too"
    one.call("complete_work_item", id=high["id"])
    next_one = one.call("claim_next", under=above["ref"])["item"]
    assert (next_one["id"], next_one["parents"]) == (below["id"], ["above"])


def test_undo_takes_a_claim_back_and_leaves_it_alone_beside_data(agent: Agent, name: str) -> None:
    item = agent.create(name)
    agent.call("claim_work_item", id=item["id"])
    agent.call("undo")
    assert agent.read(item)["claimed_by"] is None
    agent.call("claim_work_item", id=item["id"])
    agent.call("complete_work_item", id=item["id"])
    agent.call("claim_work_item", id=agent.create(f"{name} other")["id"])
    agent.call("undo")
    agent.call("complete_work_item", id=item["id"], comment="twice does nothing")
    assert agent.read(item)["status"] == "completed"
