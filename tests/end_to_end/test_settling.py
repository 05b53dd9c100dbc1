"""Settling conflicts: by anyone, once, for everyone."""

from __future__ import annotations

from typing import Any

import pytest
from contract.agent import Answer, Refusal, working
from contract.laptop import Laptop
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.errors import ValidationError
from reading.world import call as calling

from end_to_end.conftest import NewLaptop
from end_to_end.stores import replica_rows, server_rows
from localfirst.client.session import Session
from localfirst.replica.rows import find
from localfirst.settings import load

AWAY: dict[str, Any] = {"LOCALFIRST_DATABASE_URL": ""}


def clash(a: Laptop, b: Laptop, *, of_a: Answer, of_b: Answer) -> Answer:
    """A task that both laptops change while apart, A reaching the server first; returns the task as it was."""
    with working(a) as on_a, working(b) as on_b:
        task = on_a.call("create_work_item", item_type="task", title="Base", metadata={"priority": "low", "kept": 1})
        on_a.call("sync_now")
        on_b.call("sync_now")
    with working(a, "ann", **AWAY) as on_a, working(b, "bob", **AWAY) as on_b:
        on_a.call("update_work_item", id=task["id"], version=1, **of_a)
        on_b.call("update_work_item", id=task["id"], version=1, **of_b)
    for laptop in (a, b, a):
        with working(laptop) as agent:
            agent.call("sync_now")
    return task


@pytest.mark.parametrize(
    ("resolution", "title", "priority"),
    [("mine", "From B", "high"), ("theirs", "From A", "medium"), ("merge", "Agreed", "medium")],
)
def test_anyone_settles_a_conflict_once_for_everyone(
    resolution: str, title: str, priority: str, new_laptop: NewLaptop, database_url: str
) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    of_a = {"title": "From A", "metadata": {"priority": "medium"}}
    of_b = {"title": "From B", "metadata": {"priority": "high"}, "status": "blocked"}
    task = clash(a, b, of_a=of_a, of_b=of_b)
    with working(a, "carol") as on_a, working(b) as on_b:
        (conflict,) = on_a.call("list_conflicts")["conflicts"]
        assert set(conflict["fields"]) == {"title", "metadata.priority"}
        before = on_a.call("query_work_item", id=task["id"])
        assert before["status"] == "blocked", "what did not clash is merged"
        more = {"fields": {"title": "Agreed", "metadata": {"priority": "medium"}}} if resolution == "merge" else {}
        settled = on_a.call("resolve_conflict", conflict_id=conflict["conflict_id"], resolution=resolution, **more)
        assert settled["version"] == before["version"] + 1
        on_a.call("sync_now")
        item = on_b.call("query_work_item", id=task["id"])
        assert (item["title"], item["metadata"], item["version"]) == (
            title,
            {"priority": priority, "kept": 1},
            settled["version"],
        )
        assert item["warnings"] == []
        assert on_b.call("list_conflicts")["total_count"] == 0
        with pytest.raises(Refusal) as again:
            on_b.call("resolve_conflict", conflict_id=conflict["conflict_id"], resolution="mine")
        assert again.value.kind == "InvalidStateError"
    assert replica_rows(a) == replica_rows(b) == server_rows(database_url)


def test_an_update_against_a_delete_is_settled_by_bringing_the_row_back(new_laptop: NewLaptop, database_url: str) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    task = clash(a, b, of_a={"deleted": True}, of_b={"title": "Still wanted"})
    with working(b) as on_b:
        (conflict,) = on_b.call("list_conflicts")["conflicts"]
        assert conflict["reason"] == "deleted"
        settled = on_b.call("resolve_conflict", conflict_id=conflict["conflict_id"], resolution="mine")
        assert (settled["title"], settled.get("deleted_at")) == ("Still wanted", None)
        on_b.call("sync_now")
    assert server_rows(database_url)["work_items"][task["id"]]["deleted_at"] is None


def test_what_was_deleted_after_the_conflict_stays_deleted(new_laptop: NewLaptop) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    task = clash(a, b, of_a={"title": "From A"}, of_b={"title": "From B"})
    with working(a) as on_a:
        item = on_a.call("query_work_item", id=task["id"])
        on_a.call("update_work_item", id=task["id"], version=item["version"], deleted=True)
        (conflict,) = on_a.call("list_conflicts")["conflicts"]
        refusal = on_a.refused("resolve_conflict", conflict_id=conflict["conflict_id"], resolution="mine")
        assert refusal.kind == "InvalidStateError"
        on_a.call("resolve_conflict", conflict_id=conflict["conflict_id"], resolution="theirs")
        assert on_a.call("query_work_item", id=task["id"])["deleted_at"] is not None


def test_a_deployment_recorded_offline_stands_although_its_work_item_was_deleted(
    new_laptop: NewLaptop, database_url: str
) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    with working(a) as on_a, working(b) as on_b:
        task = on_a.call("create_work_item", item_type="task", title="Ship it")
        on_a.call("sync_now")
        on_b.call("sync_now")
    with working(a, **AWAY) as on_a:
        metadata = {"pr_number": 1, "pr_title": "Shipped", "commit_hash": "a" * 40}
        shipped = on_a.call("record_deployment", metadata=metadata, work_item_ids=[task["id"]])
    with working(b) as on_b:
        on_b.call("update_work_item", id=task["id"], version=1, deleted=True)
        on_b.call("sync_now")
    with working(a) as on_a, working(b) as on_b:
        on_a.call("sync_now")
        on_b.call("sync_now")
        assert on_a.call("list_conflicts")["conflicts"] == []
        seen = on_b.call("query_deployment", id=shipped["id"])
        assert [item["id"] for item in seen["related_work_items"]] == [task["id"]]
    assert replica_rows(a) == replica_rows(b) == server_rows(database_url)


def test_two_settle_the_same_conflict_while_apart_and_the_first_stands(new_laptop: NewLaptop, database_url: str) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    task = clash(a, b, of_a={"title": "From A"}, of_b={"title": "From B"})
    with working(a, **AWAY) as on_a, working(b, **AWAY) as on_b:
        (conflict,) = on_a.call("list_conflicts")["conflicts"]
        on_a.call("resolve_conflict", conflict_id=conflict["conflict_id"], resolution="mine")
        on_b.call("resolve_conflict", conflict_id=conflict["conflict_id"], resolution="merge", fields={"title": "Third"})
    for laptop in (a, b, a):
        with working(laptop) as agent:
            agent.call("sync_now")
    with working(a) as on_a, working(b) as on_b:
        assert on_a.call("query_work_item", id=task["id"])["title"] == "From B"
        left = [agent.call("list_conflicts")["conflicts"] for agent in (on_a, on_b)]
        assert left[0] == left[1]
        assert [one["mine"]["title"] for one in left[0]] == ["Third"], (
            "the later one's words are kept, in a conflict of their own"
        )
    assert replica_rows(a) == replica_rows(b) == server_rows(database_url)


def test_a_merge_decides_every_field_that_clashes(new_laptop: NewLaptop, database_url: str) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    of_a = {"title": "From A", "metadata": {"priority": "medium", "deep": {"a": 1, "b": 1}}, "commit_hash": "a" * 40}
    of_b = {"title": "From B", "metadata": {"priority": "high", "deep": {"a": 2, "b": 2}}, "commit_hash": "b" * 40}
    task = clash(a, b, of_a=of_a, of_b=of_b)
    with working(a) as agent:
        (conflict,) = agent.call("list_conflicts")["conflicts"]
        call = {"conflict_id": conflict["conflict_id"], "resolution": "merge"}
        for fields, missing in (
            ({"title": "Agreed", "commit_hash": None}, ["metadata.deep.a", "metadata.deep.b", "metadata.priority"]),
            ({"metadata": {"priority": "low", "deep": {"b": 3}}}, ["commit_hash", "metadata.deep.a", "title"]),
            ({"title": "Agreed", "commit_hash": None, "metadata": {"deep": 1}}, ["metadata.priority"]),
        ):
            refusal = agent.refused("resolve_conflict", **call, fields=fields)
            assert (refusal.kind, refusal.details["missing"]) == ("ValidationError", missing), refusal
            assert all(name in refusal.text for name in missing)
        assert agent.call("query_work_item", id=task["id"])["title"] == "From A"
        metadata = {"priority": None, "deep": {"a": 3, "b": None}}
        agent.call("resolve_conflict", **call, fields={"title": "Agreed", "commit_hash": "C" * 40, "metadata": metadata})
        agent.call("sync_now")
        item = agent.call("query_work_item", id=task["id"])
        assert (item["title"], item["metadata"]) == ("Agreed", {"deep": {"a": 3}, "kept": 1})
        assert item["commit_hash"] == "c" * 40, "as every other tool writes it, and PostgreSQL takes it"
        assert agent.call("list_conflicts")["total_count"] == 0
    assert replica_rows(a) == server_rows(database_url)


def test_my_value_that_the_server_has_refused_is_not_sent_to_it_again(new_laptop: NewLaptop, database_url: str) -> None:
    laptop = new_laptop("a")
    session = Session(load(laptop.project, laptop.environment))
    assert session.link is not None
    try:
        item = calling(session, "create_work_item", item_type="task", title="Short")["id"]
        with session.act("another version") as act:
            act.change(WORK_ITEM, find(act.connection, WORK_ITEM, item), {"title": "long" * 60})
        assert session.link.sync(60) is not None
        (conflict,) = calling(session, "list_conflicts")["conflicts"]
        assert conflict["reason"].startswith("constraint")
        settling = {"conflict_id": conflict["conflict_id"], "resolution": "mine"}
        with pytest.raises(ValidationError, match=r"mine\.title .*settle this with theirs, or merge"):
            calling(session, "resolve_conflict", **settling)
        assert calling(session, "list_conflicts")["total_count"] == 1
        calling(session, "resolve_conflict", **settling | {"resolution": "merge", "fields": {"title": "Shorter"}})
        assert session.link.sync(60) is not None
        assert calling(session, "list_conflicts")["total_count"] == 0
        assert server_rows(database_url)["work_items"][item]["title"] == "Shorter"
    finally:
        session.close()


@pytest.mark.parametrize("resolution", ["mine", "merge"])
def test_my_act_is_taken_whole(resolution: str, new_laptop: NewLaptop, database_url: str) -> None:
    laptop = new_laptop("a")
    session = Session(load(laptop.project, laptop.environment))
    assert session.link is not None
    try:
        ids = [calling(session, "create_work_item", item_type="task", title=title)["id"] for title in ("one", "other")]
        with session.act("bob") as act:  # no tool changes two items at once; the write path can
            for item, title in zip(ids, ("long" * 60, "by bob"), strict=True):
                act.change(WORK_ITEM, find(act.connection, WORK_ITEM, item), {"title": title})
        assert session.link.sync(60) is not None
        clashes = {one["id"]: one for one in calling(session, "list_conflicts")["conflicts"]}
        assert clashes.keys() == set(ids)
        settling = {"conflict_id": clashes[ids[0]]["conflict_id"], "resolution": resolution}
        if resolution == "mine":
            with pytest.raises(ValidationError):
                calling(session, "resolve_conflict", **settling)
            assert calling(session, "list_conflicts")["total_count"] == 2, "all of it, or nothing"
        else:
            calling(session, "resolve_conflict", **settling, fields={"title": "short"})
            assert session.link.sync(60) is not None
            assert calling(session, "list_conflicts")["total_count"] == 0
            assert {item: server_rows(database_url)["work_items"][item]["title"] for item in ids} == {
                ids[0]: "short",
                ids[1]: "by bob",
            }
    finally:
        session.close()


def test_wrong_ways_to_settle_are_refused(new_laptop: NewLaptop) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    clash(a, b, of_a={"title": "From A"}, of_b={"title": "From B"})
    with working(a) as agent:
        (conflict,) = agent.call("list_conflicts")["conflicts"]
        name = conflict["conflict_id"]
        assert agent.refused("resolve_conflict", conflict_id=name, resolution="merge").kind == "ValidationError"
        assert (
            agent.refused("resolve_conflict", conflict_id=name, resolution="mine", fields={"title": "x"}).kind
            == "ValidationError"
        )
        wrong = {"title": "", "status": "completed", "version": 9, "bogus": 1}
        for field, value in [*wrong.items(), ("title", 5), ("title", None), ("title", "x" * 201)]:
            refusal = agent.refused("resolve_conflict", conflict_id=name, resolution="merge", fields={field: value})
            assert (refusal.kind, refusal.details["field"]) == ("ValidationError", f"fields.{field}"), refusal
        unknown = {"conflict_id": "00000000-0000-4000-8000-000000000000", "resolution": "mine"}
        assert agent.refused("resolve_conflict", **unknown).kind == "NotFoundError"
        assert agent.call("list_conflicts")["total_count"] == 1
