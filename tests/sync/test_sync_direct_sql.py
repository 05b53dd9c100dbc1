"""Any SQL client is a first-class writer: versions, history, tombstones and numbers come by themselves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from localfirst_schema.identifiers import natural_id, new_id, project_id
from localfirst_sync.ports import Busy, Cursor
from localfirst_sync.postgres.connection import Connection, connect
from localfirst_sync.postgres.migrate import ensure_project
from localfirst_sync.postgres.pull import pull
from sync_looking import assert_gapless, head, history, row
from sync_sender import Sender, task
from sync_sink import Collected


@pytest.fixture
def psql(database_url: str, server: Connection) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Another client, that knows nothing of the engine."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def insert(connection: Connection, title: str = "direct", parent: str | None = None) -> str:
    found = connection.execute(
        "INSERT INTO localfirst.work_items (item_type, title, parent_id) VALUES ('task', %s, %s) RETURNING id::text",
        (title, parent),
    ).fetchone()
    assert found is not None
    return str(found[0])


def test_insert_update_and_delete_get_versions_history_and_a_tombstone(server: Connection, psql: Connection) -> None:
    item = insert(psql)
    psql.execute(
        "UPDATE localfirst.work_items SET title = 'changed', version = 77, created_by = 'forged' WHERE id = %s", (item,)
    )
    psql.execute("DELETE FROM localfirst.work_items WHERE id = %s", (item,))
    found = row(server, item)
    assert (found["version"], found["title"], found["created_by"], found["path"]) == (3, "changed", "postgres", item)
    assert found["deleted_at"] is not None
    assert history(server, item) == [(1, "accepted"), (2, "accepted"), (3, "accepted")]
    (fields,) = server.execute(
        "SELECT fields FROM localfirst.history WHERE entity_id = %s AND version = 2", (item,)
    ).fetchone() or (None,)
    assert fields == {"title": {"old": "direct", "new": "changed"}}
    assert_gapless(server)


def test_an_update_that_changes_nothing_is_no_change(server: Connection, psql: Connection) -> None:
    item = insert(psql)
    before = head(server)
    psql.execute("UPDATE localfirst.work_items SET title = title, updated_by = 'somebody'")
    psql.execute("UPDATE localfirst.work_items SET version = 9, path = 'x', depth = 3")
    assert (row(server, item)["version"], head(server)) == (1, before)
    assert row(server, item)["path"] == item


def test_an_upsert(server: Connection, psql: Connection, project: str) -> None:
    statement = (
        "INSERT INTO localfirst.vendor_extractors (name, operational) VALUES ('Alder', true), ('Birch', true)"
        " ON CONFLICT (project_id, name) DO UPDATE SET operational = NOT vendor_extractors.operational"
    )
    psql.execute(statement)
    psql.execute(statement)
    alder = natural_id(project, "vendor", "Alder")
    found = row(server, alder, "vendor_extractors")
    assert (found["version"], found["status"]) == (2, "broken")
    assert history(server, alder) == [(1, "accepted"), (2, "accepted")]
    assert_gapless(server)


def test_a_savepoint_that_is_rolled_back_leaves_no_number(server: Connection, psql: Connection) -> None:
    with psql.transaction():
        insert(psql, "kept")
        psql.execute("SAVEPOINT before")
        insert(psql, "rolled back")
        with pytest.raises(psycopg.errors.CheckViolation):
            insert(psql, "")
        psql.execute("ROLLBACK TO SAVEPOINT before")
        insert(psql, "kept too")
    assert head(server)[0] == 3
    assert_gapless(server)


def test_constraints_that_are_made_immediate_number_at_once_and_again(server: Connection, psql: Connection) -> None:
    with psql.transaction():
        item = insert(psql)
        psql.execute("SET CONSTRAINTS ALL IMMEDIATE")
        psql.execute("SET CONSTRAINTS ALL DEFERRED")
        psql.execute("UPDATE localfirst.work_items SET title = 'later'")
    assert history(server, item) == [(1, "accepted"), (2, "accepted")]
    assert_gapless(server)


def test_truncate_is_refused(psql: Connection) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        psql.execute("TRUNCATE localfirst.work_items CASCADE")


def test_two_projects_number_by_themselves(server: Connection, psql: Connection, project: str) -> None:
    other = project_id("another")
    ensure_project(server, other, "another")
    with pytest.raises(psycopg.errors.NotNullViolation):
        insert(psql)
    with psql.transaction():
        for each in (project, other, project):
            psql.execute("INSERT INTO localfirst.vendor_extractors (project_id, name) VALUES (%s, gen_random_uuid())", (each,))
    found: list[Any] = server.execute("SELECT project_id::text, head FROM localfirst.project_heads").fetchall()
    assert dict(found) == {project: 3, other: 2}


def test_the_structure_is_checked_at_commit(server: Connection, psql: Connection) -> None:
    parent = insert(psql)
    child = insert(psql, parent=parent)
    assert row(server, child)["path"] == f"{parent}/{child}"
    with pytest.raises(psycopg.errors.RestrictViolation):
        psql.execute("DELETE FROM localfirst.work_items WHERE id = %s", (parent,))
    with pytest.raises(psycopg.errors.CheckViolation):
        psql.execute("UPDATE localfirst.work_items SET parent_id = %s WHERE id = %s", (child, parent))
    with psql.transaction():  # in any order, as long as it is right in the end
        psql.execute("DELETE FROM localfirst.work_items WHERE id = %s", (parent,))
        psql.execute("DELETE FROM localfirst.work_items WHERE id = %s", (child,))
    one, other = insert(psql), insert(psql)
    depend = "INSERT INTO localfirst.work_item_dependencies (work_item_id, depends_on_id, dependency_type) VALUES (%s, %s, %s)"
    psql.execute(depend, (one, other, "depends_on"))
    with pytest.raises(psycopg.errors.CheckViolation):
        psql.execute(depend, (one, other, "blocks"))
    assert_gapless(server)


def test_a_transaction_that_commits_late_is_not_skipped(
    server: Connection, psql: Connection, database_url: str, project: str
) -> None:
    late = connect(database_url)
    late.execute("BEGIN")
    first = insert(late, "began first")
    second = insert(psql, "committed first")
    sink = Collected()
    cursor = pull(server, project, Cursor(1, head_tag(server, 1)), sink)
    assert sink.ids("work_items") == [second]
    late.execute("COMMIT")
    late.close()
    sink = Collected()
    pull(server, project, cursor, sink)
    assert sink.ids("work_items") == [first]


def head_tag(server: Connection, seq: int) -> int:
    found = server.execute("SELECT tag FROM localfirst.history WHERE seq = %s", (seq,)).fetchone()
    assert found is not None
    return int(str(found[0]))


def test_an_open_transaction_holds_up_nobody_else(server: Connection, psql: Connection, ann: Sender) -> None:
    with psql.transaction():
        insert(psql)
        ann.create("work_item", task())
        assert ann.push()[0].outcome == "accepted"
    assert_gapless(server)


def test_a_push_gives_way_to_a_row_lock_and_tries_again(server: Connection, psql: Connection, ann: Sender) -> None:
    item = ann.create("work_item", task())
    ann.push()
    psql.execute("BEGIN")
    psql.execute("UPDATE localfirst.work_items SET status = 'blocked' WHERE id = %s", (item,))
    psql.execute("SELECT pg_sleep(0.05)")
    ann.change("work_item", item, 1, {"title": ("A task", "by ann")})
    commit = threading.Timer(0.7, psql.execute, ("COMMIT",))
    commit.start()
    with pytest.raises(Busy) as busy:
        ann.push()
    assert list(busy.value.held) == [2], "it names what waits, so that others can pass"
    commit.join()
    assert ann.push()[0].outcome == "merged"
    assert_gapless(server)


def test_listeners_are_woken(server: Connection, psql: Connection, project: str) -> None:
    psql.execute(f"LISTEN localfirst_{project.replace('-', '')}".encode())
    insert(server)
    assert [notice.payload for notice in psql.notifies(timeout=2, stop_after=1)] == [""]


def test_a_row_whose_past_the_log_tells_begins_past_it(server: Connection, psql: Connection, ann: Sender) -> None:
    """A change of what is not there is refused, and displayed at a version: a row of that id must not be given it again."""
    item = new_id()
    ann.change("work_item", item, 4, {"title": ("a", "b")})
    (verdict,) = ann.push()
    assert (verdict.outcome, verdict.version) == ("conflict", 5)
    with psql.transaction():
        psql.execute(
            "INSERT INTO localfirst.work_items (id, item_type, title)"
            " VALUES (%s, 'task', 'x'), (gen_random_uuid(), 'task', 'y')",
            (item,),
        )
        psql.execute("UPDATE localfirst.work_items SET title = title || '!'")
    assert (row(server, item)["version"], row(server, item)["title"]) == (7, "x!")
    assert history(server, item) == [(5, "lost"), (6, "accepted"), (7, "accepted")]
    assert server.execute("SELECT version FROM localfirst.work_items WHERE title = 'y!'").fetchall() == [(2,)]
    assert_gapless(server)
