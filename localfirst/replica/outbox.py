"""The outbox: what this replica changed and the server has not answered yet, in the order of the changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import apsw
from localfirst_schema.change_fields import fields_of
from localfirst_schema.entities import ENTITY
from localfirst_schema.wire import Fields, Mutation, decode_fields

# CROSS JOIN fixes the order of the tables: the history is long, the outbox short, and SQLite, which keeps no statistics
# of them, would as soon walk through the long one.
_SELECT = """
    SELECT o.number, o.txn, h.entity, h.entity_id, o.base_version, h.version, h.by, h.at, h.fields
    FROM outbox AS o CROSS JOIN history AS h USING (history_id)
"""
_NEXT = f"{_SELECT} ORDER BY o.history_id LIMIT ?"
_OF_ROW = """
    SELECT o.number, o.txn, h.entity, h.entity_id, o.base_version, h.version, h.by, h.at, h.fields
    FROM history AS h CROSS JOIN outbox AS o USING (history_id)
    WHERE h.entity_id = ? AND h.entity = ? AND NOT o.echoed ORDER BY o.history_id
"""
ECHOED_UNCHANGED = 1
ECHOED_CHANGED = 2
"""How a pull echoed a waiting change (`outbox.echoed`; 0: not at all): as it is in the history here, or in another way."""

_ECHOED = """
    UPDATE outbox SET echoed = ?6 WHERE history_id IN (
        SELECT h.history_id FROM history AS h CROSS JOIN outbox AS o USING (history_id)
        WHERE h.entity_id = ?2 AND h.entity = ?1 AND h.at = ?3 AND h.by IS ?4 AND (o.number = ?5 OR o.number <= ?7)
    )
"""


def count(connection: apsw.Connection) -> int:
    """How many changes wait."""
    return int(connection.execute("SELECT count(*) FROM outbox").get)


def is_empty(connection: apsw.Connection) -> bool:
    """Whether nothing waits."""
    return not connection.execute("SELECT EXISTS (SELECT 1 FROM outbox)").get


def next_mutations(connection: apsw.Connection, limit: int) -> list[Mutation]:
    """The oldest waiting changes; an act is never cut in two, so there may be a few more than `limit`."""
    mutations = [Mutation(*row) for row in connection.execute(_NEXT, (limit,))]
    if len(mutations) == limit:
        last = mutations[-1]
        rest = f"{_SELECT} WHERE o.number > ? AND o.txn = ? ORDER BY o.history_id"
        mutations += [Mutation(*row) for row in connection.execute(rest, (last.number, last.txn))]
    return mutations


def of_row(connection: apsw.Connection, entity: str, row_id: str) -> list[tuple[Mutation, Fields]]:
    """The waiting changes of one row that the server has not decided, as far as is known here."""
    found = [Mutation(*row) for row in connection.execute(_OF_ROW, (row_id, entity))]
    kind = ENTITY.get(entity)
    return [(one, decode_fields(one.fields) if kind is None else fields_of(kind, one.fields)) for one in found]


def last_number(connection: apsw.Connection) -> int:
    """The number of the newest waiting change; 0 if none waits."""
    return int(connection.execute("SELECT max(number) FROM outbox").get or 0)


def last_version(connection: apsw.Connection, entity: str, row_id: str) -> int:
    """The highest version that a waiting change of the row has given it; 0 if none waits."""
    sql = "SELECT max(h.version) FROM history AS h CROSS JOIN outbox USING (history_id) WHERE h.entity_id = ? AND h.entity = ?"
    return int(connection.execute(sql, (row_id, entity)).get or 0)


def waiting_rows(connection: apsw.Connection) -> set[tuple[str, str]]:
    """(entity, id) of every row with such a change."""
    sql = "SELECT DISTINCT h.entity, h.entity_id FROM outbox CROSS JOIN history AS h USING (history_id) WHERE NOT echoed"
    return {(entity, row_id) for entity, row_id in connection.execute(sql)}


def queued_rows(connection: apsw.Connection) -> set[tuple[str, str]]:
    """(entity, id) of every row with a change in the queue, even if it waits for its verdict alone."""
    sql = "SELECT DISTINCT h.entity, h.entity_id FROM outbox CROSS JOIN history AS h USING (history_id)"
    return {(entity, row_id) for entity, row_id in connection.execute(sql)}


def moved_items(connection: apsw.Connection) -> set[str]:
    """The work items with a waiting change of their parent."""
    sql = """
        SELECT DISTINCT h.entity_id FROM outbox CROSS JOIN history AS h USING (history_id)
        WHERE h.entity = 'work_item' AND instr(h.fields, '"parent_id"') AND NOT echoed
    """
    return {row_id for (row_id,) in connection.execute(sql)}


def renumber(connection: apsw.Connection) -> int:
    """Numbers what waits from 1 without a gap, acts staying together; returns how many changes wait."""
    acts: dict[object, int] = {}
    renumbered = []
    for number, (history_id, txn) in enumerate(
        connection.execute("SELECT history_id, txn FROM outbox ORDER BY history_id").fetchall(), 1
    ):
        renumbered.append((number, acts.setdefault(txn, number), history_id))
    connection.executemany("UPDATE outbox SET number = ?, txn = ? WHERE history_id = ?", renumbered)
    return len(renumbered)


def row_waits(connection: apsw.Connection, row_id: str) -> bool:
    """Whether a change of this row waits."""
    sql = "SELECT EXISTS (SELECT 1 FROM history CROSS JOIN outbox USING (history_id) WHERE entity_id = ?)"
    return bool(connection.execute(sql, (row_id,)).get)


def mark_echoed(
    connection: apsw.Connection, lines: Iterable[tuple[str, str, str, str | None, int | None, int]], maybe_applied: int
) -> None:
    """The server's log tells these changes: they wait for their verdicts alone.

    Args:
        lines: (entity, entity id, at, by, number or None if it was pushed under another id, `AS_HERE` or `OTHERWISE`).
        maybe_applied: changes up to this number may have been pushed under an id that the replica gave up.
    """
    connection.executemany(_ECHOED, [(*line, maybe_applied) for line in lines])


def forget_echoed(connection: apsw.Connection) -> None:
    """No pull has echoed any of what waits."""
    connection.execute("UPDATE outbox SET echoed = 0")


def echoed_line(line: Sequence[Any], own: str) -> tuple[str, str, str, str | None, int | None, int]:
    """A `HistoryRow` as `mark_echoed` takes it, in a replica whose id is `own`."""
    mine = line[8] == own and line[9] is not None  # what was brought back to a server has no number, whoever brought it
    how = ECHOED_UNCHANGED if mine and line[6] == "accepted" else ECHOED_CHANGED
    return line[1], line[2], line[5], line[4], line[9] if mine else None, how


def echoed_unchanged(connection: apsw.Connection) -> list[int]:
    """The numbers of the waiting changes that a pull echoed just as they are here."""
    return [number for (number,) in connection.execute("SELECT number FROM outbox WHERE echoed = ?", (ECHOED_UNCHANGED,))]
