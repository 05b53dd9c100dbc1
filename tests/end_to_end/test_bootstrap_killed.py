"""SIGKILL again and again while a new replica is filled: it goes on where it was, and has everything in the end."""

from __future__ import annotations

import random
import time
from pathlib import Path

import apsw
import psycopg
import pytest

from end_to_end.conftest import NewLaptop
from end_to_end.killable_sync import start_sync, sync_whole
from end_to_end.stores import one, replica_rows, server_rows
from localfirst.replica import fulltext
from localfirst.replica.opening import open_replica

ITEMS = 6_000


def fill(url: str) -> None:
    """Items and a few of everything else, typed in by SQL."""
    with psycopg.connect(url, autocommit=True) as psql:
        psql.execute(
            "INSERT INTO localfirst.work_items (item_type, title, metadata)"
            " SELECT 'task', 'Item ' || n, jsonb_build_object('note', 'a' || chr(9) || E'tab, \\\\ and \"quotes\"', 'n', n)"
            " FROM generate_series(1, %s) AS n",
            (ITEMS,),
        )
        psql.execute("INSERT INTO localfirst.vendor_extractors (name) SELECT 'Vendor ' || n FROM generate_series(1, 45) AS n")
        psql.execute("INSERT INTO localfirst.future_enhancements (title, description) VALUES ('one', ''), ('two', NULL)")
        psql.execute(
            "INSERT INTO localfirst.work_item_comments (work_item_id, body)"
            " SELECT id, E'two\\nlines' FROM localfirst.work_items LIMIT 500"
        )


def staged(replica: Path) -> int:
    """How much is staged: rows and lines of history; a growing number, while there is a bootstrap."""
    if not replica.exists():
        return 0
    connection = apsw.Connection(str(replica), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        if not connection.execute("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'staged_history')").get:
            return 0
        tables = ("work_items", "work_item_comments", "vendor_extractors", "future_enhancements", "history")
        return sum(connection.execute(f"SELECT count(*) FROM staged_{table}").get for table in tables)
    finally:
        connection.close()


@pytest.mark.parametrize("seed", range(1))
def test_a_bootstrap_that_is_killed_again_and_again(seed: int, new_laptop: NewLaptop, database_url: str) -> None:
    chance = random.Random(seed)
    laptop = new_laptop("a")
    laptop.replica.parent.mkdir(parents=True)
    open_replica(laptop.replica, "team/board").close()
    with start_sync(laptop, database_url, 100):
        pass  # it starts the project
    fill(database_url)
    other = new_laptop("b")
    other.replica.parent.mkdir(parents=True)
    open_replica(other.replica, "team/board").close()
    kills, reached = 0, 0
    while not one(other, "SELECT cursor_seq FROM replica") and kills < 40:
        with start_sync(other, database_url, 100) as process:
            assert process.stdout is not None
            process.stdout.readline()
            goal = reached + chance.randrange(1, 3000)
            while process.poll() is None and staged(other.replica) < goal and not one(other, "SELECT cursor_seq FROM replica"):
                time.sleep(0.001)
            process.kill()
        kills += 1
        now = staged(other.replica)
        if one(other, "SELECT cursor_seq FROM replica"):
            break
        assert now >= reached, "it did not begin anew"
        reached = now
    assert kills > 4
    assert reached > ITEMS
    sync_whole(other)
    assert replica_rows(other) == server_rows(database_url)
    assert one(other, "SELECT count(*) FROM history") == 1 + ITEMS + 45 + 2 + 500
    connection = open_replica(other.replica, "team/board")
    while one(other, "SELECT text_from IS NOT NULL FROM replica"):
        sync_whole(other)
    assert fulltext.is_consistent(connection)
    assert connection.execute("SELECT count(*) FROM work_items_text").get == ITEMS
    connection.close()
