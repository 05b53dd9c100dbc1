"""SIGKILL at any moment of a sync of 1 000 queued changes: nothing lost, nothing applied twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from contract.laptop import PROGRAM, Laptop
from postgres import Server

from end_to_end.conftest import NewLaptop
from end_to_end.stores import one, replica_rows, server_rows
from localfirst.operations.registry import BY_NAME
from localfirst.session import Session
from localfirst.settings import load

ITEMS = 500
CHANGES = 2 * ITEMS

SYNC = """
import sys
from pathlib import Path
from localfirst.replica.connection import connect
from localfirst.replica.local_store import ReplicaStore
from localfirst_sync.lock import ReplicaLock
from localfirst_sync.postgres.store import PostgresStore
from localfirst_sync.round import sync_round

replica, url, batch = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
local = ReplicaStore(connect(replica))
remote = PostgresStore(url, local.identity())
remote.head()
print("ready", flush=True)
sync_round(local, remote, ReplicaLock(replica.with_name(f"{replica.name}.lock")), batch=batch)
print("done", flush=True)
"""
"""A sync in small batches, so that a kill meets it between any two of its steps; it says when it begins."""


def queue_changes(laptop: Laptop) -> None:
    """500 items created and then changed, by a client that has never seen the server."""
    environment = {k: v for k, v in laptop.environment.items() if k != "LOCALFIRST_DATABASE_URL"}
    session = Session(load(laptop.project, environment))
    session.replica.pragma("synchronous", "normal")  # the kill is of a process, not of the power
    create, update = BY_NAME["create_work_item"], BY_NAME["update_work_item"]
    for number in range(ITEMS):
        item = create.run(session, create.arguments(item_type="task", title=f"Item {number}"))
        update.run(session, update.arguments(id=item["id"], version=1, status="completed", metadata={"n": number}))
    session.close()


def waiting(laptop: Laptop) -> int:
    return int(one(laptop, "SELECT count(*) FROM outbox"))


def start_sync(laptop: Laptop, url: str, batch: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SYNC, str(laptop.replica), url, str(batch)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=laptop.environment)


def sync_and_kill(laptop: Laptop, url: str, after_s: float, batch: int = 40) -> str:
    """Starts a sync, kills it `after_s` after it began, and returns what it had said."""
    process = start_sync(laptop, url, batch)
    assert process.stdout is not None
    said = process.stdout.readline()
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    said += process.stdout.read()
    process.wait()
    return said


def sync_whole(laptop: Laptop) -> None:
    done = subprocess.run(
        [str(PROGRAM), "sync", "--json"],
        env=laptop.environment,
        cwd=laptop.project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


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
            process = start_sync(laptop, url, batch=40)
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rnd.uniform(0, 0.1))
            kill_a_backend(url)
            process.wait(timeout=30)
        until_it_answers(url)
        sync_whole(laptop)
        assert waiting(laptop) == 0
        assert_exactly_once(laptop, url)


def kill_a_backend(url: str) -> None:
    """SIGKILL to the backend that serves the sync: PostgreSQL ends all others too, and recovers from its log."""
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'localfirst%'"
            for (pid,) in connection.execute(query).fetchall():
                os.kill(pid, signal.SIGKILL)
    except psycopg.OperationalError:
        pass  # it is recovering from the kill before


def until_it_answers(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
