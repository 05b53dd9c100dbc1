"""Whoever may do nothing but connect sends what laptops listen to, and takes locks that belong to nobody: nobody stops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest
from localfirst_schema.entities import WORK_ITEM
from localfirst_sync.postgres import migrate
from localfirst_sync.postgres.connection import connect
from postgres import Server
from sync_board import Board, board
from sync_laptop import PROJECT_NAME, Laptop
from sync_sender import task
from waiting import until

from localfirst.replica.rows import find


@pytest.fixture
def made(postgres_server: Server) -> Iterator[Board]:
    with board(postgres_server) as one:
        yield one


@pytest.fixture
def laptops(made: Board, tmp_path: Path) -> Iterator[Callable[[str], Laptop]]:
    with ExitStack() as stack:
        url = made.url_of("laptop")
        yield lambda name: stack.enter_context(closing(Laptop(tmp_path / name, PROJECT_NAME, url)))


@contextmanager
def flood(made: Board, payload: str) -> Iterator[list[int]]:
    """An outsider sends notices for as long as the block takes; how many are counted."""
    done, sent = threading.Event(), [0]
    channel = f"localfirst_{made.project.replace('-', '')}"

    def send() -> None:
        with made.session("outsider") as session:
            while not done.is_set():
                session.execute("SELECT pg_notify(%s, %s)", (channel, payload))
                sent[0] += 1

    sending = threading.Thread(target=send)
    sending.start()
    try:
        yield sent
    finally:
        done.set()
        sending.join()


@pytest.mark.parametrize("payload", ["", "name", "x" * 7000])
def test_a_flood_of_notices_stops_nobody(made: Board, laptops: Callable[[str], Laptop], payload: str) -> None:
    ann, bob = laptops("ann"), laptops("bob")
    loops = ann.loop(), bob.loop()
    for loop in loops:
        loop.start()
        assert loop.request(10) is not None
    try:
        with flood(made, payload) as sent:
            until(lambda: sent[0] > 100, 10)
            for number in range(5):
                item = ann.create(WORK_ITEM, **task(f"number {number}"))
                loops[0].wake()
                until(partial(find, bob.replica, WORK_ITEM, item), 10)
            sessions = made.one("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", made.names["laptop"])
            assert sessions <= 2 * len(loops), "each has a connection, and may be making another"
        until(lambda: all(loop.online and loop.last_error is None for loop in loops), 10)
    finally:
        for loop in loops:
            loop.stop(1)


def test_a_migration_waits_for_no_lock_that_anybody_may_take(made: Board) -> None:
    with made.session("outsider") as outsider, made.session("reader") as reader:
        outsider.execute("SELECT pg_advisory_lock(%s::bigint)", (migrate._NUMBER,))
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM localfirst.schema_migrations")
        for mode in ("ACCESS EXCLUSIVE", "EXCLUSIVE", "SHARE ROW EXCLUSIVE", "SHARE", "ROW EXCLUSIVE"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), reader.transaction():
                reader.execute(f"LOCK TABLE localfirst.schema_migrations IN {mode} MODE".encode())
        administrator = connect(made.url)
        with administrator.transaction():
            administrator.execute("SET LOCAL lock_timeout = '2s'")
            administrator.execute(migrate._LOCK.encode())
        administrator.close()
