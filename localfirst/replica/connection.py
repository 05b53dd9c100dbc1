"""How a replica's file is opened: the policy of every connection, and SQLite's errors in words.

One connection belongs to one thread. Files are private to the user. What goes wrong below ends as a `LocalfirstError`:
a caller of this package never sees an error of SQLite's.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
from localfirst_schema.errors import LocalfirstError, UnavailableError

from localfirst import disk
from localfirst.disk import create_file
from localfirst.replica.defences import defend
from localfirst.replica.refs import know_refs
from localfirst.replica.turn import Turn

logger = logging.getLogger("localfirst.replica")

BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for another process's transaction; those are milliseconds long: in health it is never reached."""

QUICK_LOOK_S, SLOW_LOOK_S = 0.0005, 0.005
QUICK_LOOKS = 60
"""Whoever finds the replica locked looks again this often at the short interval. SQLite's own intervals (1, 2, 5, 10 ms, …)
sleep through the moment in which an index job gives way."""

WAL_AUTOCHECKPOINT_PAGES = 1000


class ReplicaUnreadableError(LocalfirstError):
    """The file is not a database, or is damaged; it is set aside and rebuilt (see `replica.open_replica`)."""

    @property
    def name(self) -> str:
        """Users see it as an `UnavailableError`."""
        return "UnavailableError"


class ReplicaConnection(apsw.Connection):
    """A connection that can ask for its turn to write."""

    def __init__(self, path: Path) -> None:
        self.turn = Turn(path)
        super().__init__(os.fspath(path))

    def close(self, force: bool = False) -> None:
        try:
            self.turn.close()
        finally:
            super().close(force)


def connect(path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> apsw.Connection:
    """Opens (and, if need be, creates) the file at `path` with the policy of this module.

    Raises UnavailableError if the place cannot be written, ReplicaUnreadableError if the file is not a database.
    """
    create_private(path)
    with sqlite_errors():
        connection = ReplicaConnection(path)
        with closed_on_failure(connection):
            be_patient(connection, busy_timeout_ms)
            _use_wal(connection, busy_timeout_ms)
            _make_durable(connection)
            connection.pragma("wal_autocheckpoint", WAL_AUTOCHECKPOINT_PAGES)
            connection.pragma("journal_size_limit", 16 * 1024 * 1024)
            connection.pragma("temp_store", "memory")
            defend(connection)
            know_refs(connection)
    return connection


@contextmanager
def closed_on_failure(connection: apsw.Connection) -> Iterator[None]:
    """For what a new connection needs before it is used: it is closed when that fails."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def be_patient(connection: apsw.Connection, patience_ms: int) -> None:
    """How long this connection waits where another one writes, from now on; 0: not at all."""
    connection.set_busy_handler(_Looks(patience_ms, connection.turn if isinstance(connection, ReplicaConnection) else None))


class _Looks:
    """SQLite's busy handler: called before each further look, with their number; False gives up."""

    def __init__(self, patience_ms: int, turn: Turn | None) -> None:
        self._patience_s = patience_ms / 1000
        self._turn = turn
        self._deadline = 0.0

    def __call__(self, looks: int) -> bool:
        now = time.monotonic()
        if looks == 0:
            self._deadline = now + self._patience_s
        if now >= self._deadline:
            return False
        if self._turn is not None:
            self._turn.insist()
        time.sleep(QUICK_LOOK_S if looks < QUICK_LOOKS else SLOW_LOOK_S)
        return True


def create_private(path: Path) -> None:
    """Makes the folder 0700 and the file 0600 where they do not exist yet; SQLite gives -wal and -shm the file's mode."""
    try:
        create_file(path)
    except OSError as error:
        raise UnavailableError(
            f"the replica cannot be created at {path}: {disk.in_words(error)}; set LOCALFIRST_REPLICA to a writable place.",
            cause="replica",
        ) from None
    if not path.is_file():  # SQLite would wait for the other end of a pipe for ever
        raise UnavailableError(
            f"the replica cannot be at {path}, which is no regular file; set LOCALFIRST_REPLICA to another place.",
            cause="replica",
        )


def _use_wal(connection: apsw.Connection, busy_timeout_ms: int) -> None:
    # The switch to WAL ignores the busy timeout, so two first openers can meet: the loser tries again.
    deadline = time.monotonic() + busy_timeout_ms / 1000
    for attempt in range(50):
        try:
            if connection.pragma("journal_mode") != "wal":
                connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            if attempt == 49 or time.monotonic() >= deadline:
                raise
            connection.pragma("user_version")  # this one does wait, until the other opener is through
        else:
            return


def _make_durable(connection: apsw.Connection) -> None:
    # An acknowledged write survives a power cut. On macOS plain fsync leaves data in the drive's cache.
    connection.pragma("synchronous", "full")
    if sys.platform == "darwin":
        connection.pragma("fullfsync", 1)
        connection.pragma("checkpoint_fullfsync", 1)


@contextmanager
def sqlite_errors() -> Iterator[None]:
    """Turns SQLite's errors into the user's: what is wrong, and what to do."""
    try:
        yield
    except apsw.Error as error:
        raise in_words(error) from error


def in_words(error: apsw.Error) -> LocalfirstError:
    """The user's error for one of SQLite's. `details["cause"]` is ``replica``: not the server is at fault."""
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return ReplicaUnreadableError("the replica is damaged and has to be rebuilt; run `localfirst doctor`.", cause="replica")
    return UnavailableError(_words(error), cause="replica")


def _words(error: apsw.Error) -> str:
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return "the replica is locked by another process; try again in a moment."
    if isinstance(error, apsw.FullError):
        return "the disk that holds the replica is full; make room and try again, nothing was changed."
    if isinstance(error, apsw.ReadOnlyError | apsw.PermissionsError | apsw.CantOpenError):
        return "the replica cannot be written; check the permissions of its file and folder."
    if isinstance(error, apsw.IOError):
        return "the disk that holds the replica reports an error; nothing was changed."
    logger.error("the replica failed in an unexpected way", exc_info=error)
    return "the replica failed in an unexpected way; see the log."


@contextmanager
def immediate(connection: apsw.Connection) -> Iterator[None]:
    """One write transaction, for which an index job gives way."""
    with _transaction(connection, _begin_soon):
        yield


@contextmanager
def when_free(connection: apsw.Connection) -> Iterator[None]:
    """One write transaction of the code index's, which gives way to all others."""
    with _transaction(connection, _begin):
        yield


@contextmanager
def _transaction(connection: apsw.Connection, begin: Callable[[apsw.Connection], object]) -> Iterator[None]:
    is_within = connection.in_transaction
    try:
        try:
            begin(connection)
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction and not is_within:
                connection.execute("ROLLBACK")
            raise
    except apsw.Error as error:
        raise in_words(error) from error


def _begin(connection: apsw.Connection) -> None:
    # As a writer at once: a transaction that began as a reader could fail half way under WAL.
    connection.execute("BEGIN IMMEDIATE")


def _begin_soon(connection: apsw.Connection) -> None:
    if not isinstance(connection, ReplicaConnection):  # in memory: nobody else writes
        _begin(connection)
        return
    connection.turn.ask()
    try:
        _begin(connection)
    finally:
        connection.turn.take()


@contextmanager
def snapshot(connection: apsw.Connection) -> Iterator[None]:
    """One read transaction: several queries see the same moment."""
    if connection.in_transaction:
        yield
        return
    try:
        connection.execute("BEGIN")
        try:
            yield
        finally:
            if connection.in_transaction:
                try:
                    connection.execute("COMMIT")
                finally:
                    if connection.in_transaction:  # left open it would stop every write that follows
                        connection.execute("ROLLBACK")
    except apsw.Error as error:
        raise in_words(error) from error
