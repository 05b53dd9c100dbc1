"""What a replica keeps of the server that it reconciles with (`localfirst_sync.known_server.Acquaintance`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import apsw

from localfirst.replica.connection import immediate, sqlite_errors

if TYPE_CHECKING:
    from localfirst_sync.known_server import Known
    from localfirst_sync.ports import Cursor

_SEEN = """
    SELECT max(cursor_seq, pushed_seq), CASE WHEN pushed_seq > cursor_seq THEN pushed_tag ELSE cursor_tag END FROM replica
"""


class KnownServer:
    """Over one connection to the replica, for the thread that made it.

    Args:
        on_name: called with the name that the project has on the server before the replica takes it. What it raises keeps the
            name out of the replica, so that it is called again.
    """

    def __init__(self, connection: apsw.Connection, on_name: Callable[[str], None] = lambda _: None) -> None:
        self._connection = connection
        self._on_name = on_name

    def known(self) -> Known | None:
        """See `Acquaintance.known`."""
        from localfirst_sync.known_server import Known

        with sqlite_errors():
            row = self._connection.execute("SELECT id, system_identifier FROM known_server").fetchone()
            addresses = self._connection.execute("SELECT address FROM known_address").fetchall()
        return None if row is None else Known(str(row[0]), row[1], frozenset(str(one) for (one,) in addresses))

    def seen(self) -> Cursor:
        """See `Acquaintance.seen`."""
        from localfirst_sync.ports import Cursor

        with sqlite_errors():
            row: Any = self._connection.execute(_SEEN).fetchone()
        return Cursor(*row)

    def remember(self, known: Known) -> None:
        """See `Acquaintance.remember`."""
        with immediate(self._connection):
            self._clear()
            self._connection.execute("INSERT INTO known_server VALUES (1, ?, ?)", (known.id, known.system_identifier))
            for address in sorted(known.addresses):
                self._connection.execute("INSERT INTO known_address VALUES (?)", (address,))

    def take_project(self, project_id: str, name: str) -> None:
        """See `Acquaintance.take_project`."""
        from localfirst.replica.known_project import take_project  # rarely needed

        self._on_name(name)
        with immediate(self._connection):
            take_project(self._connection, project_id, name)

    def forget(self) -> None:
        """Whatever server answers next is taken for the replica's own."""
        with immediate(self._connection):
            self._clear()

    def _clear(self) -> None:
        self._connection.execute("DELETE FROM known_server")
        self._connection.execute("DELETE FROM known_address")
