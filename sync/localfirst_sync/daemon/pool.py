"""A few connections to PostgreSQL for all laptops, each lent to one request at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from localfirst_schema.errors import UnavailableError
from psycopg.pq import TransactionStatus

from localfirst_sync.postgres import head, migrate, rights
from localfirst_sync.postgres.connection import Connection, close_quietly, closed_on_failure, connect
from localfirst_sync.postgres.failure import unavailable
from localfirst_sync.pulse import Pulse

WAIT_S = 10.0
"""How long a request waits for a connection; then it is asked to come again."""

_IDENTITY = b"SELECT id::text FROM localfirst.server_identity"

_Result = TypeVar("_Result")


class Lent:
    """A connection, and which server it leads to; None where that has no identity."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.server_id = server_identity(connection)

    def leads_to(self, server_id: str) -> bool:
        """Whether this is that server; asked again where it seems not to be, since the schema may have been set up anew.

        Raises `UnavailableError`.
        """
        if server_id != self.server_id:
            self.server_id = server_identity(self.connection)
        return server_id == self.server_id


class Pool:
    """For any thread. Connections are made when they are needed, up to `size`."""

    def __init__(self, dsn: str, size: int) -> None:
        self.size = size
        self._dsn = dsn
        self._pulse = Pulse()
        self._free: list[Lent] = []
        self._lock = threading.Lock()
        self._places = threading.Semaphore(size)
        self._is_closed = False
        self.in_use = 0

    def run(self, work: Callable[[Lent], _Result]) -> _Result:
        """Work with a connection. One that turns out to have been cut while it was idle is replaced, and the work begun anew:
        all that the daemon does is the same when it is done twice. Raises `UnavailableError`, and what the work raises."""
        for is_last in (False, True):
            with self._place():
                lent, is_kept = self._take()
                try:
                    result = work(lent)
                except UnavailableError as error:
                    self._give_back(lent)
                    if is_last or not is_kept or error.details.get("cause") != "connection":
                        raise
                    self._forget_free()  # they were cut with it
                except BaseException:
                    self._give_back(lent)
                    raise
                else:
                    self._give_back(lent)
                    return result
        raise AssertionError("the second try returns or raises")

    def close(self) -> None:
        """Closes what is free now, and the others as they come back."""
        with self._lock:
            self._is_closed = True
        self._forget_free()

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=WAIT_S):
            raise UnavailableError(
                "The server has no connection to PostgreSQL free; it is tried again by itself.", cause="connections"
            )
        self.in_use += 1
        try:
            yield
        finally:
            self.in_use -= 1
            self._places.release()

    def _take(self) -> tuple[Lent, bool]:
        with self._lock:
            lent = self._free.pop() if self._free else None
        if lent is not None and not lent.connection.closed:
            return lent, True
        return self._made(), False

    def _made(self) -> Lent:
        with closed_on_failure(connect(self._dsn, pulse=self._pulse)) as connection:
            migrate.migrate(connection)
            connection.is_standby = rights.access(connection) == "standby"
            head.prepare(connection)
            return Lent(connection)

    def _give_back(self, lent: Lent) -> None:
        """Nothing may be left open on a connection that others get, nor may an answer still be on its way there."""
        is_good = not lent.connection.closed and lent.connection.info.transaction_status == TransactionStatus.IDLE
        with self._lock:
            if is_good and not self._is_closed:
                self._free.append(lent)
                return
        close_quietly(lent.connection)

    def _forget_free(self) -> None:
        with self._lock:
            free, self._free = self._free, []
        for lent in free:
            close_quietly(lent.connection)


def server_identity(connection: Connection) -> str | None:
    """Which server this is. Raises `UnavailableError`."""
    try:
        row: Any = connection.execute(_IDENTITY).fetchone()
    except psycopg.Error as error:
        raise unavailable(error) from None
    return None if row is None else str(row[0])
