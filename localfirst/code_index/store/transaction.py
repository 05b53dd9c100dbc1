"""Short write transactions: the index never keeps a person's write waiting for long.

SQLite has one writer. So a transaction of the index lasts a few milliseconds, and before the next one whoever asks for the turn
gets it (`localfirst.replica.turn`). The jobs of one process take turns too, so that each of them is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import apsw
from localfirst_schema.errors import LocalfirstError

from localfirst.code_index.store.errors import DiskFullError
from localfirst.replica.connection import ReplicaConnection, in_words, when_free

TARGET_S = 0.004
"""How long a write transaction should take."""

WAY_LIMIT_S = 0.05
"""How long the index gives way at a time: it has to come to an end too."""

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
    connection.pragma("synchronous", "normal")
    connection.pragma("cache_size", -CACHE_KB)
    connection.set_wal_hook(_note_log)  # in place of SQLite's own checkpoints


@contextmanager
def writing(connection: apsw.Connection) -> Iterator[None]:
    """One short write transaction, and after it the turn of whoever waits.

    Raises DiskFullError, and `localfirst.replica.connection`'s errors for what else SQLite may say.
    """
    with _turn:
        try:
            with when_free(connection):
                yield
        except LocalfirstError as error:
            if isinstance(error.__cause__, apsw.FullError):
                raise DiskFullError("the disk that holds the replica is full; indexing goes on when there is room.") from error
            raise
        if _log_pages.pop(id(connection), 0) >= CHECKPOINT_PAGES:
            _checkpoint(connection)
        if isinstance(connection, ReplicaConnection):
            connection.turn.give_way(WAY_LIMIT_S)


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
