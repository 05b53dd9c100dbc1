"""SIGKILL at any moment of a sync of 1 000 queued changes: nothing lost, nothing applied twice."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from contract.laptop import PROGRAM, Laptop
from postgres import Server

from end_to_end.conftest import NewLaptop
from end_to_end.crashing_postgres import kill_a_backend, until_it_answers
from end_to_end.killable_sync import CHANGES, ITEMS, queue_changes, start_sync, sync_and_kill, sync_whole
from end_to_end.stores import one, replica_rows, server_rows


def waiting(laptop: Laptop) -> int:
    return int(one(laptop, "SELECT count(*) FROM outbox"))


def assert_exactly_once(laptop: Laptop, url: str) -> None:
    rows = server_rows(url)
    assert rows == replica_rows(laptop)
    items = rows["work_items"].values()
    assert sorted(item["title"] for item in items) == sorted(f"Item {number}" for number in range(ITEMS))
    assert {(item["version"], item["status"]) for item in items} == {(2, "completed")}
    with psycopg.connect(url) as server:
        numbers = "SELECT count(*), count(DISTINCT number) FROM localfirst.history WHERE number IS NOT NULL"
        assert server.execute(numbers).fetchone() == (CHANGES, CHANGES)
        head, changes = server.execute(
            "SELECT (SELECT head FROM localfirst.project_heads), (SELECT count(*) FROM localfirst.history)"
        ).fetchone() or (0, 0)
        assert head == changes, "the numbers have no gap"
        assert server.execute("SELECT count(*) FROM localfirst.conflicts").fetchone() == (0,)


@pytest.mark.parametrize("seed", range(6))
def test_the_client_is_killed_again_and_again(seed: int, new_laptop: NewLaptop, database_url: str) -> None:
    rnd = random.Random(seed)
    laptop = new_laptop("a")
    queue_changes(laptop)
    kills = 0
    while waiting(laptop) and kills < 30:
        said = sync_and_kill(laptop, database_url, rnd.uniform(0, 0.12))
        kills += "done" not in said
    assert kills, "no kill met a sync under way"
    sync_whole(laptop)
    assert waiting(laptop) == 0
    assert_exactly_once(laptop, database_url)


def test_the_program_itself_is_killed(new_laptop: NewLaptop, database_url: str) -> None:
    laptop = new_laptop("a")
    queue_changes(laptop)
    rnd = random.Random(1)
    for _ in range(4):
        process = subprocess.Popen(
            [str(PROGRAM), "sync", "--json"], env=laptop.environment, cwd=laptop.project, stdout=subprocess.DEVNULL
        )
        time.sleep(rnd.uniform(0.3, 1.0))
        process.kill()
        process.wait()
    sync_whole(laptop)
    assert_exactly_once(laptop, database_url)


@pytest.fixture
def crashing_server(tmp_path: Path) -> Iterator[Server]:
    """A PostgreSQL of its own: a killed backend takes all others with it."""
    server = Server(tmp_path)
    # Without this a crash takes acknowledged commits with it, which is a server restored from an older state.
    server.execute("ALTER SYSTEM SET synchronous_commit = on")
    server.execute("SELECT pg_reload_conf()")
    yield server
    server.stop()


@pytest.mark.parametrize("seed", range(3))
def test_the_server_is_killed_again_and_again(seed: int, new_laptop: NewLaptop, crashing_server: Server) -> None:
    rnd = random.Random(seed)
    with crashing_server.database() as url:
        laptop = new_laptop("a", url)
        queue_changes(laptop)
        for _ in range(3):
            with start_sync(laptop, url, batch=40) as process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(rnd.uniform(0, 0.1))
                kill_a_backend(url)
                process.wait(timeout=30)
        until_it_answers(url)
        sync_whole(laptop)
        assert waiting(laptop) == 0
        assert_exactly_once(laptop, url)
