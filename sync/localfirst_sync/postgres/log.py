"""What a push leaves in PostgreSQL beside rows and conflicts: the history, the head, and what is remembered of the replica."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from localfirst_schema.wire import HASH_BYTES

from localfirst_sync.ports import Cursor, HistoryCount, Identity, Line, ServerWasRestored
from localfirst_sync.postgres.bulk import copy_rows
from localfirst_sync.postgres.columns import time_text
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.postgres.protocol import check_protocol
from localfirst_sync.receipts import UNKNOWN, Known, Receipt
from localfirst_sync.structure import Key

_encode = msgspec.json.Encoder().encode

_LOCK_HEAD = "SELECT head, tag FROM localfirst.project_heads WHERE project_id = %s FOR UPDATE"

# Asked after the head was locked: a migration that asks for another protocol waits for the pushes under way, and is seen by the
# next one.
_REPLICA = """
SELECT (SELECT pg_catalog.max(m.protocol) FROM localfirst.schema_migrations AS m), r.epoch, r.last_number, r.last_hash
FROM (SELECT) AS one LEFT JOIN localfirst.replicas AS r ON r.project_id = %s AND r.replica_id = %s
"""

_RECEIPTS = """
SELECT first_number, last_number, hashes, verdicts FROM localfirst.push_receipts
WHERE project_id = %s AND replica_id = %s AND last_number > %s ORDER BY first_number
"""

_KNOWS = "SELECT EXISTS (SELECT FROM localfirst.history WHERE project_id = %s AND seq = %s AND tag = %s)"

_LINES = f"""
SELECT h.entity, h.entity_id::text, h.version, h.by, {time_text("h.at")}, h.outcome, h.fields::text
FROM localfirst.history AS h WHERE h.project_id = %s AND h.entity_id = ANY(%s::uuid[]) ORDER BY h.entity_id, h.version, h.seq
"""

# What a recovery has logged has no number, like what a direct writer changed, but names who brought it. The head is asked for
# so that the planner expects few lines after the cursor: mostly there are none.
_BROUGHT = f"""
SELECT h.entity, h.entity_id::text, h.version, h.by, {time_text("h.at")}, h.outcome, h.fields::text
FROM localfirst.history AS h
WHERE h.project_id = %(project)s AND h.seq > %(seq)s
    AND h.seq <= (SELECT p.head FROM localfirst.project_heads AS p WHERE p.project_id = %(project)s)
    AND h.number IS NULL AND h.replica_id IS NOT NULL AND h.entity_id = ANY(%(ids)s::uuid[])
"""

_VERSIONS = """
SELECT h.entity, h.entity_id::text, pg_catalog.max(h.version) FROM localfirst.history AS h
WHERE h.project_id = %s AND h.entity_id = ANY(%s::uuid[]) GROUP BY h.entity, h.entity_id
"""

_COUNTS = """
SELECT entity, entity_id::text, pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE outcome = 'accepted'),
    pg_catalog.sum(version)::bigint
FROM localfirst.history
WHERE project_id = %s GROUP BY entity, entity_id
"""

_HISTORY_COLUMNS = (
    "project_id", "seq", "tag", "entity", "entity_id", "version", "by", "at", "outcome", "fields", "replica_id", "number",
    "via",
)  # fmt: skip

_WRITE_HISTORY = """
INSERT INTO localfirst.history (
    project_id, seq, tag, entity, entity_id, version, by, at, outcome, fields, replica_id, number, via
)
SELECT %s::uuid, r.seq, %s::integer, r.entity, r.entity_id, r.version, r.by, r.at, r.outcome, r.fields, %s::uuid, r.number,
    %s::text
FROM pg_catalog.jsonb_to_recordset(%s::jsonb) AS r (
    seq bigint, entity text, entity_id uuid, version bigint, by text, at timestamptz, outcome text, fields jsonb, number bigint
)
"""

# One statement, since each costs a round of parsing and planning, and these always go together.
_FINISH = """
WITH moved_head AS (
    UPDATE localfirst.project_heads SET head = %(head)s, tag = %(tag)s WHERE project_id = %(project)s AND head <> %(head)s
), seen AS (
    INSERT INTO localfirst.replicas AS r (project_id, replica_id, epoch, last_number, last_hash, last_push_at)
    VALUES (%(project)s, %(replica)s, %(epoch)s, %(last_number)s, %(last_hash)b, pg_catalog.now())
    ON CONFLICT (project_id, replica_id) DO UPDATE
    SET epoch = excluded.epoch, last_number = excluded.last_number, last_hash = excluded.last_hash,
        last_push_at = pg_catalog.now()
), acknowledged AS (
    DELETE FROM localfirst.push_receipts
    WHERE project_id = %(project)s AND replica_id = %(replica)s AND last_number <= %(acked_number)s
), remembered AS (
    INSERT INTO localfirst.push_receipts (project_id, replica_id, first_number, last_number, hashes, verdicts)
    VALUES (%(project)s, %(replica)s, %(first_number)s, %(last_number)s, %(hashes)b, %(verdicts)b)
)
SELECT pg_catalog.pg_notify('localfirst_' || pg_catalog.replace(%(project)s::uuid::text, '-', ''), '')
"""


_FENCE = """
INSERT INTO localfirst.replicas AS r (project_id, replica_id, epoch) VALUES (%s, %s, %s)
ON CONFLICT (project_id, replica_id) DO UPDATE SET epoch = greatest(r.epoch, excluded.epoch)
"""

_MOVE_HEAD = """
WITH moved_head AS (
    UPDATE localfirst.project_heads SET head = %(head)s, tag = %(tag)s WHERE project_id = %(project)s
)
SELECT pg_catalog.pg_notify('localfirst_' || pg_catalog.replace(%(project)s::uuid::text, '-', ''), '')
"""


class LogEntry(NamedTuple):
    """One line of the history; `fields` is JSON text."""

    entity: str
    entity_id: str
    version: int
    by: str | None
    at: str
    outcome: str
    fields: str
    number: int | None


def send_head_lock(connection: Connection, project_id: str) -> Any:
    """Locks the project's head; what is read after it includes everything that is committed before this push."""
    return connection.execute(_LOCK_HEAD, (project_id,), prepare=True)


def send_replica(connection: Connection, identity: Identity, acked_number: int) -> tuple[Any, Any]:
    """Asks for what is known of a replica, to be read by `known_replica`."""
    of_replica = (identity.project_id, identity.replica_id)
    return (
        connection.execute(_REPLICA, of_replica, prepare=True, binary=True),
        connection.execute(_RECEIPTS, (*of_replica, acked_number), prepare=True, binary=True),
    )


def known_replica(asked: tuple[Any, Any]) -> Known:
    """The answer to `send_replica`. Raises `UnavailableError` when the server asks for a protocol that is not spoken here."""
    replica, receipts = asked
    protocol, epoch, last_number, last_hash = replica.fetchone()
    check_protocol(protocol)
    if epoch is None:
        return UNKNOWN
    return Known(epoch, last_number, last_hash, [Receipt(*receipt) for receipt in receipts])


def send_cursor(connection: Connection, project_id: str, cursor: Cursor) -> Any:
    """Asks whether a cursor is of this server's history, to be read by `check_cursor`."""
    return connection.execute(_KNOWS, (project_id, *cursor), prepare=True) if cursor.seq else None


def check_cursor(asked: Any) -> None:
    """The answer to `send_cursor`: raises `ServerWasRestored` if the cursor is of another past."""
    if asked is not None and not asked.fetchone()[0]:
        raise ServerWasRestored


def send_lines(connection: Connection, project_id: str, ids: Sequence[str]) -> Any:
    """Asks for the whole history of some rows, to be read by `lines`."""
    return connection.execute(_LINES, (project_id, ids), prepare=True) if ids else None


def send_brought(connection: Connection, project_id: str, cursor: Cursor, ids: Sequence[str]) -> Any:
    """Asks for what recoveries have logged of some rows after the cursor, to be read by `lines`."""
    if not ids or not cursor.seq:
        return None
    return connection.execute(_BROUGHT, {"project": project_id, "seq": cursor.seq, "ids": ids}, prepare=True)


def lines(asked: Any) -> dict[Key, list[Line]]:
    """The answer to `send_lines`, by rising version, or to `send_brought`."""
    found: dict[Key, list[Line]] = {}
    for entity, row_id, *line in asked.fetchall() if asked is not None else ():
        found.setdefault((entity, row_id), []).append(Line(*line))
    return found


def send_versions(connection: Connection, project_id: str, ids: Sequence[str]) -> Any:
    """Asks for the highest version that the history tells of some rows, to be read by `versions`."""
    return connection.execute(_VERSIONS, (project_id, ids), prepare=True) if ids else None


def versions(asked: Any) -> dict[Key, int]:
    """The answer to `send_versions`."""
    return {(entity, row_id): version for entity, row_id, version in (asked.fetchall() if asked is not None else ())}


def counts(connection: Connection, project_id: str) -> dict[Key, HistoryCount]:
    """How much the history tells of each row."""
    found: list[Any] = connection.execute(_COUNTS, (project_id,)).fetchall()
    return {(entity, row_id): HistoryCount(*logged) for entity, row_id, *logged in found}


def write_history(connection: Connection, identity: Identity, first: Cursor, entries: Sequence[LogEntry]) -> None:
    """Appends to the history: `first` is the first entry's number, and the tag of all."""
    if entries:
        rows = [
            {
                "seq": seq, "entity": e.entity, "entity_id": e.entity_id, "version": e.version, "by": e.by, "at": e.at,
                "outcome": e.outcome, "fields": msgspec.Raw(e.fields.encode()), "number": e.number,
            }
            for seq, e in enumerate(entries, first.seq)
        ]  # fmt: skip
        arguments = (identity.project_id, first.tag, identity.replica_id, identity.via, _encode(rows).decode())
        connection.execute(_WRITE_HISTORY, arguments, prepare=True)


def copy_history(connection: Connection, identity: Identity, first: Cursor, entries: Sequence[LogEntry]) -> None:
    """The same for many entries; not within a pipeline."""
    project, replica, tag, via = identity.project_id, identity.replica_id, first.tag, identity.via
    rows = (
        (project, seq, tag, e.entity, e.entity_id, e.version, e.by, e.at, e.outcome, e.fields, replica, e.number, via)
        for seq, e in enumerate(entries, first.seq)
    )
    copy_rows(connection, "localfirst.history", _HISTORY_COLUMNS, rows)


def finish(connection: Connection, identity: Identity, after: Cursor, receipt: Receipt, acked_number: int) -> None:
    """Moves the head, remembers the verdicts, forgets the acknowledged ones, and wakes whoever listens."""
    arguments = {
        "project": identity.project_id,
        "replica": identity.replica_id,
        "epoch": identity.epoch,
        "head": after.seq,
        "tag": after.tag,
        "acked_number": acked_number,
        "last_hash": receipt.hashes[-HASH_BYTES:],
        **receipt._asdict(),
    }
    connection.execute(_FINISH, arguments, prepare=True)


def fence(connection: Connection, identity: Identity) -> None:
    """Refuses what earlier rounds of the replica have sent and has not arrived."""
    connection.execute(_FENCE, (identity.project_id, identity.replica_id, identity.epoch))


def move_head(connection: Connection, project_id: str, after: Cursor) -> None:
    """Moves the head and wakes whoever listens."""
    connection.execute(_MOVE_HEAD, {"project": project_id, "head": after.seq, "tag": after.tag}, prepare=True)
