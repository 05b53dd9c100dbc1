"""The first fill of a replica, from a snapshot of the server that is staged aside, and what was committed since.

Why it may be resumed in another snapshot: let S be the server's head when it began. Every page was read at S or later. A row
that has changed since S is named by the history after S, so that the last step brings it as it is then, whatever its page said;
a row that has not is the same in every snapshot, and its id, which never changes, has its place in exactly one page. Nothing is
missed, and nothing is doubled. Staged rows are of one moment only after that step, which is one transaction with the swap.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from localfirst_sync.ports import (
    BEGINNING,
    Cursor,
    HistoryRow,
    LocalStore,
    Progress,
    RemoteStore,
    ServerWasRestored,
    Staging,
)

logger = logging.getLogger("localfirst.sync")


def bootstrap(local: LocalStore, remote: RemoteStore, progress: Progress | None = None) -> tuple[int, Cursor]:
    """Fills the replica; returns how many changes came that are not its own, and the head it has reached.

    The lock must be held.

    Raises `UnavailableError` or `Fenced`; what is staged by then is taken up by the next round.
    """
    staging = local.begin_bootstrap()
    if staging.cursor != BEGINNING:
        logger.info("the first fill of the replica goes on behind %s", staging.place)
    logged = staging if progress is None else _Counted(staging, progress)
    try:
        remote.snapshot(logged)
    except ServerWasRestored:
        logger.warning("PostgreSQL was restored to an older state; the first fill of the replica begins anew")
        local.discard_bootstrap()
        remote.snapshot(logged)
    sink = local.begin_pull()
    # A server that was set back meanwhile, but not as far as the cursor, has another past than what is staged, or has lost what
    # it had acknowledged.
    reached = remote.pull(staging.cursor, sink, known=(staging.read_at, local.last_push()))
    return local.finish_bootstrap(staging, sink, reached), reached


class _Counted:
    """A `Staging` that tells of its progress, in rows and changes; there are at most as many rows as changes."""

    def __init__(self, staging: Staging, progress: Progress) -> None:
        self._staging = staging
        self._progress = progress
        self._done = 0

    @property
    def cursor(self) -> Cursor:
        return self._staging.cursor

    @property
    def read_at(self) -> Cursor:
        return self._staging.read_at

    @property
    def place(self) -> tuple[str, str | int] | None:
        return self._staging.place

    def begin(self, head: Cursor) -> None:
        self._staging.begin(head)

    def go_on(self, head: Cursor) -> None:
        self._staging.go_on(head)

    def rows(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        self._staging.rows(table, rows)
        self._tell(len(rows))

    def history(self, rows: Sequence[HistoryRow]) -> None:
        self._staging.history(rows)
        self._tell(len(rows))

    def _tell(self, more: int) -> None:
        self._done += more
        self._progress(self._done, max(2 * self.cursor.seq, self._done), "pull")
