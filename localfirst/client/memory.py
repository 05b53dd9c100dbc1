"""A replica in memory, for the time that the one on the disk is away: filled from its file where that can still be read.

It is shared by the connections of this process (SQLite's `memdb`): the sync loop brings it up to the server, and reads ask it.
Nothing of it is ever sent: what waits in the file's outbox is the file's to send.
"""

from __future__ import annotations

import uuid
from contextlib import closing

import apsw
from localfirst_schema.project_key import is_one_project

from localfirst.fallback.layers import empty
from localfirst.replica.connection import BUSY_TIMEOUT_MS, closed_on_failure
from localfirst.replica.defences import defend
from localfirst.replica.local_store import ReplicaStore
from localfirst.replica.migrate import LATEST
from localfirst.replica.planted import acting
from localfirst.replica.refs import know_refs
from localfirst.settings import Settings

READ_PATIENCE_MS = 250
"""How long the file is waited for that another process keeps locked."""

_FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI


class MemoryReplica:
    """One such replica; it lasts as long as `rows` is open.

    Attributes:
        rows: a connection, for the thread that made it.
        is_copy: whether it began as a copy of the file. If not, it holds nothing until the server has filled it.
    """

    def __init__(self, settings: Settings) -> None:
        self._uri = f"file:/localfirst-{uuid.uuid4()}?vfs=memdb"
        self.rows = self._connect()
        with closed_on_failure(self.rows):
            self.is_copy = self._fill(readable_copy(settings), settings)

    def _fill(self, content: bytes | None, settings: Settings) -> bool:
        with closing(apsw.Connection(":memory:") if content is not None else empty(settings)) as source:
            if content is not None:
                source.deserialize("main", content)
            with self.rows.backup("main", source, "main") as backup:
                backup.step(-1)
        return content is not None

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(self._uri, flags=_FLAGS)
        with closed_on_failure(connection):
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            connection.pragma("temp_store", "memory")
            defend(connection)
            know_refs(connection)
        return connection

    def open_store(self) -> ReplicaStore:
        """For the sync loop, which has connections of its own."""
        return _OnlyPulling(self._connect())


class _OnlyPulling(ReplicaStore):
    """A replica that sends nothing."""

    def pending_count(self) -> int:
        """Nothing waits here."""
        return 0

    def next_push(self, limit: int) -> None:
        """Nothing is sent."""


def readable_copy(settings: Settings) -> bytes | None:
    """The content of the replica's file, where it can be read whole and belongs to this project.

    Where only its folder cannot be written, what is in its log alone is not seen.
    """
    if not settings.replica.is_file():
        return None
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        try:
            connection = apsw.Connection(
                f"{settings.replica.resolve().as_uri()}?{mode}", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            )
        except (apsw.Error, OSError):
            continue
        try:
            defend(connection)
            connection.set_busy_timeout(READ_PATIENCE_MS)
            if acting(connection) is not None:
                return None
            if connection.pragma("user_version") != LATEST:
                return None
            name = connection.execute("SELECT project_name FROM replica").get
            is_other = name is not None and (settings.project is None or not is_one_project(name, settings.project))
            if is_other or connection.pragma("quick_check", 1) != "ok":
                return None
            return _without_log(connection.serialize("main"))
        except apsw.Error:
            continue
        finally:
            connection.close()
    return None


def _without_log(content: bytes) -> bytes:
    """The same database in rollback mode: one in memory has no write-ahead log (bytes 18 and 19 of the file format)."""
    changed = bytearray(content)
    changed[18:20] = b"\1\1"
    return bytes(changed)
