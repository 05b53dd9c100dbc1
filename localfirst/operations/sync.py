"""Synchronisation by hand, and how it stands."""

from __future__ import annotations

from typing import Any

from localfirst_schema.arguments import Nothing
from localfirst_schema.errors import UnavailableError
from localfirst_schema.results import Synced, SyncStatus

from localfirst.client.ports import Reader
from localfirst.client.where import place
from localfirst.operations.operation import Operation
from localfirst.replica import access, outbox, set_aside
from localfirst.replica.recovery import last_recovery
from localfirst.settings.untrusted import WARNING

SYNC_TIMEOUT_S = 300.0


def sync_now(session: Reader, arguments: Nothing) -> dict[str, Any]:
    """Sends everything queued and pulls up to the server's head."""
    if session.link is None:
        raise UnavailableError(
            "no server is configured; set LOCALFIRST_SERVER_URL or LOCALFIRST_DATABASE_URL to synchronise with one.",
            cause="settings",
        )
    done = session.link.sync(SYNC_TIMEOUT_S)
    if done is None:
        cause = session.link.last_cause()
        raise UnavailableError(
            session.link.last_error()
            or "the server does not answer; your changes are kept in the replica and go out when it is back.",
            **({} if cause is None else {"cause": cause}),
        )
    return done | {"success": True, "warnings": _of_access(session)}


def _of_access(session: Reader) -> list[str]:
    """What there is to say where the server takes no changes from this user, or none for the time being."""
    if not access.is_read_only(session.replica):
        return []
    return ["read_only"] if outbox.is_empty(session.replica) else ["pending_local_changes", "read_only"]


def sync_status(session: Reader, arguments: Nothing) -> dict[str, Any]:
    """How this replica stands to the server."""
    cursor, last_sync_at = session.replica.execute("SELECT cursor_seq, last_sync_at FROM replica").fetchall()[0]
    head = session.link.head() if session.link is not None else None
    result = session.of_replica()
    if session.settings.untrusted and WARNING not in result["warnings"]:
        result["warnings"].append(WARNING)
    if session.link is not None and "read_only" not in result["warnings"] and access.is_read_only(session.replica):
        result["warnings"].append("read_only")
    return result | {
        **place(session.settings, session.replica),
        # While somebody holds its rows a server gives no head and is there all the same.
        "online": head is not None or (session.link is not None and session.link.is_online()),
        "server": session.link.server() if session.link is not None else None,
        "last_sync_at": last_sync_at,
        "pending_mutations": outbox.count(session.replica),
        "open_conflicts": session.replica.execute("SELECT count(*) FROM conflicts WHERE resolved_at IS NULL").get,
        "cursor": cursor,
        "server_head": head[0] if head is not None else None,
        "last_error": session.link.last_error() if session.link is not None else None,
        "set_aside": set_aside.summary(session.replica),
        "last_takeover": session.link.last_takeover() if session.link is not None else None,
        "last_recovery": last_recovery.in_words(session.replica),
        "untrusted_settings": list(session.settings.untrusted),
    }


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
        groups=("sync",),
        blocks=True,
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
        groups=("sync",),
        of_replica_alone=True,
    ),
)
