"""PostgreSQL loses what it had acknowledged, under real clients: everything is there again, and they say so."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from contract.agent import working
from postgres import Server
from waiting import until

from end_to_end.conftest import NewLaptop
from end_to_end.crashing_postgres import kill_a_backend, until_it_answers
from end_to_end.killable_sync import ITEMS, queue_changes, start_sync, sync_and_kill, sync_whole
from end_to_end.stores import one, replica_rows, server_rows


@pytest.fixture
def forgetful_server(tmp_path: Path) -> Iterator[Server]:
    """A PostgreSQL of its own that loses its last commits when a backend is killed."""
    server = Server(tmp_path)
    server.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
    server.execute("ALTER SYSTEM SET synchronous_commit = off")
    server.execute("SELECT pg_reload_conf()")
    yield server
    server.stop()


@pytest.mark.parametrize("seed", range(3))
def test_a_server_that_lost_acknowledged_commits_gets_them_again(
    seed: int, new_laptop: NewLaptop, forgetful_server: Server
) -> None:
    rnd = random.Random(seed)
    with forgetful_server.database() as url:
        a, b = new_laptop("a", url), new_laptop("b", url)
        queue_changes(a)
        for _ in range(3):
            with start_sync(a, url, batch=40) as process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(rnd.uniform(0.02, 0.2))
                kill_a_backend(url)
                process.communicate(timeout=30)
            until_it_answers(url)
        for laptop in (a, b, a):
            sync_whole(laptop)
        rows = server_rows(url)
        assert replica_rows(a) == replica_rows(b) == rows
        items = rows["work_items"].values()
        assert sorted(item["title"] for item in items) == sorted(f"Item {number}" for number in range(ITEMS))
        assert {(item["version"], item["status"]) for item in items} == {(2, "completed")}
        with psycopg.connect(url) as server:
            lines = "SELECT count(*), count(DISTINCT (entity_id, version)) FROM localfirst.history WHERE by IS NULL"
            assert server.execute(lines).fetchone() == (2 * ITEMS, 2 * ITEMS)
            assert server.execute("SELECT count(*) FROM localfirst.conflicts").fetchone() == (0,)


def test_a_recovery_that_is_killed_again_and_again(new_laptop: NewLaptop, database_url: str) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    queue_changes(a)
    for laptop in (a, b):
        sync_whole(laptop)
    rows = server_rows(database_url)
    with psycopg.connect(database_url, autocommit=True) as psql:
        psql.execute("DROP SCHEMA localfirst CASCADE")
    rnd = random.Random(3)
    for _ in range(8):
        for laptop in (a, b):
            sync_and_kill(laptop, database_url, rnd.uniform(0.0, 0.4))
    for laptop in (a, b, a):
        sync_whole(laptop)
    after = server_rows(database_url)
    assert after["work_items"] == rows["work_items"]
    assert replica_rows(a) == replica_rows(b) == after
    with psycopg.connect(database_url) as server:
        lines = "SELECT count(*), count(DISTINCT (entity_id, version)) FROM localfirst.history WHERE by IS NULL"
        assert server.execute(lines).fetchone() == (2 * ITEMS, 2 * ITEMS)


def test_the_client_says_that_the_server_was_restored(new_laptop: NewLaptop, database_url: str) -> None:
    laptop = new_laptop("a")
    with working(laptop) as agent:
        assert agent.call("sync_status")["last_recovery"] is None
        for name in ("Alder", "Birch"):
            agent.call("create_vendor", name=name)
        agent.call("sync_now")
        with psycopg.connect(database_url, autocommit=True) as psql:
            psql.execute("DROP SCHEMA localfirst CASCADE")
        agent.call("create_vendor", name="Meanwhile")
        recovered = "SELECT recovered_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM outbox) FROM replica"
        until(lambda: one(laptop, recovered), 10, "it recovers by itself")
        reported = agent.call("sync_status")["last_recovery"]  # "Meanwhile" may be one of them
        assert re.search(r"restored to an older state, or .*; [23] changes were sent again", reported), reported
    assert {row["name"] for row in server_rows(database_url)["vendor_extractors"].values()} == {"Alder", "Birch", "Meanwhile"}
