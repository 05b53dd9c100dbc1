"""How fresh the replica is, and what a read says of it.

With a server configured a read asks it first for the number of its last change (one round trip, within a small budget). If
the replica has that number, its rows are the server's rows at this moment, and the answer is PostgreSQL's
(`data_source: postgresql`) although no row had to travel. If not, the missing changes are pulled first. If the server does
not answer in time, or while own changes wait, the answer is the replica's (`sqlite_cache`).

For a server far away the order is turned round (`LOCALFIRST_READ_FROM=replica`): nobody is asked, the sync loop keeps the
replica fresh, and the answer says how fresh it is. Only a replica that has never caught up is filled first.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from localfirst.replica import outbox, set_aside

if TYPE_CHECKING:
    from localfirst.client.server_link import ServerLink

STALE_AFTER_MINUTES = 30.0

_STATE = """
    SELECT last_sync_at, EXISTS (SELECT 1 FROM outbox), EXISTS (SELECT 1 FROM conflicts WHERE resolved_at IS NULL),
        EXISTS (SELECT 1 FROM set_aside), access <> 'write'
    FROM replica
"""
_CURSOR = "SELECT cursor_seq, cursor_tag FROM replica"
_ROW_HAS_CONFLICT = "SELECT EXISTS (SELECT 1 FROM conflicts WHERE entity_id = ? AND resolved_at IS NULL)"


class _State(NamedTuple):
    """What a read has to know of the replica: when it last caught up, whether a change, a conflict, or something that was
    set aside concerns the read, and whether the server takes no changes."""

    last_sync_at: str | None
    waits: bool
    in_conflict: bool
    is_set_aside: bool
    is_read_only: bool


class Freshness:
    """Decides, before each read, which layer it is answered from, and keeps the state of the replica that it was decided for.

    Attributes:
        keeps_snapshot: whether the queries of an answer see one state of the replica, until `end_snapshot`. Otherwise what
            another process commits between two of them would be in a half of the answer.
    """

    keeps_snapshot = False

    def __init__(self, replica: apsw.Connection, link: ServerLink | None, read_from: str) -> None:
        self._replica = replica
        self._link = link
        self._server_first = read_from == "server"

    def before_read(self, row_id: str | None) -> dict[str, Any]:
        """The common fields of a read's result; may pull first."""
        if self._link is None:
            return self._from_replica(self._state(row_id), [])
        if not self._server_first:
            return self._replica_first(row_id)
        is_level = self._is_level()
        state = self._state(row_id)  # to be asked after a pull, which may bring a conflict or its end
        if not is_level:
            return self._from_replica(state, ["database_unavailable", "using_fallback_cache"])
        if state.waits:
            return self._from_replica(state, [])
        warnings = ["conflict_pending"] if state.in_conflict else []
        if state.is_set_aside:
            warnings.append("set_aside")
        return {"success": True, "data_source": "postgresql", "warnings": warnings}

    def _replica_first(self, row_id: str | None) -> dict[str, Any]:
        assert self._link is not None
        state = self._state(row_id)
        if state.last_sync_at is None and self._is_level():
            state = self._state(row_id)
        away = ["database_unavailable", "using_fallback_cache"] if self._link.is_known_away() else []
        return self._from_replica(state, away)

    def of_replica(self) -> dict[str, Any]:
        """The common fields of a result that speaks of the replica itself; asks nobody."""
        return self._from_replica(self._state(None), [])

    def _from_replica(self, state: _State, warnings: list[str]) -> dict[str, Any]:
        if state.in_conflict:
            warnings.append("conflict_pending")
        if state.is_set_aside:
            warnings.append("set_aside")
        if self._link is None:
            return {"success": True, "data_source": "sqlite_cache", "warnings": warnings}
        if state.waits:
            warnings.append("pending_local_changes")
            if state.is_read_only:
                warnings.append("read_only")
        age = _age_minutes(state.last_sync_at)
        if age is None or age > STALE_AFTER_MINUTES:
            warnings.append("stale_cache")
        return {"success": True, "data_source": "sqlite_cache", "warnings": warnings, "cache_age_minutes": age}

    def end_snapshot(self) -> None:
        """The answer is read."""
        if self._replica.in_transaction:
            self._replica.execute("COMMIT")

    def begin_snapshot(self) -> None:
        """From the next query on one state is seen; a read that has to catch up with the server sees the one after that."""
        self.keeps_snapshot = True
        self._go_on_in_snapshot()

    def _go_on_in_snapshot(self) -> None:
        if self.keeps_snapshot and not self._replica.in_transaction:
            self._replica.execute("BEGIN")

    def catch_up(self) -> bool:
        """Makes the replica level with the server, within the budgets; False if it could not."""
        return self._link is not None and self._is_level()

    def has_conflict(self, row_id: str) -> bool:
        """Whether an open conflict concerns the row."""
        return bool(self._replica.execute(_ROW_HAS_CONFLICT, (row_id,)).get)

    def _state(self, row_id: str | None) -> _State:
        """One query, whatever is asked for: reads during an outage cost what reads without a server cost."""
        self._go_on_in_snapshot()
        found: list[Any] = self._replica.execute(_STATE).fetchall()
        last_sync_at, waits, in_conflict, is_set_aside, is_read_only = found[0]
        if row_id is not None:
            # Without a server everything waits, and nobody is informed.
            waits = waits and self._link is not None and outbox.row_waits(self._replica, row_id)
            in_conflict = in_conflict and self.has_conflict(row_id)
            is_set_aside = is_set_aside and row_id in set_aside.ids(self._replica)
        return _State(last_sync_at, bool(waits), bool(in_conflict), bool(is_set_aside), bool(is_read_only))

    def _is_level(self) -> bool:
        """Whether the replica has everything that the server had when this was asked; what was read before may be older."""
        self.end_snapshot()
        assert self._link is not None
        head = self._link.head()
        if head is None:
            return False
        if self._cursor() == head:
            return True
        budget_s = self._link.pull_budget_s()
        deadline = time.monotonic() + budget_s
        has_pulled = self._link.pull(budget_s)
        # A higher number alone says nothing: a server that was set back has given it to another change. It does after a pull,
        # which has found the server's past to be this one. Another process may be pulling into the same replica: that is
        # waited for within the budget.
        while (cursor := self._cursor()) != head and not (has_pulled and cursor[0] > head[0]):
            has_pulled = time.monotonic() <= deadline and self._link.pull(deadline - time.monotonic())
            if not has_pulled:
                return self._cursor() == head
        return True

    def _cursor(self) -> tuple[int, ...]:
        rows: list[Any] = self._replica.execute(_CURSOR).fetchall()
        return tuple(rows[0])


def _age_minutes(last_sync_at: str | None) -> float | None:
    if last_sync_at is None:
        return None
    # The replica's times are canonical text: nothing has to be checked, and this is on the path of every offline read.
    return round(max(0.0, (datetime.now(UTC) - datetime.fromisoformat(last_sync_at)).total_seconds() / 60), 2)
