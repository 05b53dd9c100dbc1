"""Opening a project's replica, whatever its file has come to: a broken one is set aside and rebuilt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw

from localfirst.replica.connection import BUSY_TIMEOUT_MS, ReplicaUnreadableError
from localfirst.replica.replica import open_file


def open_replica(
    path: Path,
    project_name: str | None,
    *,
    busy_timeout_ms: int = BUSY_TIMEOUT_MS,
    on_rebuilt: Callable[[str], None] | None = None,
) -> apsw.Connection:
    """Opens the replica at `path`; a project that has no name yet gets this one (None: local until named).

    A project that has one keeps it: whether it is the right one is for the caller to say. A file that is no database, or a
    damaged one, is renamed to ``NAME.corrupt-TIME``, a new one begun, and what can still be read of the old one saved into it
    (`rebuild`); `on_rebuilt` is called with that in words. Raises UnavailableError where the place cannot be written or is
    locked for longer than `busy_timeout_ms`.
    """
    try:
        return open_file(path, project_name, busy_timeout_ms=busy_timeout_ms)
    except ReplicaUnreadableError:
        from localfirst.replica.recovery.rebuild import rebuild  # rarely needed

        words = rebuild(path, project_name, damaged=None)
        if words is not None and on_rebuilt is not None:
            on_rebuilt(words)
        return open_file(path, project_name, busy_timeout_ms=busy_timeout_ms)
