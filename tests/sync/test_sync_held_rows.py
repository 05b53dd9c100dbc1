"""Rows that somebody's open transaction holds: what does not need them passes, in the order that its meaning needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from localfirst_schema.entities import VENDOR, WORK_ITEM, WORK_ITEM_COMMENT, WORK_ITEM_DEPENDENCY
from localfirst_schema.errors import UnavailableError
from localfirst_sync.ports import Identity, Push, Pushed
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.postgres.store import PostgresStore
from localfirst_sync.round import sync_round
from sync_laptop import Laptop, NewLaptop, laptops
from sync_looking import assert_gapless, conflicts, history, misplaced
from sync_sender import task

from localfirst.replica.act import act
from localfirst.replica.rows import find

pytestmark = pytest.mark.lines


@pytest.fixture
def new_laptop(tmp_path: Path, far_url: str) -> Iterator[NewLaptop]:
    with laptops(tmp_path, far_url) as make:
        yield make


@contextmanager
def holding(database_url: str, row_id: str) -> Iterator[None]:
    """An open transaction that has changed this work item, and is rolled back in the end."""
    with psycopg.connect(database_url) as psql:
        psql.execute("UPDATE localfirst.work_items SET status = 'blocked' WHERE id = %s", (row_id,))
        yield
        psql.rollback()


def held_up(laptop: Laptop, *, batch: int = 2000) -> None:
    """A round that ends with something still waiting for rows."""
    with pytest.raises(UnavailableError) as failed:
        sync_round(laptop.local, laptop.remote, laptop.lock, batch=batch)
    assert failed.value.details["cause"] == "busy"


def on_server(server: Connection, row_id: str) -> list[int]:
    return [version for version, _ in history(server, row_id)]


@pytest.mark.parametrize("batch", [1, 2, 2000])
def test_what_needs_no_held_row_passes_whatever_waits_before_it(
    new_laptop: NewLaptop, server: Connection, database_url: str, batch: int
) -> None:
    a = new_laptop("a")
    held, other = a.create(WORK_ITEM, **task("held")), a.create(WORK_ITEM, **task("other"))
    a.sync()
    with holding(database_url, held):
        a.change(WORK_ITEM, held, title="waits")
        a.change(WORK_ITEM, other, title="passes")
        a.change(WORK_ITEM, held, status="completed")
        new = a.create(WORK_ITEM, **task("new"))
        vendor = a.create(VENDOR, name="Alder", operational=True, metadata={})
        below = a.create(WORK_ITEM, **task("below it"), parent_id=held)  # it refers to what exists, which nobody minds
        held_up(a, batch=batch)
        assert a.local.pending_count() == 3, "the two changes of the row, and what hangs below it"
        assert [on_server(server, one) for one in (held, other, new, vendor, below)] == [[1], [1, 2], [1], [1], []]
        later = a.create(WORK_ITEM, **task("made while it is held"))
        held_up(a, batch=batch)
        assert on_server(server, later) == [1]
    a.sync()
    assert a.local.pending_count() == 0
    assert [on_server(server, one) for one in (held, below)] == [[1, 2, 3], [1]]
    found = find(a.replica, WORK_ITEM, held)
    assert found is not None
    assert (found["title"], found["status"], found["version"]) == ("waits", "completed", 3)
    assert not conflicts(server)
    assert_gapless(server)


def test_an_act_stays_whole_and_what_must_follow_it_follows(
    new_laptop: NewLaptop, server: Connection, database_url: str
) -> None:
    a = new_laptop("a")
    held, moved = a.create(WORK_ITEM, **task("held")), a.create(WORK_ITEM, **task("moved"))
    first, second = a.create(WORK_ITEM, **task("first")), a.create(WORK_ITEM, **task("second"))
    a.sync()
    with holding(database_url, held):
        before, beside = find(a.replica, WORK_ITEM, held), find(a.replica, WORK_ITEM, moved)
        with act(a.replica, "a") as one:
            one.change(WORK_ITEM, before, {"title": "one act"})
            one.change(WORK_ITEM, beside, {"title": "with this"})
        comment = a.create(WORK_ITEM_COMMENT, work_item_id=moved, body="about it")
        a.change(WORK_ITEM, moved, status="blocked")
        link = a.create(WORK_ITEM_DEPENDENCY, work_item_id=first, depends_on_id=second, dependency_type="blocks")
        held_up(a)
        assert [on_server(server, row) for row in (held, moved, comment, link)] == [[1], [1], [], [1]]
    a.sync()
    assert [on_server(server, row) for row in (held, moved, comment)] == [[1, 2], [1, 2, 3], [1]]
    assert not conflicts(server)


def test_a_move_waits_for_what_is_held_below_and_a_reference_for_a_row_that_is_to_go(
    new_laptop: NewLaptop, server: Connection, database_url: str
) -> None:
    a = new_laptop("a")
    top, target = a.create(WORK_ITEM, **task("top")), a.create(WORK_ITEM, **task("target"))
    leaf = a.create(WORK_ITEM, **task("leaf"), parent_id=top)
    other, locked = a.create(WORK_ITEM, **task("other")), a.create(WORK_ITEM, **task("locked"))
    a.sync()
    with holding(database_url, leaf), psycopg.connect(database_url) as psql:
        psql.execute("SELECT FROM localfirst.work_items WHERE id = %s FOR UPDATE", (locked,))
        a.change(WORK_ITEM, top, parent_id=target)
        child = a.create(WORK_ITEM, **task("child"), parent_id=locked)
        a.change(WORK_ITEM, other, title="passes")
        held_up(a)
        assert [on_server(server, row) for row in (top, child, other)] == [[1], [], [1, 2]]
        psql.rollback()
    a.sync()
    assert [on_server(server, row) for row in (top, child)] == [[1, 2], [1]]
    assert not misplaced(server)


def test_a_reference_to_what_was_changed_and_then_deleted_waits_and_stops_nobody(
    new_laptop: NewLaptop, server: Connection, database_url: str
) -> None:
    a = new_laptop("a")
    going, other = a.create(WORK_ITEM, **task("going")), a.create(WORK_ITEM, **task("other"))
    a.sync()
    with psycopg.connect(database_url) as psql:
        psql.execute("UPDATE localfirst.work_items SET title = 'changed' WHERE id = %s", (going,))
        psql.execute("DELETE FROM localfirst.work_items WHERE id = %s", (going,))
        child = a.create(WORK_ITEM, **task("child"), parent_id=going)
        a.change(WORK_ITEM, other, title="passes")
        held_up(a)
        assert [on_server(server, row) for row in (child, other)] == [[], [1, 2]]
        psql.rollback()
    a.sync()
    assert on_server(server, child) == [1]


class _Unheard(PostgresStore):
    """A server whose first answer to a push is lost."""

    is_lost = False

    def push(self, identity: Identity, push: Push) -> Pushed:
        answer = super().push(identity, push)
        if not self.is_lost:
            self.is_lost = True
            raise UnavailableError("the answer is lost", cause="connection")
        return answer


def test_what_the_server_has_had_keeps_its_numbers(new_laptop: NewLaptop, server: Connection, database_url: str) -> None:
    a = new_laptop("a")
    held, other = a.create(WORK_ITEM, **task("held")), a.create(WORK_ITEM, **task("other"))
    a.sync()
    a.change(WORK_ITEM, held, title="had already")
    unheard = _Unheard(database_url, a.local.identity())
    with pytest.raises(UnavailableError):
        sync_round(a.local, unheard, a.lock)
    unheard.close()
    with holding(database_url, held):
        a.change(WORK_ITEM, held, title="waits")
        a.change(WORK_ITEM, other, title="passes")
        replica_id = a.local.identity().replica_id
        held_up(a)
        assert a.local.pending_count() == 1
        assert [on_server(server, row) for row in (held, other)] == [[1, 2], [1, 2]]
    a.sync()
    assert on_server(server, held) == [1, 2, 3]
    assert a.local.identity().replica_id == replica_id
    assert [outcome for _, outcome in history(server, held)] == ["accepted"] * 3
