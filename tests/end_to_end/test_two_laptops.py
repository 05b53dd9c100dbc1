"""Two laptops and PostgreSQL, all real: what one writes the other sees, and so does psql, both ways."""

from __future__ import annotations

from functools import partial
from typing import Any

import psycopg
import pytest
from contract.agent import Agent, Answer, Refusal, working
from contract.laptop import Laptop
from waiting import until

from end_to_end.conftest import NewLaptop
from end_to_end.stores import one, replica_rows, server_rows

A_SECOND = 1.0


def vendor(agent: Agent, name: str = "Alder") -> Answer:
    return agent.call("query_vendor_status", name=name)


def vendor_version_in(laptop: Laptop) -> int:
    """What stands in the file, without anybody asking the server."""
    return one(laptop, "SELECT coalesce(max(version), 0) FROM vendor_extractors") or 0


def has_version(laptop: Laptop, version: int) -> bool:
    return vendor_version_in(laptop) == version


def test_a_change_reaches_the_other_replica_by_itself_within_a_second_both_ways(new_laptop: NewLaptop) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    with working(a) as on_a, working(b) as on_b:
        on_b.call("sync_status")
        version = on_a.call("create_vendor", name="Alder")["version"]
        until(lambda: vendor_version_in(b) == version, A_SECOND)
        for writer, other in ((on_b, a), (on_a, b), (on_b, a)):
            version = writer.call("update_vendor_status", name="Alder", version=version, operational=version % 2 == 0)[
                "version"
            ]
            until(partial(has_version, other, version), A_SECOND)


def test_an_update_typed_into_psql_raises_the_version_and_reaches_every_replica(
    new_laptop: NewLaptop, database_url: str
) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    with working(a) as on_a, working(b) as on_b:
        on_a.call("create_vendor", name="Alder", operational=True)
        on_a.call("sync_now")
        on_b.call("sync_now")
        with psycopg.connect(database_url, autocommit=True) as psql:
            psql.execute("UPDATE localfirst.vendor_extractors SET operational = false WHERE name = 'Alder'")
        for laptop in (a, b):
            until(partial(has_version, laptop, 2), A_SECOND)
        for agent in (on_a, on_b):
            assert (vendor(agent)["status"], vendor(agent)["version"]) == ("broken", 2)
            assert vendor(agent)["data_source"] == "postgresql"


def test_what_another_laptop_has_changed_is_not_taken_back(new_laptop: NewLaptop) -> None:
    with working(new_laptop("a"), "ann") as on_a, working(new_laptop("b"), "bob") as on_b:
        item = on_a.create("ours")
        on_a.call("sync_now")
        on_b.call("sync_now")
        on_b.update(on_b.read(item), status="blocked")
        on_b.call("sync_now")
        refusal = on_a.refused("undo")
        assert (refusal.kind, refusal.details["updated_by"]) == ("VersionMismatchError", "bob")
        on_b.call("undo")
        on_b.call("sync_now")
        on_a.call("sync_now")
        assert (on_a.read(item)["status"], on_a.read(item)["version"]) == ("active", 3)


def test_inserts_and_deletes_typed_into_psql_reach_every_replica(new_laptop: NewLaptop, database_url: str) -> None:
    with working(new_laptop("a")) as agent:
        agent.call("sync_now")
        with psycopg.connect(database_url, autocommit=True) as psql:
            psql.execute("INSERT INTO localfirst.vendor_extractors (name) VALUES ('Typed')")
            assert vendor(agent, "Typed")["version"] == 1
            psql.execute("DELETE FROM localfirst.vendor_extractors WHERE name = 'Typed'")
        with pytest.raises(Refusal) as refused:
            vendor(agent, "Typed")
        assert refused.value.kind == "NotFoundError"


def test_a_transaction_that_commits_late_is_not_skipped(new_laptop: NewLaptop, database_url: str) -> None:
    with working(new_laptop("a")) as agent:
        agent.call("sync_now")
        with psycopg.connect(database_url) as early, psycopg.connect(database_url) as late:
            late.execute("INSERT INTO localfirst.vendor_extractors (name) VALUES ('Late')")
            early.execute("INSERT INTO localfirst.vendor_extractors (name) VALUES ('Early')")
            early.commit()
            assert vendor(agent, "Early")["version"] == 1
            # A push meanwhile takes numbers too; the open transaction holds up nobody.
            agent.call("create_vendor", name="Between")
            assert agent.call("sync_now")["success"]
            late.commit()
        assert vendor(agent, "Late")["version"] == 1
        assert agent.call("list_vendors")["total_count"] == 3


def test_the_same_row_changed_on_both_laptops_while_apart_is_merged_or_kept_whole(
    new_laptop: NewLaptop, database_url: str
) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    with working(a) as on_a, working(b) as on_b:
        task = on_a.call("create_work_item", item_type="task", title="Base", metadata={"priority": "low", "k": 1})
        on_a.call("sync_now")
        on_b.call("sync_now")
    away: dict[str, Any] = {"LOCALFIRST_DATABASE_URL": ""}
    with working(a, "ann", **away) as on_a, working(b, "bob", **away) as on_b:
        on_a.call("update_work_item", id=task["id"], version=1, title="From A", metadata={"priority": "high"})
        on_b.call("update_work_item", id=task["id"], version=1, title="From B", metadata={"k": 2})
        on_b.call("update_work_item", id=task["id"], version=2, status="completed")
    with working(a) as on_a:
        on_a.call("sync_now")
    with working(b) as on_b, working(a) as on_a:
        on_b.call("sync_now")
        on_a.call("sync_now")
        seen = [agent.call("query_work_item", id=task["id"]) for agent in (on_a, on_b)]
        conflicts = [agent.call("list_conflicts")["conflicts"] for agent in (on_a, on_b)]
        histories = [agent.call("get_history", entity="work_item", id=task["id"])["changes"] for agent in (on_a, on_b)]
    for item in seen:
        assert item["title"] == "From A", "the server's value stands"
        assert item["status"] == "completed", "what only B touched is merged"
        assert item["metadata"] == {"priority": "high", "k": 2}
        assert item["version"] > 3, "past both branches"
        assert "conflict_pending" in item["warnings"]
    assert conflicts[0] == conflicts[1], "the same on every laptop"
    (conflict,) = conflicts[0]
    assert conflict["fields"] == ["title"]
    assert [conflict[side]["title"] for side in ("base", "mine", "theirs")] == ["Base", "From B", "From A"]
    assert conflict["my_by"] == "bob"
    assert histories[0] == histories[1]
    assert {change["outcome"] for change in histories[0]} == {"accepted", "merged", "lost"}
    assert replica_rows(a) == replica_rows(b) == server_rows(database_url)


def test_what_was_not_sent_is_said_at_the_next_start_and_goes_out_then(new_laptop: NewLaptop, database_url: str) -> None:
    laptop = new_laptop("a")
    with working(laptop) as agent:
        agent.call("sync_now")
    with working(laptop, LOCALFIRST_DATABASE_URL=f"{database_url}&port=1") as agent:
        created = agent.call("create_vendor", name="Offline")
        assert created["warnings"] in ([], ["database_unavailable"])
        assert created["pending_sync"]
    with working(laptop) as agent:
        assert "not on the server yet" in agent.call("list_vendors")["announcement"]
        assert "announcement" not in agent.call("list_vendors")
        agent.call("sync_now")
        assert agent.call("sync_status")["pending_mutations"] == 0
    assert [row["name"] for row in server_rows(database_url)["vendor_extractors"].values()] == ["Offline"]


def test_the_last_change_is_pushed_on_exit(new_laptop: NewLaptop, database_url: str) -> None:
    with working(new_laptop("a")) as agent:
        agent.call("sync_now")
        agent.call("create_vendor", name="At the last moment")
    assert len(server_rows(database_url)["vendor_extractors"]) == 1


def test_two_laptops_that_create_the_same_vendor_offline_end_with_one(new_laptop: NewLaptop, database_url: str) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    away: dict[str, Any] = {"LOCALFIRST_DATABASE_URL": ""}
    with working(a, **away) as on_a, working(b, **away) as on_b:
        on_a.call("create_vendor", name="Züri Re", metadata={"extractor_version": "1"})
        on_b.call("create_vendor", name="Züri Re", metadata={"manifest_compliant": True})
    for laptop in (a, b, a):
        with working(laptop) as agent:
            agent.call("sync_now")
    (row,) = server_rows(database_url)["vendor_extractors"].values()
    assert row["metadata"] == {"extractor_version": "1", "manifest_compliant": True}
    assert replica_rows(a) == replica_rows(b) == server_rows(database_url)


def test_of_two_claims_made_on_two_laptops_one_wins(new_laptop: NewLaptop) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    with working(a, "ann") as on_a, working(b, "bob") as on_b:
        task = on_a.call("create_work_item", item_type="task", title="Wanted")
        on_a.call("sync_now")
        on_b.call("sync_now")
        assert on_a.call("claim_work_item", id=task["id"])["claimed_by"].startswith("ann/")
        with pytest.raises(Refusal) as refused:
            on_b.call("claim_work_item", id=task["id"])
        assert refused.value.details["claimed_by"].startswith("ann/")
        assert on_b.call("query_work_item", id=task["id"])["claimed_by"].startswith("ann/")
