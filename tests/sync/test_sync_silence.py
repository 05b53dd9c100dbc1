"""A server that falls silent in the middle of an answer is given up within seconds; one that is at work is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest
from gateway import Gateway
from localfirst_sync.postgres.bounded import LOOK_S, SILENCE_S
from localfirst_sync.postgres.connection import Connection, connect, roll_back
from localfirst_sync.postgres.failure import unavailable
from postgres import Server
from psycopg.conninfo import conninfo_to_dict

BUSY_MACHINE_S = 2.0
BOUND_S = SILENCE_S + LOOK_S + BUSY_MACHINE_S


@pytest.fixture
def connection(gateway: Gateway) -> Iterator[Connection]:
    connection = connect(gateway.url)
    yield connection
    connection.close()


def _ask(connection: Connection) -> None:
    connection.execute("SELECT 1")


def _ask_in_a_pipeline(connection: Connection) -> None:
    with connection.pipeline():
        for _ in range(3):
            connection.execute("SELECT 1")


def _copy(connection: Connection) -> None:
    with connection.cursor() as cursor, cursor.copy("COPY landing FROM STDIN") as copy:
        for _ in range(2_000):
            copy.write(b"word" * 4_096 + b"\n")


def _stream(connection: Connection) -> None:
    with connection.cursor() as cursor:
        for _ in cursor.stream("SELECT generate_series(1, 10)"):
            pass


def _prepare(connection: Connection) -> None:
    connection.prepare(b"one", b"SELECT 1")


@pytest.mark.parametrize("ask", [_ask, _ask_in_a_pipeline, _copy, _stream, _prepare, roll_back])
def test_one_that_falls_silent_is_given_up(connection: Connection, gateway: Gateway, ask: Callable[[Connection], None]) -> None:
    connection.execute("CREATE TEMPORARY TABLE landing (words text)")
    gateway.flowing.clear()
    began = time.monotonic()
    with pytest.raises(psycopg.Error) as failed:
        ask(connection)
    assert time.monotonic() - began < BOUND_S
    assert unavailable(failed.value).details["cause"] == "timeout"
    assert connection.closed


def test_one_that_is_at_work_is_waited_for(connection: Connection) -> None:
    assert connection.execute("SELECT 1 FROM pg_sleep(%s)", (3.5 * SILENCE_S,)).fetchone() == (1,)


def test_one_that_has_no_connection_left_is_waited_for(postgres_server: Server, database_url: str) -> None:
    name = conninfo_to_dict(database_url)["dbname"]
    with closing(connect(database_url)) as connection:
        postgres_server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            assert connection.execute("SELECT 1 FROM pg_sleep(%s)", (1.5 * SILENCE_S,)).fetchone() == (1,)
        finally:
            postgres_server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
