"""Asks for a project's head within a time budget, on a connection that does nothing else meanwhile.

libpq's non-blocking calls are used directly: psycopg waits as long as the network lets it, and a server that accepts and is
silent (frozen, or behind a broken link) must cost its budget and no more. After a failure the connection is of no use: the
answer may still come and would be taken for the next one's.
"""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg
from localfirst_schema.errors import UnavailableError
from psycopg import errors
from psycopg.pq import ExecStatus

from localfirst_sync.ports import Cursor
from localfirst_sync.postgres.connection import Connection, lost
from localfirst_sync.postgres.failure import unavailable

_STATEMENT = b"localfirst_head"
_QUERY = (
    b"SELECT head, tag, pg_catalog.date_part('epoch', pg_catalog.clock_timestamp())"
    b" FROM localfirst.project_heads WHERE project_id = $1"
)


def prepare(connection: Connection) -> None:
    """Prepares the question, once a connection (behind a pooler it is sent whole each time). Raises `UnavailableError`."""
    if connection.pooled or connection.knows_head_question:
        return
    try:
        result = connection.prepare(_STATEMENT, _QUERY)
    except psycopg.Error as error:
        raise unavailable(error) from None
    if result.status != ExecStatus.COMMAND_OK:
        raise UnavailableError("PostgreSQL lacks tables that localfirst needs; they are made at the next sync.", cause="schema")
    connection.knows_head_question = True


def send(connection: Connection, project_id: str) -> Any:
    """Asks for the head within a pipeline, to be read by `answered`, and prepares the question, as the last of it."""
    asked = connection.execute(_QUERY.replace(b"$1", b"%s"), (project_id,))
    if not connection.pooled:
        connection.execute(b"PREPARE " + _STATEMENT + b" (uuid) AS " + _QUERY)
    return asked


def answered(connection: Connection, asked: Any) -> Cursor | None:
    """The answer to `send`; None where there is no such project."""
    connection.knows_head_question = not connection.pooled
    row = asked.fetchone()
    if row is None:
        return None
    connection.pulse.logged_time(float(row[2]), connection.pulse.trip_s)
    return Cursor(*row[:2])


def ask(connection: Connection, project_id: str, budget_ms: float) -> Cursor:
    """The head of a project, after at most `budget_ms`. Raises `UnavailableError`; close the connection then."""
    began = time.monotonic()
    deadline = began + budget_ms / 1000
    libpq = connection.pgconn
    try:
        if connection.pooled:
            libpq.send_query_params(_QUERY, [project_id.encode()])
        else:
            libpq.send_query_prepared(_STATEMENT, [project_id.encode()])
        while libpq.flush():
            _wait(libpq, deadline, for_writing=True)
        libpq.consume_input()
        while libpq.is_busy():
            _wait(libpq, deadline, for_writing=False)
            libpq.consume_input()
        result = libpq.get_result()
        while libpq.get_result() is not None:
            pass  # the end of the answer
    except psycopg.Error as error:
        raise unavailable(error) from None
    connection.pulse.heard()
    connection.pulse.measured(connection.pulse.heard_at - began)
    if result is not None and result.status == ExecStatus.FATAL_ERROR:
        raise unavailable(errors.error_from_result(result))
    if result is None or result.status != ExecStatus.TUPLES_OK or not result.ntuples:
        raise lost("the project's head is not there")
    connection.pulse.logged_time(float(result.get_value(0, 2) or 0), connection.pulse.heard_at - began)
    return Cursor(int(result.get_value(0, 0) or 0), int(result.get_value(0, 1) or 0))


def _wait(libpq: Any, deadline: float, *, for_writing: bool) -> None:
    # Also where the time is up: on a crowded machine it may be this process that did not run, and the answer is here.
    left_ms = max(0.0, (deadline - time.monotonic()) * 1000)
    if not _ready(libpq.socket, left_ms, for_writing=for_writing):
        raise lost("asking for the head")


if hasattr(select, "poll"):

    def _ready(socket: int, timeout_ms: float, *, for_writing: bool) -> bool:
        poll = select.poll()
        poll.register(socket, select.POLLIN | (select.POLLOUT if for_writing else 0))
        return bool(poll.poll(timeout_ms))

else:

    def _ready(socket: int, timeout_ms: float, *, for_writing: bool) -> bool:
        return any(select.select([socket], [socket] if for_writing else [], [], timeout_ms / 1000))
