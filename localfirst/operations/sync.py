"""Synchronisation by hand, how it stands, and the conflicts that are open."""

from __future__ import annotations

from typing import Any

from localfirst_schema.arguments import ListConflicts, Nothing
from localfirst_schema.errors import UnavailableError
from localfirst_schema.results import Conflicts, Synced, SyncStatus
from localfirst_schema.wire import decode_json

from localfirst.operations.operation import Operation
from localfirst.replica import outbox
from localfirst.session import Session

SYNC_TIMEOUT_S = 300.0

_CONFLICTS = """
    SELECT id, entity, entity_id, fields, base, mine, theirs, base_version, my_version, their_version, my_by, their_by,
        created_at, reason
    FROM conflicts WHERE resolved_at IS NULL AND (?1 IS NULL OR entity = ?1) ORDER BY created_at DESC, id LIMIT ?2
"""


def sync_now(session: Session, arguments: Nothing) -> dict[str, Any]:
    """Sends everything queued and pulls up to the server's head."""
    if session.link is None:
        raise UnavailableError("no server is configured; set LOCALFIRST_DATABASE_URL to synchronise with one.")
    done = session.link.sync(SYNC_TIMEOUT_S)
    if done is None:
        raise UnavailableError(
            f"the server does not answer ({session.link.last_error() or 'no connection'}); your changes are kept and will be"
            " sent when it is back."
        )
    return done | {"success": True, "warnings": []}


def sync_status(session: Session, arguments: Nothing) -> dict[str, Any]:
    """How this replica stands to the server."""
    cursor, last_sync_at = session.replica.execute("SELECT cursor_seq, last_sync_at FROM replica").fetchall()[0]
    head = session.link.head() if session.link is not None else None
    return session.of_replica() | {
        "online": head is not None,
        "server": session.link.server() if session.link is not None else None,
        "last_sync_at": last_sync_at,
        "pending_mutations": outbox.count(session.replica),
        "open_conflicts": session.replica.execute("SELECT count(*) FROM conflicts WHERE resolved_at IS NULL").get,
        "cursor": cursor,
        "server_head": head[0] if head is not None else None,
        "last_error": session.link.last_error() if session.link is not None else None,
    }


def list_conflicts(session: Session, arguments: ListConflicts) -> dict[str, Any]:
    """Open conflicts, newest first."""
    source = session.read()
    names = (
        "conflict_id", "entity", "id", "fields", "base", "mine", "theirs", "base_version", "my_version", "their_version",
        "my_by", "their_by", "created_at", "reason",
    )  # fmt: skip
    found = []
    for values in session.replica.execute(_CONFLICTS, (arguments.entity, arguments.limit)):
        conflict = dict(zip(names, values, strict=True))
        for name in ("fields", "base", "mine", "theirs"):
            conflict[name] = decode_json(conflict[name])
        found.append(conflict)
    count = "SELECT count(*) FROM conflicts WHERE resolved_at IS NULL AND (?1 IS NULL OR entity = ?1)"
    return {"conflicts": found, "total_count": session.replica.execute(count, (arguments.entity,)).get} | source


OPERATIONS = (
    Operation(
        "sync_now",
        "Synchronise now",
        "Sends everything queued and pulls what others changed. This happens by itself within a second; call it to be sure.",
        Nothing,
        Synced,
        sync_now,
        "update",
        idempotent=True,
    ),
    Operation(
        "sync_status",
        "State of synchronisation",
        "Whether the server answers, what waits to be sent, how many conflicts are open and what went wrong last.",
        Nothing,
        SyncStatus,
        sync_status,
        "read",
        idempotent=True,
    ),
    Operation(
        "list_conflicts",
        "List conflicts",
        "Fields that were changed on two machines at once and differently: base, mine, theirs. The server's value stands"
        " until somebody settles it.",
        ListConflicts,
        Conflicts,
        list_conflicts,
        "read",
        idempotent=True,
    ),
)
