"""The line of the test bench is as long as it says, counts right, and fails in the ways that it is asked to."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
from line import Line

TRIP_S = 0.06

WAYS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


def _connect(line: Line) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(line.url, autocommit=True)


@WAYS
def test_a_connection_costs_its_trips_and_their_time(database_url: str, tls: bool) -> None:
    with closing(Line(database_url, trip_s=TRIP_S, tls=tls)) as line:
        began = time.monotonic()
        with _connect(line) as connection:
            took = time.monotonic() - began
            assert connection.pgconn.ssl_in_use is tls
            # The server trusts: its answer to the first message ends it. TLS is asked for and made before that.
            assert line.passages[0].trips == (3 if tls else 1)
            assert took >= (1 + line.trips) * TRIP_S, "TCP's handshake is paid too"


@WAYS
def test_what_is_asked_together_is_one_trip_and_takes_the_time_of_one(database_url: str, tls: bool) -> None:
    with closing(Line(database_url, trip_s=TRIP_S, tls=tls)) as line, _connect(line) as connection:
        with line.counted() as one_by_one:
            for _ in range(3):
                connection.execute("SELECT 1")
        assert one_by_one.trips == 3
        began = time.monotonic()
        with line.counted() as together, connection.pipeline():
            for _ in range(20):
                connection.execute("SELECT repeat('x', 20000)")
        assert together.trips == 1
        assert TRIP_S <= time.monotonic() - began < 3 * TRIP_S


def test_a_message_that_nobody_answers_is_no_trip(database_url: str) -> None:
    with closing(Line(database_url, trip_s=TRIP_S)) as line:
        with line.counted() as counted, _connect(line):
            pass
        assert counted.trips == 1


def test_what_is_lost_is_waited_for_and_arrives(database_url: str) -> None:
    with closing(Line(database_url, loss=1.0)) as line:
        began = time.monotonic()
        with _connect(line) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert time.monotonic() - began >= 0.8


def test_a_frozen_line_goes_on_where_it_stood(database_url: str) -> None:
    with closing(Line(database_url)) as line, _connect(line) as connection, ThreadPoolExecutor(1) as pool:
        line.freeze()
        asked = pool.submit(connection.execute, "SELECT 1")
        with pytest.raises(TimeoutError):
            asked.result(0.1)
        line.thaw()
        assert asked.result(5).fetchone() == (1,)


def test_a_cut_line_breaks_what_is_there_and_refuses_new_connections_if_reported_so(database_url: str) -> None:
    with closing(Line(database_url)) as line:
        connection = _connect(line)
        line.cut()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
        _connect(line).close()
        line.cut(refuse=True)
        with pytest.raises(psycopg.OperationalError):
            _connect(line)


def test_a_forgotten_connection_is_swallowed_and_a_new_one_works(database_url: str) -> None:
    with closing(Line(database_url)) as line:
        old = _connect(line)
        line.forget()
        old.pgconn.send_query(b"SELECT 1")
        old.pgconn.flush()
        with _connect(line) as new:
            assert new.execute("SELECT 1").fetchone() == (1,)
        old.pgconn.consume_input()
        assert old.pgconn.is_busy()
        old.close()
