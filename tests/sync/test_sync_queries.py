"""What the server does for one change does not grow with the project, not even before its tables were ever analysed."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from localfirst_sync.postgres.connection import Connection
from sync_looking import history, misplaced, row
from sync_sender import Sender, task

ITEMS = 1500


@pytest.fixture
def crowded(server: Connection, ann: Sender) -> list[str]:
    """A project of many items and dependencies, in tables of which the planner believes that they are empty."""
    for table in ("work_items", "work_item_dependencies"):
        server.execute(f"ALTER TABLE localfirst.{table} SET (autovacuum_enabled = off)".encode())
        server.execute(f"VACUUM ANALYZE localfirst.{table}".encode())
    items = [ann.create("work_item", task(f"number {n}")) for n in range(ITEMS)]
    for one, other in pairwise(items):
        ann.create(
            "work_item_dependency",
            {"work_item_id": one, "depends_on_id": other, "dependency_type": "depends_on"},
        )
    ann.push()
    return items


def blocks_read(server: Connection, statement: str, *arguments: object) -> int:
    """How many blocks of the tables and indexes of the project a statement and its commit read."""
    (before,) = _blocks(server)
    server.execute(statement.encode(), arguments)
    server.execute("SELECT pg_stat_force_next_flush()")
    (after,) = _blocks(server)
    return after - before


def _blocks(server: Connection) -> tuple[int]:
    server.execute("SELECT pg_stat_force_next_flush()")
    found: Any = server.execute(
        "SELECT sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read)::bigint FROM pg_statio_user_tables"
        " WHERE relname IN ('work_items', 'work_item_dependencies')"
    ).fetchone()
    return (int(found[0]),)


def test_a_move_looks_at_what_it_moves(server: Connection, crowded: list[str]) -> None:
    for child in crowded[1:4]:
        server.execute("UPDATE localfirst.work_items SET parent_id = %s WHERE id = %s", (crowded[0], child))
    read = blocks_read(server, "UPDATE localfirst.work_items SET parent_id = %s WHERE id = %s", crowded[10], crowded[0])
    assert misplaced(server) == []
    assert row(server, crowded[1])["path"] == "/".join((crowded[10], crowded[0], crowded[1]))
    assert read < 600


def test_a_dependency_looks_along_what_it_reaches(server: Connection, crowded: list[str]) -> None:
    insert = "INSERT INTO localfirst.work_item_dependencies (work_item_id, depends_on_id) VALUES (%s, %s)"
    assert blocks_read(server, insert, crowded[0], crowded[-1]) < 100
    assert blocks_read(server, insert, crowded[0], crowded[-20]) < 600


def test_what_was_deleted_comes_back_when_it_is_inserted_again(server: Connection, ann: Sender) -> None:
    server.execute("INSERT INTO localfirst.vendor_extractors (name, operational) VALUES ('Alder', true)")
    (found,) = server.execute("SELECT id::text FROM localfirst.vendor_extractors").fetchall()
    server.execute("DELETE FROM localfirst.vendor_extractors")
    server.execute(
        "INSERT INTO localfirst.vendor_extractors (name, operational, metadata) VALUES ('Alder', false, %s)",
        ('{"extractor_version": "2"}',),
    )
    vendor = row(server, str(found[0]), "vendor_extractors")
    assert (vendor["deleted_at"], vendor["operational"], vendor["version"]) == (None, False, 3)
    assert vendor["metadata"] == {"extractor_version": "2"}
    assert history(server, str(found[0])) == [(1, "accepted"), (2, "accepted"), (3, "accepted")]


def test_a_link_that_was_deleted_comes_back_too(server: Connection, ann: Sender) -> None:
    one, other = (ann.create("work_item", task(n)) for n in "ab")
    ann.push()
    insert = "INSERT INTO localfirst.work_item_dependencies (work_item_id, depends_on_id) VALUES (%s, %s)"
    server.execute(insert, (one, other))
    server.execute("DELETE FROM localfirst.work_item_dependencies")
    server.execute(insert, (one, other))
    found = server.execute("SELECT version, deleted_at FROM localfirst.work_item_dependencies").fetchall()
    assert found == [(3, None)]
