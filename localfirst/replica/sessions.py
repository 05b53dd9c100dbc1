"""The sessions of clients that this replica has seen: since when each client name was away, and whose process is gone.

A session that was killed has no end: what happened since it began is news for the next one of its name.
"""

from __future__ import annotations

import os

import apsw
from localfirst_schema import timestamps
from localfirst_sync.lock_holder import start_of

_BEGIN = "INSERT OR IGNORE INTO sessions (claimant, client, pid, start, began_at) VALUES (?, ?, ?, ?, ?)"
_END = "UPDATE sessions SET ended_at = ? WHERE claimant = ? AND ended_at IS NULL"
_BEFORE = "SELECT max(coalesce(ended_at, began_at)) FROM sessions WHERE client = ? AND claimant <> ?"
_LATEST = "SELECT began_at FROM sessions WHERE client = ? AND claimant <> ? ORDER BY coalesce(ended_at, began_at) DESC LIMIT 1"
_OTHERS = "SELECT claimant, pid, start, ended_at FROM sessions WHERE client = ? AND claimant <> ?"


def begin(connection: apsw.Connection, client: str, claimant: str) -> str | None:
    """Notes a session that has begun; when the one before of the same client name ended, None if there was none."""
    before = connection.execute(_BEFORE, (client, claimant)).get
    connection.execute(_BEGIN, (claimant, client, os.getpid(), start_of(os.getpid()), timestamps.now()))
    return None if before is None else str(before)


def latest_began(connection: apsw.Connection, client: str, claimant: str) -> str | None:
    """When the last session of this client name before this one began; None if there was none."""
    found = connection.execute(_LATEST, (client, claimant)).get
    return None if found is None else str(found)


def end(connection: apsw.Connection, claimant: str) -> None:
    """Notes that a session has ended."""
    connection.execute(_END, (timestamps.now(), claimant))


def gone(connection: apsw.Connection, client: str, claimant: str) -> set[str]:
    """The claimants of sessions of this client name whose process is gone."""
    return {
        str(name)
        for name, pid, start, ended_at in connection.execute(_OTHERS, (client, claimant))
        if ended_at is not None or start_of(int(str(pid))) != start
    }
