"""How fresh the replica is, and what a read says of it.

With a server configured a read asks it first for the number of its last change (one round trip, within a small budget). If
the replica has that number, its rows are the server's rows at this moment, and the answer is PostgreSQL's
(`data_source: postgresql`) although no row had to travel. If not, the missing changes are pulled first. If the server does
not answer in time, or while own changes wait, the answer is the replica's (`sqlite_cache`).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import apsw
from localfirst_schema import timestamps

from localfirst.replica import outbox

if TYPE_CHECKING:
    from localfirst.server_link import ServerLink

PULL_BUDGET_S = 1.0
"""How long a read waits for a pull that it needs; after that it answers from the replica as it is."""

STALE_AFTER_MINUTES = 30.0

_CURSOR = "SELECT cursor_seq, cursor_tag FROM replica"


class Freshness:
    """Decides, before each read, which layer it is answered from."""

    def __init__(self, replica: apsw.Connection, link: ServerLink | None, read_from: str) -> None:
        self._replica = replica
        self._link = link
        self._server_first = read_from == "server"

    def before_read(self, row_id: str | None) -> dict[str, Any]:
        """The common fields of a read's result; may pull first."""
        if self._link is None:
            return self._from_replica(row_id, [])
        waiting = self._has_waiting(row_id)
        away: list[str] = []
        if self._server_first and self._is_level():
            if not waiting and not self._has_waiting(row_id):
                return {"success": True, "data_source": "postgresql", "warnings": self._conflict_warnings(row_id)}
        elif self._server_first or not self._link.is_online():
            away = ["database_unavailable", "using_fallback_cache"]
        return self._from_replica(row_id, away)

    def of_replica(self) -> dict[str, Any]:
        """The common fields of a result that speaks of the replica itself; asks nobody."""
        return self._from_replica(None, [])

    def _from_replica(self, row_id: str | None, warnings: list[str]) -> dict[str, Any]:
        warnings = warnings + self._conflict_warnings(row_id)
        if self._link is None:
            return {"success": True, "data_source": "sqlite_cache", "warnings": warnings}
        if self._has_waiting(row_id):
            warnings.append("pending_local_changes")
        age = self._age_minutes()
        if age is None or age > STALE_AFTER_MINUTES:
            warnings.append("stale_cache")
        return {"success": True, "data_source": "sqlite_cache", "warnings": warnings, "cache_age_minutes": age}

    def catch_up(self) -> bool:
        """Makes the replica level with the server, within the budgets; False if it could not."""
        return self._link is not None and self._is_level()

    def _conflict_warnings(self, row_id: str | None) -> list[str]:
        """To be asked after a pull, which may bring a conflict or its end."""
        return ["conflict_pending"] if self.has_conflict(row_id) else []

    def has_conflict(self, row_id: str | None) -> bool:
        """Whether an open conflict concerns the row (None: any row)."""
        if row_id is None:
            sql = "SELECT EXISTS (SELECT 1 FROM conflicts WHERE resolved_at IS NULL)"
            return bool(self._replica.execute(sql).get)
        sql = "SELECT EXISTS (SELECT 1 FROM conflicts WHERE entity_id = ? AND resolved_at IS NULL)"
        return bool(self._replica.execute(sql, (row_id,)).get)

    def _has_waiting(self, row_id: str | None) -> bool:
        if outbox.is_empty(self._replica):
            return False
        return row_id is None or outbox.row_waits(self._replica, row_id)

    def _is_level(self) -> bool:
        """Whether the replica has everything that the server had when this was asked."""
        assert self._link is not None
        head = self._link.head()
        if head is None:
            return False
        if self._cursor() == head:
            return True
        deadline = time.monotonic() + PULL_BUDGET_S
        self._link.pull(PULL_BUDGET_S)
        while self._cursor()[0] < head[0]:
            # Another process may be pulling into the same replica: wait for it within the budget.
            if time.monotonic() > deadline or not self._link.pull(deadline - time.monotonic()):
                return False
        return True

    def _cursor(self) -> tuple[int, ...]:
        rows: list[Any] = self._replica.execute(_CURSOR).fetchall()
        return tuple(rows[0])

    def _age_minutes(self) -> float | None:
        last = self._replica.execute("SELECT last_sync_at FROM replica").get
        if last is None:
            return None
        return round(max(0.0, (datetime.now(UTC) - timestamps.parse(last)).total_seconds() / 60), 2)
