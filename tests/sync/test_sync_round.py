"""Rounds with real replicas and a real PostgreSQL: what one writes the others get, whatever happens on the way."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
from localfirst_schema.entities import ENTITIES, VENDOR, WORK_ITEM
from localfirst_schema.errors import UnavailableError
from localfirst_sync.lock import HeldElsewhere, ReplicaLock
from localfirst_sync.ports import BEGINNING, Fenced, Identity, Push, Pushed
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.postgres.pull import pull
from localfirst_sync.round import push_outbox, sync_round
from sync_editing import edit
from sync_laptop import Laptop, NewLaptop, Reached, laptops
from sync_looking import assert_gapless, conflicts, head, history, misplaced
from sync_sender import task
from sync_sink import Collected

from localfirst.replica.act import act
from localfirst.replica.connection import connect
from localfirst.replica.local_store import ReplicaStore
from localfirst.replica.rows import find

pytestmark = pytest.mark.lines


@pytest.fixture
def new_laptop(tmp_path: Path, reached: Reached) -> Iterator[NewLaptop]:
    with laptops(tmp_path, reached) as make:
        yield make


def level(*laptops: Laptop) -> None:
    for _ in range(3):
        for laptop in laptops:
            laptop.sync()


def test_what_one_writes_the_other_gets(new_laptop: NewLaptop) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    item = a.create(WORK_ITEM, **task())
    a.create(VENDOR, name="Alder", operational=True, metadata={})
    done = a.sync()
    assert (done.pushed, done.pulled) == (2, 1)  # the configuration, with which PostgreSQL starts a project
    assert b.sync()[:2] == (0, 3)
    found = find(b.replica, WORK_ITEM, item)
    assert found is not None
    assert (found["title"], found["version"]) == ("A task", 1)


def test_a_round_with_nothing_to_do_takes_no_lock_and_writes_nothing(new_laptop: NewLaptop, tmp_path: Path) -> None:
    a = new_laptop("a")
    a.create(WORK_ITEM, **task())
    level(a)
    before = a.replica.execute("PRAGMA data_version").get, a.local.identity()
    with ReplicaLock(tmp_path / "a.lock").held(0):
        assert a.sync()[:4] == (0, 0, 0, 0)
    assert (a.replica.execute("PRAGMA data_version").get, a.local.identity()) == before
    a.create(WORK_ITEM, **task())
    with ReplicaLock(tmp_path / "a.lock").held(0), pytest.raises(HeldElsewhere):
        a.sync()
    assert a.sync().pushed == 1


def test_own_changes_that_are_all_accepted_are_not_pulled_back(new_laptop: NewLaptop) -> None:
    a = new_laptop("a")
    level(a)
    a.create(WORK_ITEM, **task())
    cursor = a.local.cursor()
    done = a.sync()
    assert (done.pushed, done.pulled, done.head.seq) == (1, 0, cursor.seq + 1)
    assert a.local.cursor() == done.head


def test_a_large_queue_goes_in_batches(new_laptop: NewLaptop, server: Connection) -> None:
    a = new_laptop("a")
    for n in range(25):
        a.create(WORK_ITEM, **task(f"number {n}"))
    logged: list[tuple[int, int, str]] = []
    done = sync_round(a.local, a.remote, a.lock, batch=10, progress=lambda *each: logged.append(each))
    assert done.pushed == 25
    assert [each for each in logged if each[2] == "push"] == [(10, 25, "push"), (20, 25, "push"), (25, 25, "push")]
    assert_gapless(server)


class Unlucky:
    """The server, whose answers get lost on the way."""

    def __init__(self, remote: Any) -> None:
        self.remote = remote
        self.losses = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self.remote, name)

    def push(self, identity: Identity, push: Push) -> Pushed:
        answer: Pushed = self.remote.push(identity, push)
        if self.losses:
            self.losses -= 1
            raise UnavailableError("lost on the way", cause="connection")
        return answer


def test_a_lost_answer_is_asked_for_again(new_laptop: NewLaptop, server: Connection) -> None:
    a = new_laptop("a")
    item = a.create(WORK_ITEM, **task())
    unlucky: Any = Unlucky(a.remote)
    with pytest.raises(UnavailableError):
        sync_round(a.local, unlucky, a.lock)
    a.change(WORK_ITEM, item, title="changed meanwhile")
    assert sync_round(a.local, unlucky, a.lock).pushed == 2
    assert history(server, item) == [(1, "accepted"), (2, "accepted")]
    assert a.local.pending_count() == 0


@pytest.mark.parametrize("pending", [False, True])
@pytest.mark.parametrize("copy_writes", [1, 4])
def test_a_copied_replica_takes_a_new_identity_and_keeps_its_queue(
    new_laptop: NewLaptop, tmp_path: Path, server: Connection, pending: bool, copy_writes: int
) -> None:
    a = new_laptop("a")
    a.create(WORK_ITEM, **task("before"))
    level(a)
    if pending:
        a.create(WORK_ITEM, **task("queued before the copy"))
    a.replica.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(tmp_path / "a", tmp_path / "copy")
    copy = new_laptop("copy")
    for n in range(2):
        a.create(WORK_ITEM, **task(f"original {n}"))
    for n in range(copy_writes):
        copy.create(WORK_ITEM, **task(f"copy {n}"))
    level(a, copy)
    assert a.local.identity().replica_id != copy.local.identity().replica_id
    titles = [str(title) for (title,) in server.execute("SELECT title FROM localfirst.work_items").fetchall()]
    assert len(titles) == len(set(titles)) == 3 + pending + copy_writes
    items = ([comparable(row) for row in laptop.displayed()["work_items"]] for laptop in (a, copy))
    assert differences(*items) == []
    assert_gapless(server)


@pytest.mark.parametrize("seed", range(12))
def test_replicas_and_server_converge(new_laptop: NewLaptop, server: Connection, project: str, seed: int) -> None:
    chance = random.Random(seed)
    laptops = [new_laptop(name) for name in ("a", "b", "c")]
    for _ in range(60):
        laptop = chance.choice(laptops)
        if chance.random() < 0.2:
            laptop.sync()
        elif chance.random() < 0.05:
            server.execute(
                "UPDATE localfirst.work_items SET title = 'psql'"
                " WHERE id = (SELECT min(id::text)::uuid FROM localfirst.work_items)"
            )
        else:
            edit(laptop, chance)
    level(*laptops)
    assert [laptop.local.pending_count() for laptop in laptops] == [0, 0, 0]
    sink = Collected()
    assert pull(server, project, BEGINNING, sink) == head(server)
    assert_gapless(server)
    assert misplaced(server) == []
    for entity in ENTITIES:
        on_server = [
            comparable(dict(zip(entity.column_names, found, strict=True)))
            for found in sorted(sink.tables.get(entity.table, []), key=lambda row: str(row[0]))
        ]
        for laptop in laptops:
            assert differences([comparable(row) for row in laptop.displayed()[entity.table]], on_server) == [], laptop.path.name
    assert {conflict["resolved_at"] for conflict in conflicts(server)} <= {None}


def differences(here: list[dict[str, Any]], there: list[dict[str, Any]]) -> list[str]:
    """What differs, row by row, in words."""
    ours, theirs = ({row["id"]: row for row in rows} for rows in (here, there))
    found = [f"{row_id}: only in the replica" for row_id in ours.keys() - theirs.keys()]
    found += [f"{row_id}: only on the server" for row_id in theirs.keys() - ours.keys()]
    for row_id in ours.keys() & theirs.keys():
        one, other = ours[row_id], theirs[row_id]
        found += [
            f"{row_id}: {name} is {one[name]} and {other[name]} on the server" for name in one if one[name] != other[name]
        ]
    return found


def comparable(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: json.loads(row[name]) for name in ("metadata", "requires_constitutional_principles") if row.get(name)}


def test_acknowledging_twice_is_the_replica_s_error(new_laptop: NewLaptop) -> None:
    a = new_laptop("a")
    a.create(WORK_ITEM, **task())
    a.local.begin_round()
    push = a.local.next_push(10)
    assert push is not None
    a.local.acknowledge(push, a.remote.push(a.local.identity(), push))
    assert a.local.pending_count() == 0
    assert isinstance(a.replica, apsw.Connection)


def test_what_a_rebase_has_raised_does_not_fall_when_it_is_accepted(new_laptop: NewLaptop, server: Connection) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    item = a.create(WORK_ITEM, **task())
    level(a, b)
    a.change(WORK_ITEM, item, title="mine")
    a.change(WORK_ITEM, item, status="blocked")
    a.replica.execute("UPDATE work_items SET version = 9 WHERE id = ?", (item,))  # as after a rebase on what is there no more
    level(a, b)
    assert history(server, item) == [(1, "accepted"), (2, "accepted"), (10, "merged")]
    for laptop in (a, b):
        displayed = find(laptop.replica, WORK_ITEM, item)
        assert displayed is not None
        assert (displayed["title"], displayed["status"], displayed["version"]) == ("mine", "blocked", 10)


def test_a_round_that_is_overtaken_by_one_with_another_id_does_not_take_the_server_for_restored(new_laptop: NewLaptop) -> None:
    a = new_laptop("a")
    a.create(WORK_ITEM, **task("first"))
    a.sync()
    a.create(WORK_ITEM, **task("second"))
    other = ReplicaStore(connect(a.path))

    class Overtaken(ReplicaStore):
        def next_push(self, limit: int) -> Push | None:
            push = super().next_push(limit)
            other.begin_round()
            other.take_new_identity()
            return push

    overtaken = Overtaken(connect(a.path))
    with closing(other), closing(overtaken), pytest.raises(Fenced):
        push_outbox(overtaken, a.remote)
    assert a.sync().restored is None
    assert a.local.pending_count() == 0


def test_what_is_below_an_item_that_is_created_again_as_a_root_moves_with_it(new_laptop: NewLaptop) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    top = a.create(WORK_ITEM, **task("top"))
    item = a.create(WORK_ITEM, **task("below"), parent_id=top)
    leaf = a.create(WORK_ITEM, **task("leaf"), parent_id=item)
    for row_id in (leaf, item):
        a.change(WORK_ITEM, row_id, deleted_at="2026-01-02T03:04:05.000006Z")
    with act(b.replica, "b") as one:
        one.change(WORK_ITEM, None, {"id": item, **task("a root")}, path=item, depth=0)
    level(a, b)
    for laptop in (a, b):
        found = find(laptop.replica, WORK_ITEM, leaf)
        assert found is not None
        assert (found["path"], found["depth"]) == (f"{item}/{leaf}", 1)


def test_a_row_that_somebody_holds_keeps_back_nothing_but_what_comes_after_it(
    new_laptop: NewLaptop, server: Connection, database_url: str
) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    held, other = a.create(WORK_ITEM, **task("held")), a.create(WORK_ITEM, **task("other"))
    level(a, b)
    with psycopg.connect(database_url) as psql:
        psql.execute("UPDATE localfirst.work_items SET status = 'blocked' WHERE id = %s", (held,))
        theirs = b.create(WORK_ITEM, **task("by b"))
        b.sync()
        a.change(WORK_ITEM, other, title="goes out")
        a.change(WORK_ITEM, held, title="has to wait")
        with pytest.raises(UnavailableError) as failed:
            a.sync()
        assert failed.value.details["cause"] == "busy"
        assert a.local.pending_count() == 1
        assert history(server, other) == [(1, "accepted"), (2, "accepted")]
        assert find(a.replica, WORK_ITEM, theirs) is not None
    a.sync()
    assert history(server, held) == [(1, "accepted"), (2, "accepted"), (3, "merged")]
