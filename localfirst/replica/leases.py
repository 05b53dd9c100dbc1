"""Who holds which work item, and what time it is where leases are measured: the server's, as far as that is known.

A claim counts while its end lies ahead, and while its item is neither completed nor deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

import apsw
from localfirst_schema import timestamps
from localfirst_schema.entities import WORK_ITEM_CLAIM
from localfirst_schema.identifiers import natural_id
from localfirst_schema.wire import Row, encode_json

from localfirst.replica.rows import find

CLOCK_STEP_MS = 1_000
"""A clock that differs from what is kept by less is not written down anew."""

CARRIED_OVER_S = 3600
"""How long what was claimed without an end stays claimed."""

_OFFSET = "SELECT clock_offset_ms FROM replica"
_KEEP_OFFSET = "UPDATE replica SET clock_offset_ms = ?"
_HELD = """
    SELECT c.work_item_id, c.claimed_by, c.claimed_until FROM json_each(?) AS item
    JOIN work_item_claims AS c ON c.work_item_id = item.value
    WHERE c.claimed_by IS NOT NULL AND c.deleted_at IS NULL AND c.claimed_until > ?
"""
_CLAIMED = """
    SELECT r.project_id, w.id, w.claimed_by FROM replica AS r JOIN work_items AS w ON r.access = 'write'
    WHERE w.claimed_by IS NOT NULL AND w.deleted_at IS NULL AND w.status <> 'completed'
"""
_INSERT_CLAIM = """
    INSERT INTO work_item_claims (
        id, work_item_id, claimed_by, claimed_until, version, created_at, updated_at, created_by, updated_by
    ) VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5, ?3, ?3)
"""
_INSERT_HISTORY = """
    INSERT INTO history (entity, entity_id, version, by, at, outcome, fields)
    VALUES ('work_item_claim', ?, 1, ?, ?, 'accepted', ?)
"""
_INSERT_OUTBOX = """
    INSERT INTO outbox (history_id, number, txn, base_version)
    SELECT ?, number, number, 0 FROM (
        SELECT 1 + coalesce((SELECT number FROM outbox ORDER BY history_id DESC LIMIT 1), acked_number) AS number FROM replica
    )
"""


class Claim(NamedTuple):
    """Who holds an item, and until when."""

    by: str
    until: str


def note_clock(connection: apsw.Connection, offset_s: float) -> None:
    """Keeps how far the server's clock is ahead of this machine's, where that has changed."""
    offset_ms, kept = round(1000 * offset_s), connection.execute(_OFFSET).get
    if kept is None or abs(offset_ms - int(kept)) > CLOCK_STEP_MS:
        connection.execute(_KEEP_OFFSET, (offset_ms,))


def offset_s(connection: apsw.Connection) -> float:
    """How far the server's clock was ahead when it was last asked; 0 where none was ever seen."""
    return (connection.execute(_OFFSET).get or 0) / 1000


def moment(offset: float, later_s: float = 0.0) -> str:
    """The present time of a clock that is so far ahead of this machine's, or a later one."""
    return timestamps.from_datetime(timestamps.parse(timestamps.now()) + timedelta(seconds=offset + later_s))


def held(connection: apsw.Connection, item_ids: Iterable[str], now: str) -> dict[str, Claim]:
    """Item → its claim, of those that somebody holds at `now`."""
    found = connection.execute(_HELD, (json.dumps(list(item_ids)), now))
    return {str(item): Claim(str(by), str(until)) for item, by, until in found}


def claim_of(connection: apsw.Connection, project_id: str, item_id: str) -> Row | None:
    """The claim of an item as a row, whatever has become of it; None if nobody has ever claimed it."""
    return find(connection, WORK_ITEM_CLAIM, claim_id(project_id, item_id))


def claim_id(project_id: str, item_id: str) -> str:
    """The id of the claim of an item."""
    return natural_id(project_id, WORK_ITEM_CLAIM.name, item_id)


def carry_over(connection: apsw.Connection) -> None:
    """What was claimed in the items themselves becomes a claim with an end. Within the transaction of the migration.

    Every laptop does so, and the server: equal claims meet, and the later end stands. Who may only read brings nothing.
    """
    now, until = timestamps.now(), moment(0.0, CARRIED_OVER_S)
    for project, item, by in connection.execute(_CLAIMED).fetchall():
        row_id = claim_id(str(project), str(item))
        new = {"work_item_id": item, "claimed_by": by, "claimed_until": until}
        connection.execute(_INSERT_CLAIM, (row_id, item, by, until, now))
        fields = encode_json({name: {"old": None, "new": value} for name, value in new.items()})
        connection.execute(_INSERT_HISTORY, (row_id, by, now, fields))
        connection.execute(_INSERT_OUTBOX, (connection.last_insert_rowid(),))
