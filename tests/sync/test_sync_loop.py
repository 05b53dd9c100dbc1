"""The loop: changes go out and come in by themselves, outages are waited out, and nobody hangs at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
from gateway import Gateway
from localfirst_schema.entities import WORK_ITEM
from localfirst_sync.lock import HeldElsewhere, ReplicaLock
from localfirst_sync.loop import SyncLoop
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.wake import Wake
from postgres import Server
from sync_laptop import PROJECT_NAME, Laptop
from sync_sender import task
from waiting import until

from localfirst.replica.rows import find

pytestmark = pytest.mark.lines


class Outage:
    """Closes a database to everybody, and opens it again."""

    def __init__(self, server: Server, url: str) -> None:
        self._server = server
        self._database = psycopg.conninfo.conninfo_to_dict(url)["dbname"]

    def begin(self) -> None:
        self._server.execute(f"ALTER DATABASE {self._database} ALLOW_CONNECTIONS false")
        self._server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._database}'")

    def end(self) -> None:
        self._server.execute(f"ALTER DATABASE {self._database} ALLOW_CONNECTIONS true")


@pytest.fixture
def laptop(tmp_path: Path, far_url: str) -> Iterator[Laptop]:
    made = Laptop(tmp_path / "a", PROJECT_NAME, far_url)
    yield made
    made.close()


@pytest.fixture
def other(tmp_path: Path, far_url: str) -> Iterator[Laptop]:
    made = Laptop(tmp_path / "b", PROJECT_NAME, far_url)
    yield made
    made.close()


def is_called(laptop: Laptop, item: str, title: str) -> bool:
    return bool((find(laptop.replica, WORK_ITEM, item) or {})["title"] == title)


def test_changes_go_out_and_come_in_within_a_second(laptop: Laptop, other: Laptop, server: Connection) -> None:
    loops = laptop.loop(), other.loop()
    for loop in loops:
        loop.start()
        assert loop.request(5) is not None
    item = laptop.create(WORK_ITEM, **task())
    loops[0].wake()
    until(lambda: find(other.replica, WORK_ITEM, item), 1)
    server.execute("UPDATE localfirst.work_items SET title = 'psql'")
    for each in (laptop, other):
        until(partial(is_called, each, item, "psql"), 1)
    assert all(loop.online and loop.last_error is None and loop.last_sync_at for loop in loops)
    for loop in loops:
        loop.stop(1)


def test_a_requested_round_has_sent_everything(laptop: Laptop, server: Connection) -> None:
    loop = laptop.loop()
    loop.start()
    for n in range(10):
        laptop.create(WORK_ITEM, **task(f"number {n}"))
    done = loop.request(5)
    assert done is not None
    assert laptop.local.pending_count() == 0
    assert server.execute("SELECT count(*) FROM localfirst.work_items").fetchone() == (10,)
    loop.stop(1)


def test_after_an_outage_the_queue_is_empty_within_five_seconds(
    laptop: Laptop, server: Connection, postgres_server: Server, database_url: str
) -> None:
    loop = laptop.loop()
    loop.start()
    assert loop.request(5) is not None
    outage = Outage(postgres_server, database_url)
    outage.begin()
    laptop.create(WORK_ITEM, **task())
    loop.wake()
    until(lambda: not loop.online and loop.last_error, 5)
    assert loop.request(3) is None
    for _ in range(3):
        laptop.create(WORK_ITEM, **task())
        loop.wake()
        time.sleep(0.3)
    outage.end()
    until(lambda: laptop.local.pending_count() == 0, 5)
    until(lambda: loop.online, 5)
    assert loop.last_error is None
    loop.stop(1)


def test_a_server_that_was_never_there_is_said_so(tmp_path: Path) -> None:
    laptop = Laptop(tmp_path / "a", PROJECT_NAME, "postgresql://ann:hunter2@127.0.0.1:1/db")
    loop = laptop.loop()
    loop.start()
    assert loop.first_contact.wait(5)
    assert not loop.online
    assert loop.last_error is not None
    assert "nothing answers" in loop.last_error.lower()
    assert "hunter2" not in loop.last_error
    began = time.monotonic()
    loop.stop(1)
    assert time.monotonic() - began < 1
    laptop.close()


def test_the_last_push_is_made_at_the_end(laptop: Laptop, server: Connection) -> None:
    loop = laptop.loop()
    loop.start()
    assert loop.request(5) is not None
    laptop.create(WORK_ITEM, **task())
    loop.stop(1)
    assert laptop.local.pending_count() == 0


def test_the_end_does_not_wait_for_a_frozen_server(tmp_path: Path, server: Connection, gateway: Gateway) -> None:
    laptop = Laptop(tmp_path / "a", PROJECT_NAME, gateway.url)
    loop = laptop.loop()
    loop.start()
    assert loop.request(5) is not None
    gateway.flowing.clear()
    laptop.create(WORK_ITEM, **task())
    loop.wake()
    began = time.monotonic()
    loop.stop(0.5)
    assert time.monotonic() - began < 0.8
    assert laptop.local.pending_count() == 1
    laptop.close()


def test_two_processes_of_one_replica_take_turns(laptop: Laptop, server: Connection) -> None:
    loops = [laptop.loop() for _ in range(3)]
    for loop in loops:
        loop.start()
    for n in range(30):
        laptop.create(WORK_ITEM, **task(f"number {n}"))
        for loop in loops:
            loop.wake()
    assert all(loop.request(10) is not None for loop in loops)
    assert laptop.local.pending_count() == 0
    assert server.execute("SELECT count(*), max(version) FROM localfirst.work_items").fetchone() == (30, 1)
    for loop in loops:
        loop.stop(1)


def test_who_waits_for_a_process_that_does_not_end_its_round_is_logged(
    laptop: Laptop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localfirst_sync.loop.HELD_S", 1.0)
    loop = laptop.loop()
    loop.start()
    assert loop.request(5) is not None
    with ReplicaLock(laptop.path.with_name(f"{laptop.path.name}.lock")).held(1):
        laptop.create(WORK_ITEM, **task())
        assert loop.request(20) is None
        assert "Another process" in str(loop.last_error)
    assert loop.request(5) is not None
    assert (laptop.local.pending_count(), loop.last_error) == (0, None)
    loop.stop(1)


def test_notices_that_do_not_come_are_made_up_for_by_polling(
    laptop: Laptop, server: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localfirst_sync.postgres.listen.listen", lambda *_: None)
    monkeypatch.setattr("localfirst_sync.loop.DEAF_POLL_S", 0.1)
    loop = laptop.loop(poll_s=0.5)
    loop.start()
    assert loop.request(5) is not None

    def pulled(limit: float) -> None:
        item = server.execute(
            "INSERT INTO localfirst.work_items (item_type, title) VALUES ('task', 'direct') RETURNING id::text"
        ).fetchone()
        assert item is not None
        until(lambda: find(laptop.replica, WORK_ITEM, str(item[0])), limit)

    pulled(2)
    pulled(0.4)
    loop.stop(1)


def test_the_lock_is_private_and_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "replica.lock"
    with ReplicaLock(path).held(0):
        assert path.stat().st_mode & 0o777 == 0o600
        began = time.monotonic()
        with pytest.raises(HeldElsewhere), ReplicaLock(path).held(0.1):
            pass
        assert 0.1 <= time.monotonic() - began < 0.5
    with ReplicaLock(path).held(0):
        pass


def test_no_wake_up_is_lost_however_they_come() -> None:
    wake = Wake()
    heard = 0

    def call() -> None:
        for _ in range(20_000):
            wake.set()

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if wake.wait(0.01):
            heard += wake.clear()
    heard += wake.clear()
    assert heard > 0
    wake.set()
    assert wake.wait(0)
    assert wake.clear()
    assert not wake.wait(0)
    wake.close()
    wake.set()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="descriptors are counted where the system lists them")
def test_a_wake_up_call_comes_to_who_waits_later_and_nobody_holds_anything_before() -> None:
    opened = descriptors()
    wakes = [Wake() for _ in range(5)]
    for wake in wakes:
        wake.set()
    assert descriptors() == opened
    assert wakes[0].wait(0)
    assert wakes[0].clear()
    assert not wakes[0].wait(0)
    for wake in wakes:
        wake.close()
    assert descriptors() == opened


def test_the_loop_outlives_what_nobody_expected(laptop: Laptop, server: Connection) -> None:
    openings: list[int] = []

    def open_badly() -> object:
        openings.append(1)
        if len(openings) < 3:
            raise RuntimeError("unexpected")
        return laptop.loop()._open_local()

    loop = SyncLoop(
        open_local=open_badly,  # type: ignore[arg-type]
        open_remote=laptop.loop()._open_remote,
        lock_path=laptop.path.with_name("a.lock"),
    )
    loop.start()
    until(lambda: loop.online, 5)
    loop.stop(1)
