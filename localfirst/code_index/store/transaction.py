"""Short write transactions: the index never keeps a person's write waiting for long.

SQLite has one writer, and one that has to wait looks again a little later. So a transaction of the index lasts a few
milliseconds, and is followed by a pause: whoever waits finds the door open at one of the first looks. The jobs of one process
take turns, since three of them without pauses between each other would be one that never pauses.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import apsw
from localfirst_schema.errors import LocalfirstError

from localfirst.code_index.store.errors import DiskFullError
from localfirst.replica.connection import immediate, in_words

TARGET_S = 0.004
"""How long a write transaction should take."""

SHORTEST_PAUSE_S = 0.002
"""Twice the time between two looks of a person's write (`localfirst.replica.connection.LOCK_LOOKS_MS`)."""

LONGEST_PAUSE_S = 0.01

CHECKPOINT_PAGES = 900
"""The log is brought into the file before a person's commit would have to do it (at `WAL_AUTOCHECKPOINT_PAGES`)."""

BUSY_TIMEOUT_MS = 60_000
"""The index is patient: another process's migration or backup may take long."""

CACHE_KB = 32 * 1024

_turn = threading.Lock()
_log_pages: dict[int, int] = {}
"""Pages of the log after the last commit, by connection."""


def prepare(connection: apsw.Connection) -> None:
    """Gives a connection the policy of the index: what it writes can be computed again, so it does not wait for the disk."""
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.setlk_timeout(0, 0)  # it gives way
    connection.pragma("synchronous", "normal")
    connection.pragma("cache_size", -CACHE_KB)
    connection.set_wal_hook(_note_log)  # in place of SQLite's own checkpoints


@contextmanager
def writing(connection: apsw.Connection) -> Iterator[None]:
    """One short write transaction and the pause after it.

    Raises DiskFullError, and `localfirst.replica.connection`'s errors for what else SQLite may say.
    """
    with _turn:
        held = 0.0
        try:
            with immediate(connection):
                entered = time.perf_counter()
                yield
                held = time.perf_counter() - entered
        except LocalfirstError as error:
            if isinstance(error.__cause__, apsw.FullError):
                raise DiskFullError("the disk that holds the replica is full; indexing goes on when there is room.") from error
            raise
        if _log_pages.pop(id(connection), 0) >= CHECKPOINT_PAGES:
            _checkpoint(connection)  # holds up nobody: a pause by itself
        else:
            time.sleep(min(max(held / 2, SHORTEST_PAUSE_S), LONGEST_PAUSE_S))


def _note_log(connection: apsw.Connection, _database: str, pages: int) -> int:
    _log_pages[id(connection)] = pages
    return apsw.SQLITE_OK


def _checkpoint(connection: apsw.Connection) -> None:
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except (apsw.BusyError, apsw.LockedError):
        return  # another one is at it
    except apsw.FullError as error:
        raise DiskFullError("the disk that holds the replica is full; indexing goes on when there is room.") from error
    except apsw.Error as error:
        raise in_words(error) from error
