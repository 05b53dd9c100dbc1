"""The head for the read path, from PostgreSQL itself."""

from __future__ import annotations

from localfirst_schema.errors import UnavailableError

from localfirst_sync import head_probe
from localfirst_sync.ports import Cursor
from localfirst_sync.postgres import head as _head
from localfirst_sync.postgres.connection import Connection, close_quietly, closed_on_failure, connect, lost
from localfirst_sync.pulse import Pulse


class HeadProbe(head_probe.HeadProbe[Connection]):
    """Asks PostgreSQL."""

    def __init__(self, dsn: str, project_id: str, pulse: Pulse | None = None) -> None:
        super().__init__(pulse)
        self._dsn = dsn
        self._project_id = project_id
        self._coming: Connection | None = None  # the one that is being made ready

    def _connected(self) -> Connection:
        try:
            with closed_on_failure(connect(self._dsn, pulse=self._pulse)) as connection:
                with self._lock:
                    if self._closed:
                        raise lost("connecting")
                    self._coming = connection
                _head.prepare(connection)
                return connection
        finally:
            self._coming = None

    def _give_up(self) -> None:
        with self._lock:
            coming = self._coming
        close_quietly(coming)

    def _asked(self, connection: Connection, budget_s: float) -> Cursor:
        return _head.ask(connection, self._project_id, 1000 * budget_s)

    def _let_go(self, connection: Connection) -> None:
        close_quietly(connection)

    def _lost(self, doing: str) -> UnavailableError:
        return lost(doing)
