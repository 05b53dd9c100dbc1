"""The items above and below one item: a query for each level, and so many items at most."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import apsw
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.wire import Row

from localfirst.operations.present import present
from localfirst.replica.rows import as_row, select_sql

_ABOVE = f"{select_sql(WORK_ITEM)} WHERE id IN (SELECT value FROM json_each(?)) ORDER BY depth"

# Sorted are the ids alone, since the rows are wide and a level may be long. The cross join keeps the order of the loops:
# the parents are few, and each finds its children by the index.
_CHILDREN = """
    FROM json_each(?1) AS parent CROSS JOIN work_items AS child ON child.parent_id = parent.value
    WHERE child.deleted_at IS NULL AND (?2 OR child.archived_at IS NULL)
"""
_LEVEL = f"""
    {select_sql(WORK_ITEM)} WHERE local_id IN (
        SELECT child.local_id {_CHILDREN} ORDER BY parent.key, child.created_at, child.id LIMIT ?3
    )
"""
_COUNTS = f"SELECT child.parent_id, count(*) {_CHILDREN} GROUP BY 1"


def ancestors(replica: apsw.Connection, row: Row) -> list[dict[str, Any]]:
    """The items above this one, root first."""
    above = row["path"].split("/")[:-1]
    if not above:
        return []
    return [present(WORK_ITEM, as_row(WORK_ITEM, values)) for values in replica.execute(_ABOVE, (json.dumps(above),))]


def add_children(
    replica: apsw.Connection, displayed: dict[str, Any], *, max_depth: int, max_children: int, archived: bool
) -> None:
    """Puts `children` into an item that is displayed, and into each of those: nested, each level oldest first.

    At most `max_children` in all, the upper levels first; an item of which some are left out has their number in
    `children_omitted`. Deleted ones are left out, and archived ones unless `archived`.
    """
    displayed["children"] = []
    level, room = [displayed], max_children
    for _ in range(max_depth):
        parents = json.dumps([item["id"] for item in level])
        found = [as_row(WORK_ITEM, values) for values in replica.execute(_LEVEL, (parents, archived, room))] if room else []
        room -= len(found)
        if not room:
            _count_omitted(replica, level, found, parents, archived=archived)
        if not found:
            return
        level = _attach(level, found)


def _attach(level: list[dict[str, Any]], found: list[Row]) -> list[dict[str, Any]]:
    """Each row to its parent; returns them as they are displayed, in order."""
    places = {item["id"]: place for place, item in enumerate(level)}
    found.sort(key=lambda row: (places[row["parent_id"]], row["created_at"], row["id"]))
    next_level = []
    for row in found:
        child = present(WORK_ITEM, row) | {"children": []}
        level[places[row["parent_id"]]]["children"].append(child)
        next_level.append(child)
    return next_level


def _count_omitted(
    replica: apsw.Connection, level: list[dict[str, Any]], found: list[Row], parents: str, *, archived: bool
) -> None:
    counts: dict[str, int] = {str(parent): int(count) for parent, count in replica.execute(_COUNTS, (parents, archived))}
    displayed = Counter(row["parent_id"] for row in found)
    for item in level:
        omitted = counts.get(item["id"], 0) - displayed[item["id"]]
        if omitted:
            item["children_omitted"] = omitted
