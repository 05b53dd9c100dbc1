"""Two processes on one replica, one of which is stopped (SIGSTOP, Ctrl-Z) while it syncs: the other goes on in its place."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from contract.laptop import Laptop
from contract.wire import Wire
from gateway import Gateway
from localfirst_sync.lock import HeldElsewhere, ReplicaLock
from localfirst_sync.lock_holder import Holder
from waiting import until

from end_to_end.conftest import NewLaptop
from end_to_end.stores import one, replica_rows, server_rows

WITHIN_S = 5.0
IDLE_S = 25.0
"""PostgreSQL ends a transaction whose client was stopped in it after 15 s; until then that holds the project's head."""

HOLD = """
import sys
from pathlib import Path
from localfirst_sync.lock import ReplicaLock
with ReplicaLock(Path(sys.argv[1])).held(10):
    print("held", flush=True)
    sys.stdin.read()
"""


def lock_of(laptop: Laptop) -> Path:
    return laptop.replica.with_name(f"{laptop.replica.name}.lock")


def holder_of(laptop: Laptop) -> Holder | None:
    """Who holds the lock now."""
    try:
        with ReplicaLock(lock_of(laptop)).held(0):
            return None
    except HeldElsewhere as held:
        return held.holder


def held_by(laptop: Laptop, wire: Wire) -> bool:
    holder = holder_of(laptop)
    return holder is not None and holder.pid == wire.process.pid


@contextmanager
def stopped(wire: Wire) -> Iterator[None]:
    wire.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        wire.process.send_signal(signal.SIGCONT)


def made(wire: Wire, title: str) -> None:
    assert is_made(wire, title)


def is_made(wire: Wire, title: str) -> bool:
    """Whether it was acknowledged; it is not while another process is stopped in the middle of writing to the replica."""
    result = wire.call("create_work_item", item_type="task", title=title)
    refused = bool(result.get("isError"))
    assert not refused or result["structuredContent"]["details"] == {"cause": "replica"}, result
    return not refused


def status(wire: Wire) -> dict[str, Any]:
    found: dict[str, Any] = wire.call("sync_status")["structuredContent"]
    return found


def titles(url: str) -> Counter[str]:
    with psycopg.connect(url) as psql:
        return Counter(str(title) for (title,) in psql.execute("SELECT title FROM localfirst.work_items").fetchall())


def assert_once_each(laptop: Laptop, url: str, expected: set[str]) -> None:
    until(lambda: one(laptop, "SELECT count(*) FROM outbox") == 0, IDLE_S)
    assert titles(url) == Counter(expected)
    until(lambda: replica_rows(laptop) == server_rows(url), WITHIN_S)
    with psycopg.connect(url) as psql:
        reported = psql.execute(
            "SELECT entity_id, version FROM localfirst.history WHERE entity = 'work_item' ORDER BY entity_id"
        ).fetchall()
        assert len(reported) == len(expected)
        assert [version for _, version in reported] == [1] * len(reported)


def queue_until_held(held_up: Wire, gateway: Gateway) -> set[str]:
    """Titles of what was queued until a push of this process is held up: the other one may be quicker to send some of it."""
    queued: set[str] = set()
    while gateway.flowing.is_set():
        assert len(queued) < 20, "no push has gone this way"
        title = f"queued by the one that is stopped, {len(queued)}"
        made(held_up, title)
        queued.add(title)
        with suppress(AssertionError):
            until(lambda: not gateway.flowing.is_set(), 1.0)
    return queued


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGSTOP")
def test_the_other_process_takes_over_from_one_that_was_stopped_in_a_push(
    new_laptop: NewLaptop, database_url: str, gateway: Gateway
) -> None:
    laptop = new_laptop("a")
    with (
        Wire(laptop, LOCALFIRST_DATABASE_URL=gateway.url) as held_up,
        Wire(laptop, LOCALFIRST_DATABASE_URL=database_url) as other,
    ):
        made(other, "first")
        until(lambda: titles(database_url) == Counter(["first"]), WITHIN_S)
        assert status(held_up)["online"]
        gateway.silent_before = b"act_as_engine"  # with which a push begins
        queued = queue_until_held(held_up, gateway)
        with stopped(held_up):
            assert held_by(laptop, held_up)
            made(other, "by the other")
            until(lambda: len(titles(database_url)) == 2 + len(queued), WITHIN_S)
            assert str(held_up.process.pid) in status(other)["last_takeover"]
            assert status(other)["last_error"] is None
            gateway.silent_before = b""
            gateway.flowing.set()  # what the stopped one had sent arrives now
        made(held_up, "by the one that goes on")
        made(other, "by the other once more")
        expected = queued | {"first", "by the other", "by the one that goes on", "by the other once more"}
        assert_once_each(laptop, database_url, expected)


def test_who_holds_the_lock_is_said_within_five_seconds(new_laptop: NewLaptop, database_url: str) -> None:
    laptop = new_laptop("a")
    with Wire(laptop) as wire:
        assert status(wire)["online"]
        command = [sys.executable, "-c", HOLD, str(lock_of(laptop))]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdin is not None
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            made(wire, "waits")
            until(lambda: str(holder.pid) in (status(wire)["last_error"] or ""), WITHIN_S)
            assert titles(database_url) == Counter()
            holder.stdin.close()
        until(lambda: titles(database_url) == Counter(["waits"]), WITHIN_S)
        until(lambda: status(wire)["last_error"] is None, WITHIN_S)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGSTOP")
def test_whenever_one_is_stopped_nothing_is_lost_and_nothing_doubled(new_laptop: NewLaptop, database_url: str) -> None:
    laptop, dice = new_laptop("a"), random.Random(20)
    expected = set()

    def is_enough(wire: Wire) -> bool:
        return dice.random() < 0.3 or bool(held_by(laptop, wire))

    def is_at_server(title: str) -> bool:
        return title in titles(database_url)

    with Wire(laptop) as first, Wire(laptop) as second:
        for turn in range(12):
            held_up, other = dice.sample((first, second), 2)
            for number in range(dice.randint(1, 4)):
                expected.add(title := f"{turn}: {number}")
                made(held_up, title)
            until(partial(is_enough, held_up), WITHIN_S)
            with stopped(held_up):
                if is_made(other, title := f"{turn}: the other's"):
                    expected.add(title)
                    until(partial(is_at_server, title), IDLE_S)
        assert_once_each(laptop, database_url, expected)
