"""The outbox: what this replica changed and the server has not answered yet, in the order of the changes."""

from __future__ import annotations

import apsw
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
    WHERE h.entity_id = ? AND h.entity = ? ORDER BY o.history_id
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
    """The waiting changes of one row."""
    return [(m, decode_fields(m.fields)) for m in (Mutation(*row) for row in connection.execute(_OF_ROW, (row_id, entity)))]


def waiting_rows(connection: apsw.Connection) -> set[tuple[str, str]]:
    """(entity, id) of every row with a waiting change."""
    sql = "SELECT DISTINCT h.entity, h.entity_id FROM outbox CROSS JOIN history AS h USING (history_id)"
    return {(entity, row_id) for entity, row_id in connection.execute(sql)}


def row_waits(connection: apsw.Connection, row_id: str) -> bool:
    """Whether a change of this row waits."""
    sql = "SELECT EXISTS (SELECT 1 FROM history CROSS JOIN outbox USING (history_id) WHERE entity_id = ?)"
    return bool(connection.execute(sql, (row_id,)).get)
