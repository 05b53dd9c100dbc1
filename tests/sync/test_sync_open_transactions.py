"""An open transaction of somebody's psql, and what is committed beside it: paths, depths, circles, deletions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from localfirst_schema.identifiers import project_id
from localfirst_sync.postgres.connection import Connection, connect
from localfirst_sync.postgres.migrate import ensure_project
from sync_looking import assert_gapless, misplaced, reasons, row
from sync_sender import Sender, task

Psql = psycopg.Connection[tuple[object, ...]]
Move = Callable[[str, str | None], None]

IN_WORDS = "deeper than 5 levels, nor in a circle"


@pytest.fixture
def psql(database_url: str, server: Connection) -> Iterator[Psql]:
    """Somebody who keeps a transaction open."""
    with connect(database_url) as connection:
        yield connection


@pytest.fixture
def other(database_url: str, server: Connection) -> Iterator[Psql]:
    """Somebody else with psql."""
    with connect(database_url) as connection:
        yield connection


@pytest.fixture(params=("laptop", "psql"))
def move(request: pytest.FixtureRequest, ann: Sender, other: Psql) -> Move:
    """A move that is committed at once, by a laptop or by psql."""

    def by_laptop(item: str, parent: str | None) -> None:
        found = row(ann.server, item)
        before = None if found["parent_id"] is None else str(found["parent_id"])
        ann.change("work_item", item, found["version"], {"parent_id": (before, parent)})
        assert ann.push()[0].outcome in ("accepted", "merged")

    def by_psql(item: str, parent: str | None) -> None:
        put(other, item, parent)

    return by_laptop if request.param == "laptop" else by_psql


def insert(connection: Psql, parent: str | None = None, *, levels: int = 1) -> list[str]:
    """A chain of so many items below `parent`."""
    ids = []
    for _ in range(levels):
        found = connection.execute(
            "INSERT INTO localfirst.work_items (project_id, item_type, title, parent_id)"
            " SELECT h.project_id, 'task', 'an item', %s FROM localfirst.project_heads AS h ORDER BY h.head DESC LIMIT 1"
            " RETURNING id::text",
            (parent,),
        ).fetchone()
        assert found is not None
        parent = str(found[0])
        ids.append(parent)
    return ids


def put(connection: Psql, item: str, parent: str | None) -> None:
    connection.execute("UPDATE localfirst.work_items SET parent_id = %s WHERE id = %s", (parent, item))


def path(server: Connection, item: str) -> list[str]:
    return str(row(server, item)["path"]).split("/")


def assert_in_place(server: Connection) -> None:
    assert misplaced(server) == []
    assert_gapless(server)


@contextmanager
def opened(connection: Psql) -> Iterator[None]:
    """A transaction that is committed at the end, whatever that says."""
    connection.execute("BEGIN")
    yield
    connection.execute("COMMIT")


def test_what_was_put_below_an_item_follows_it_where_it_moved_meanwhile(server: Connection, psql: Psql, move: Move) -> None:
    (top,), (y,), (z, below) = insert(server), insert(server), insert(server, levels=2)
    with opened(psql):
        put(psql, z, y)
        move(y, top)
    assert path(server, below) == [top, y, z, below]
    assert_in_place(server)


def test_what_was_created_below_an_item_follows_it_where_it_moved_meanwhile(server: Connection, psql: Psql, move: Move) -> None:
    (top,), (y,) = insert(server), insert(server)
    with opened(psql):
        z, below = insert(psql, y, levels=2)
        move(y, top)
    assert path(server, below) == [top, y, z, below]
    assert_in_place(server)


def test_what_a_laptop_creates_below_an_item_that_is_being_moved(server: Connection, psql: Psql, ann: Sender) -> None:
    (top,), (y, z) = insert(server), insert(server, levels=2)
    with opened(psql):
        put(psql, y, top)
        made = ann.create("work_item", task(parent_id=z))
        assert ann.push()[0].outcome == "accepted"
    assert path(server, made) == [top, y, z, made]
    assert_in_place(server)


def test_what_is_moved_below_an_item_that_is_being_moved(server: Connection, psql: Psql, move: Move) -> None:
    (top,), (y,), (z, below) = insert(server), insert(server), insert(server, levels=2)
    with opened(psql):
        put(psql, y, top)
        move(z, y)
    assert path(server, below) == [top, y, z, below]
    assert_in_place(server)


def test_what_somebody_keeps_open_below_what_somebody_else_keeps_open(server: Connection, psql: Psql, other: Psql) -> None:
    (top,), (y,) = insert(server), insert(server)
    psql.execute("BEGIN")
    (z,) = insert(psql, y)
    with opened(other):
        put(other, y, top)
        psql.execute("COMMIT")
    assert path(server, z) == [top, y, z]
    assert_in_place(server)


def test_an_item_whose_parent_is_committed_after_it_was_inserted(server: Connection, psql: Psql, other: Psql) -> None:
    psql.execute("BEGIN")
    (parent,) = insert(psql)
    other.execute("BEGIN")
    (child,) = insert(other, parent)
    psql.execute("COMMIT")
    other.execute("COMMIT")
    assert path(server, child) == [parent, child]
    assert_in_place(server)


def test_a_tombstone_below_what_moved_meanwhile(server: Connection, psql: Psql, other: Psql) -> None:
    (top,), (y, z) = insert(server), insert(server, levels=2)
    with opened(psql):
        psql.execute("DELETE FROM localfirst.work_items WHERE id = %s", (z,))
        mover = threading.Thread(target=put, args=(other, y, top))  # waits for the row of the item that is being deleted
        mover.start()
        wait_for_a_lock(server)
    mover.join()
    assert path(server, z) == [top, y, z]
    assert_in_place(server)


def wait_for_a_lock(server: Connection) -> None:
    """Waits until somebody waits for a lock."""
    for _ in range(1000):
        if server.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone():
            return
        server.execute("SELECT pg_sleep(0.005)")
    raise AssertionError("nobody waits")


def test_two_moves_that_close_a_circle_together(server: Connection, psql: Psql, move: Move) -> None:
    (a,), (b,) = insert(server), insert(server)
    psql.execute("BEGIN")
    put(psql, a, b)
    move(b, a)
    with pytest.raises(psycopg.errors.CheckViolation, match=IN_WORDS):
        psql.execute("COMMIT")
    assert path(server, b) == [a, b]
    assert_in_place(server)


def test_two_moves_that_are_too_deep_together(server: Connection, psql: Psql, move: Move) -> None:
    tops, (y,), (z, _, _) = insert(server, levels=2), insert(server), insert(server, levels=3)
    psql.execute("BEGIN")
    put(psql, z, y)
    move(y, tops[-1])
    with pytest.raises(psycopg.errors.CheckViolation, match=IN_WORDS):
        psql.execute("COMMIT")
    assert row(server, z)["parent_id"] is None
    assert_in_place(server)


def test_what_a_laptop_creates_too_deep_below_what_is_being_moved(server: Connection, psql: Psql, ann: Sender) -> None:
    tops, (y, z) = insert(server, levels=3), insert(server, levels=2)
    psql.execute("BEGIN")
    put(psql, y, tops[-1])
    made = ann.create("work_item", task(parent_id=z))
    ann.push()
    with pytest.raises(psycopg.errors.CheckViolation, match=IN_WORDS):
        psql.execute("COMMIT")
    assert path(server, made) == [y, z, made]
    assert_in_place(server)


def test_a_parent_that_a_laptop_deletes_while_a_child_is_being_created(server: Connection, psql: Psql, ann: Sender) -> None:
    (y,) = insert(server)
    psql.execute("BEGIN")
    insert(psql, y)
    ann.delete("work_item", y, 1)
    assert ann.push()[0].outcome == "accepted"
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="has a deleted parent"):
        psql.execute("COMMIT")
    assert_in_place(server)


def test_a_parent_that_is_being_deleted_while_a_laptop_creates_a_child(server: Connection, psql: Psql, ann: Sender) -> None:
    (y,) = insert(server)
    psql.execute("BEGIN")
    psql.execute("UPDATE localfirst.work_items SET deleted_at = now() WHERE id = %s", (y,))
    ann.create("work_item", task(parent_id=y))
    assert ann.push()[0].outcome == "accepted"
    with pytest.raises(psycopg.errors.RestrictViolation, match="live children"):
        psql.execute("COMMIT")
    assert_in_place(server)


def test_dependencies_that_close_a_circle_together(server: Connection, psql: Psql, ann: Sender, project: str) -> None:
    (a,), (b,) = insert(server), insert(server)
    depend = "INSERT INTO localfirst.work_item_dependencies (work_item_id, depends_on_id) VALUES (%s, %s)"
    psql.execute("BEGIN")
    psql.execute(depend, (a, b))
    ann.create("work_item_dependency", {"work_item_id": b, "depends_on_id": a, "dependency_type": "depends_on"})
    assert ann.push()[0].outcome == "accepted"
    with pytest.raises(psycopg.errors.CheckViolation, match="cycle"):
        psql.execute("COMMIT")
    assert reasons(server) == []
    assert_gapless(server)


def test_a_commit_waits_for_a_held_row_before_it_takes_the_head(
    server: Connection, psql: Psql, other: Psql, database_url: str, ann: Sender
) -> None:
    (top,), (y,), (z,) = insert(server), insert(server), insert(server)
    psql.execute("BEGIN")
    put(psql, y, top)
    put(server, z, y)  # not below y when that was moved
    other.execute("BEGIN")
    other.execute("UPDATE localfirst.work_items SET title = 'held' WHERE id = %s", (z,))
    commit = threading.Thread(target=psql.execute, args=("COMMIT",))
    commit.start()
    wait_for_a_lock(server)
    begun = time.monotonic()
    ann.create("work_item", task())
    assert ann.push()[0].outcome == "accepted"
    assert time.monotonic() - begun < 1, "a push waited for a commit that waits for a row"
    other.execute("COMMIT")
    commit.join()
    assert path(server, z) == [top, y, z]
    assert_in_place(server)


def test_paths_that_older_versions_left_wrong_are_mended_by_the_migration(server: Connection, project: str) -> None:
    other_project = project_id("another")
    ensure_project(server, other_project, "another")
    top, middle, leaf = insert(server, levels=3)
    (far,) = insert(server)
    with server.transaction():
        server.execute("SELECT set_config('session_replication_role', 'replica', true)")
        put(server, middle, far)
        server.execute("UPDATE localfirst.work_items SET depth = 4 WHERE id = %s", (far,))
    assert misplaced(server) != []
    mended = server.execute("SELECT localfirst.mend_paths(%s)", (row(server, top)["project_id"],)).fetchone()
    assert mended == (3,)
    assert path(server, leaf) == [far, middle, leaf]
    assert misplaced(server) == []
