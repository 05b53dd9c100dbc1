"""SQLite's defences against what a database file may bring along: nothing in a file's schema is ever carried out.

Our own replica has no triggers and no views, so they are switched off for every connection: one that somebody has planted does
nothing. Counterpart: `planted`, which says what is in a file and should not be.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

_OFF = (
    apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER,
    apsw.SQLITE_DBCONFIG_ENABLE_VIEW,
    apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA,
    apsw.SQLITE_DBCONFIG_DQS_DML,
    apsw.SQLITE_DBCONFIG_DQS_DDL,
)

VALUE_BYTES_MAX = 64 * 1024 * 1024
"""No value of a replica is nearly as large; one in a foreign file that is, is not read."""

SQL_BYTES_MAX = 1_000_000
STEPS_BETWEEN_LOOKS = 20_000
"""SQLite's instructions between two looks at the clock: about a millisecond."""

LEAST_S, BYTES_PER_S = 20.0, 5_000_000
"""How long a foreign file may take to be read: as long as a slow disk would with a sound one of its size."""


def defend(connection: apsw.Connection) -> None:
    """For every connection to a replica: 5 µs."""
    for option in _OFF:
        connection.config(option, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)


@contextmanager
def reading_foreign(path: Path) -> Iterator[apsw.Connection]:
    """A connection that reads a file which somebody has given us. Raises apsw.Error: `InterruptError` when it takes too long.

    Nothing of the file is mapped into memory, nothing can be attached, and the clock is looked at while it is read.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        defend_foreign(connection, reading_time_s(path))
        yield connection
    finally:
        connection.close()


def reading_time_s(path: Path) -> float:
    """How long a foreign file may take to be read."""
    return LEAST_S + path.stat().st_size / BYTES_PER_S


def defend_foreign(connection: apsw.Connection, seconds: float) -> None:
    """The same for a connection that is open already; after so many seconds each of its statements is interrupted."""
    defend(connection)
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS_BETWEEN_LOOKS)
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)
    connection.limit(apsw.SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX)
    connection.limit(apsw.SQLITE_LIMIT_ATTACHED, 0)
    connection.limit(apsw.SQLITE_LIMIT_TRIGGER_DEPTH, 1)
    connection.pragma("mmap_size", 0)
    connection.pragma("cell_size_check", 1)
