"""Acts that wait for rows that somebody holds on the server go behind the rest of the queue (`localfirst_sync.postponement`).

The queue's order is that of the history's ids, so what goes behind gets new ones there; then everything is numbered again.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby
from typing import Any, NamedTuple

import apsw
from localfirst_schema.entities import ENTITY, WORK_ITEM
from localfirst_schema.wire import Fields, Row, decode_fields, encode_json
from localfirst_sync.postponement import Footprint, footprint, postponed

from localfirst.replica.rows import find

_QUEUE = """
    SELECT o.history_id, o.number, o.txn, h.entity, h.entity_id, h.fields
    FROM outbox AS o CROSS JOIN history AS h USING (history_id) WHERE o.number > ? ORDER BY o.history_id
"""
_PATHS = "SELECT id, path FROM work_items WHERE id IN (SELECT value FROM json_each(?))"


class _Waiting(NamedTuple):
    """One change of the queue."""

    history_id: int
    number: int
    txn: int
    entity: str
    id: str
    fields: Fields


def postpone(connection: apsw.Connection, held: Collection[int], after: int, allowed: int | None) -> int:
    """See `LocalStore.postpone`. To be called within a transaction."""
    queue = [
        _Waiting(history_id, number, txn, entity, row_id, decode_fields(fields))
        for history_id, number, txn, entity, row_id, fields in connection.execute(_QUEUE, (after,))
    ]
    last = None if allowed is None else after + allowed
    acts = [list(group) for _, group in groupby(queue, key=lambda one: one.txn)]
    paths = _paths(connection, queue)
    prints = [_footprint(connection, act, paths) for act in acts]
    waits = [any(one.number in held or (last is not None and one.number > last) for one in act) for act in acts]
    places = set(postponed(prints, {place for place, is_held in enumerate(waits) if is_held}))
    free = [one for place, act in enumerate(acts) if place not in places for one in act]
    behind = [one for place, act in enumerate(acts) if place in places for one in act]
    order = free + behind
    if order != queue:
        _put_behind(connection, behind)
        _number(connection, order, after)
    return len(free)


def _footprint(connection: apsw.Connection, act: list[_Waiting], paths: dict[str, str]) -> Footprint:
    return footprint([(one.entity, one.id, one.fields, _row(connection, one)) for one in act], paths)


def _row(connection: apsw.Connection, one: _Waiting) -> Row | None:
    entity = ENTITY.get(one.entity)
    return None if entity is None or not entity.references else find(connection, entity, one.id)


def _paths(connection: apsw.Connection, queue: list[_Waiting]) -> dict[str, str]:
    """The paths of the work items that the queue names."""
    named = {one.id for one in queue if one.entity == WORK_ITEM.name}
    for one in queue:
        references = ENTITY[one.entity].references if one.entity in ENTITY else {}
        for column in references.keys() & one.fields.keys():
            named |= {side for side in one.fields[column].values() if isinstance(side, str)}
    return {str(item): str(path) for item, path in connection.execute(_PATHS, (encode_json(sorted(named)),))}


def _put_behind(connection: apsw.Connection, behind: list[_Waiting]) -> None:
    last: Any = connection.execute("SELECT max(history_id) FROM history").get
    renamed = [(new, one.history_id) for new, one in enumerate(behind, last + 1)]
    connection.executemany("UPDATE history SET history_id = ? WHERE history_id = ?", renamed)
    connection.executemany("UPDATE outbox SET history_id = ? WHERE history_id = ?", renamed)


def _number(connection: apsw.Connection, order: list[_Waiting], after: int) -> None:
    """Numbers the queue again behind the number `after`, in the order in which it stands now; acts stay together."""
    acts: dict[int, int] = {}
    numbered = [(number, acts.setdefault(one.txn, number)) for number, one in enumerate(order, after + 1)]
    ids = [row[0] for row in connection.execute("SELECT history_id FROM outbox WHERE number > ? ORDER BY history_id", (after,))]
    connection.executemany(
        "UPDATE outbox SET number = ?, txn = ? WHERE history_id = ?",
        [(*new, history_id) for new, history_id in zip(numbered, ids, strict=True)],
    )
