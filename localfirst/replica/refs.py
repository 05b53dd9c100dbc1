"""Which work item a ref, or the beginning of an id, names in this replica, and how much of a ref has to be displayed.

Counterpart: the column `ref` of `work_items`, which is written with the row by `REF_OF_ID`, a function of our connections.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import apsw
from localfirst_schema.refs import DISPLAYED_MIN, begins, number_of, ref_of, shared_symbols, span

REF_OF_ID = "localfirst_ref_of_id"

CANDIDATES_LISTED = 5

_SHARED = f"""
    SELECT key, (SELECT max(ref) FROM work_items WHERE ref < value), (SELECT min(ref) FROM work_items WHERE ref > value)
    FROM json_each(?)
    WHERE EXISTS (
        SELECT 1 FROM work_items WHERE ref >= value & ~{(span("g" + "0" * (DISPLAYED_MIN - 1))[1]) - 1}
            AND ref <= value | {span("g" + "0" * (DISPLAYED_MIN - 1))[1] - 1} AND ref <> value
    )
"""
_BY_ID = f"SELECT id FROM work_items WHERE id >= ? AND id < ? ORDER BY id LIMIT {CANDIDATES_LISTED + 1}"
_BY_REF = f"SELECT id FROM work_items WHERE ref >= ? AND ref < ? ORDER BY ref LIMIT {CANDIDATES_LISTED + 1}"
_FILL = f"UPDATE work_items SET ref = {REF_OF_ID}(id) WHERE ref IS NULL"


def _number_of(*item_id: apsw.SQLiteValue) -> apsw.SQLiteValue:
    return number_of(str(item_id[0]))


def know_refs(connection: apsw.Connection) -> None:
    """For every connection that writes work items: the function that computes their refs."""
    connection.create_scalar_function(REF_OF_ID, _number_of, 1, deterministic=True)


def fill(connection: apsw.Connection) -> None:
    """Computes the refs that are missing. Within the caller's transaction."""
    connection.execute(_FILL)


def displayed_refs(connection: apsw.Connection, item_ids: Iterable[str]) -> list[str]:
    """The ref of each item, with as many symbols as tell it from those of all others: one query."""
    numbers = [number_of(item_id) for item_id in item_ids]
    refs = [ref_of(number) for number in numbers]
    rows: Iterable[Any] = connection.execute(_SHARED, (json.dumps(numbers),))
    for place, before, after in rows:
        number = numbers[place]
        shared = max(shared_symbols(number, other) for other in (before, after) if other is not None)
        refs[place] = ref_of(number, max(DISPLAYED_MIN, shared + 1))
    return refs


def named(connection: apsw.Connection, name: str) -> list[str]:
    """The ids of the items (also deleted and archived ones) that are named by the beginning of an id or by a ref.

    Some more than `CANDIDATES_LISTED` at most.

    Args:
        name: as `refs.beginning_of_id` or `refs.as_ref` give it.
    """
    if name[0] in "0123456789abcdef":
        return [str(row_id) for (row_id,) in connection.execute(_BY_ID, (name, f"{name}~"))]
    found: Iterable[Any] = connection.execute(_BY_REF, span(name))
    return [row_id for (row_id,) in found if begins(name, row_id)]
