"""Taking back, on purpose, what waits to be sent: the replica then shows what the server has.

What was only made here goes. A row that the server has too is marked to be fetched again, with everything below one that was
moved; until the next round has brought it, it is set aside: displayed as it is, and not to be changed. The replica takes a new
id, and a later epoch, since a push of what is dropped may be on its way at this moment: what arrived after all comes back with
the next pull, like anybody's change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw
from localfirst_schema.entities import ENTITY, WORK_ITEM
from localfirst_schema.wire import decode_json

from localfirst.replica import fulltext, outbox, set_aside
from localfirst.replica.connection import immediate, sqlite_errors
from localfirst.replica.local_store import become_new

REASON = "a change of it was dropped here, and the server's state is fetched with the next synchronisation"

_WAITING = """
    SELECT h.entity, h.entity_id, o.base_version, h.version, h.by, h.at, h.fields, o.txn, o.echoed
    FROM outbox AS o CROSS JOIN history AS h USING (history_id) ORDER BY o.history_id
"""
_COLUMNS = ("entity", "id", "base_version", "version", "by", "at", "fields", "act")
_IS_LOGGED = """
    SELECT EXISTS (
        SELECT 1 FROM history
        WHERE entity_id = ? AND entity = ? AND history_id NOT IN (SELECT history_id FROM outbox WHERE echoed <> ?)
    )
"""
_BELOW = """
    WITH RECURSIVE below (id) AS (
        SELECT id FROM work_items WHERE parent_id = ?
        UNION SELECT w.id FROM work_items AS w JOIN below AS b ON w.parent_id = b.id
    )
    SELECT id FROM below
"""


def waiting(connection: apsw.Connection) -> Iterator[dict[str, Any]]:
    """Each change that would be dropped, in order, as a document."""
    with sqlite_errors():
        for *values, echoed in connection.execute(_WAITING):
            if not echoed:
                change = dict(zip(_COLUMNS, values, strict=True))
                yield change | {"fields": decode_json(change["fields"])}


def drop(connection: apsw.Connection) -> int:
    """Drops everything that waits; returns how many changes that were."""
    with immediate(connection):
        found: list[Any] = connection.execute(_WAITING).fetchall()
        first: dict[tuple[str, str], int] = {}
        moved: set[str] = set()
        for entity, row_id, base_version, _, _, _, fields, _, echoed in found:
            if echoed:
                continue  # the server has it
            first.setdefault((entity, row_id), base_version)
            if entity == WORK_ITEM.name and '"parent_id"' in fields:
                moved.add(row_id)
        kept = {key for key, base_version in first.items() if base_version > 0 or _is_logged(connection, *key)}
        made_here = first.keys() - kept
        for item in moved:
            kept |= {(WORK_ITEM.name, str(row_id)) for (row_id,) in connection.execute(_BELOW, (item,)).fetchall()}
        for entity, row_id in made_here:
            _remove(connection, entity, row_id)
        for entity, row_id in kept - made_here:
            set_aside.fetch_again(connection, entity, row_id, REASON)
        connection.execute(
            "DELETE FROM history WHERE history_id IN (SELECT history_id FROM outbox WHERE echoed <> ?)",
            (outbox.ECHOED_UNCHANGED,),
        )
        connection.execute("DELETE FROM outbox")
        connection.execute("UPDATE replica SET epoch = epoch + 1")
        become_new(connection)
    return sum(1 for *_, echoed in found if not echoed)


def _is_logged(connection: apsw.Connection, entity: str, row_id: str) -> bool:
    return bool(connection.execute(_IS_LOGGED, (row_id, entity, outbox.ECHOED_UNCHANGED)).get)


def _remove(connection: apsw.Connection, entity: str, row_id: str) -> None:
    if entity not in ENTITY:
        return  # only the settlement of a conflict is no row of its own, and no conflict begins here
    if ENTITY[entity] is WORK_ITEM:
        fulltext.remove(connection, row_id)
    connection.execute(f"DELETE FROM {ENTITY[entity].table} WHERE id = ?", (row_id,))
