"""What can be worked on now, and what becomes so when an item is done."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Sequence
from typing import Any

import apsw
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.wire import Row

from localfirst.replica.rows import as_row

_BLOCKED = """
    blocked (id) AS (
        SELECT d.work_item_id FROM work_item_dependencies AS d JOIN work_items AS other ON other.id = d.depends_on_id
        WHERE d.dependency_type = 'depends_on' AND d.deleted_at IS NULL
            AND other.deleted_at IS NULL AND other.status <> 'completed'
        UNION
        SELECT d.depends_on_id FROM work_item_dependencies AS d JOIN work_items AS other ON other.id = d.work_item_id
        WHERE d.dependency_type = 'blocks' AND d.deleted_at IS NULL
            AND other.deleted_at IS NULL AND other.status <> 'completed'
        UNION
        SELECT child.id FROM blocked JOIN work_items AS child ON child.parent_id = blocked.id
    )
"""
"""Items for which something unfinished has to be done first, and all below them."""

_UNFINISHED_CHILD = """
    SELECT 1 FROM work_items AS child
    WHERE child.parent_id = w.id AND child.deleted_at IS NULL AND child.archived_at IS NULL AND child.status <> 'completed'
"""
_COLUMNS = ", ".join(f"w.{name}" for name in WORK_ITEM.column_names)
_READY = f"""
    WITH RECURSIVE {_BLOCKED}
    SELECT count(*) OVER (), {_COLUMNS} FROM work_items AS w
    WHERE w.status = 'active' AND w.deleted_at IS NULL AND w.archived_at IS NULL
        AND (:item_type IS NULL OR w.item_type = :item_type)
        AND (:under IS NULL OR (w.path > :under || '/' AND w.path < :under || '0'))
        AND (:among IS NULL OR w.id IN (SELECT value FROM json_each(:among)))
        AND (:with_claimed OR NOT EXISTS (
            SELECT 1 FROM work_item_claims AS c
            WHERE c.work_item_id = w.id AND c.claimed_by IS NOT NULL AND c.deleted_at IS NULL AND c.claimed_until > :now
                AND c.claimed_by NOT IN (SELECT value FROM json_each(:holders))
        ))
        AND w.id NOT IN (SELECT value FROM json_each(:passed))
        AND coalesce(json_extract(w.metadata, '$.start_on'), '') <= :today
        AND NOT EXISTS (
            SELECT 1 FROM json_each(:labels) AS label
            WHERE label.value NOT IN (SELECT value FROM json_each(w.metadata, '$.labels'))
        )
        AND w.id NOT IN (SELECT id FROM blocked)
        AND NOT EXISTS ({_UNFINISHED_CHILD})
    ORDER BY
        CASE json_extract(w.metadata, '$.priority') WHEN 'urgent' THEN 0 WHEN 'high' THEN 1 WHEN 'low' THEN 3 ELSE 2 END,
        coalesce(json_extract(w.metadata, '$.due_on'), '9999-12-31'), w.created_at, w.id
    LIMIT :limit
"""
_WAITING = """
    WITH RECURSIVE waiting (id) AS (
        SELECT work_item_id FROM work_item_dependencies
        WHERE depends_on_id = ?1 AND dependency_type = 'depends_on' AND deleted_at IS NULL
        UNION
        SELECT depends_on_id FROM work_item_dependencies
        WHERE work_item_id = ?1 AND dependency_type = 'blocks' AND deleted_at IS NULL
        UNION
        SELECT child.id FROM waiting JOIN work_items AS child ON child.parent_id = waiting.id
    )
    SELECT id FROM waiting UNION SELECT parent_id FROM work_items WHERE id = ?1 AND parent_id IS NOT NULL
"""
_HAS_UNFINISHED = f"SELECT EXISTS (SELECT 1 FROM work_items AS w WHERE w.id = ? AND EXISTS ({_UNFINISHED_CHILD}))"


def ready(
    connection: apsw.Connection,
    *,
    limit: int,
    holders: Iterable[str],
    now: str,
    item_type: str | None = None,
    labels: Sequence[str] = (),
    under: str | None = None,
    among: Iterable[str] | None = None,
    with_claimed: bool = False,
    passed: Iterable[str] = (),
) -> tuple[list[Row], int]:
    """Items that can be worked on, the most urgent first, and how many there are in all.

    An item is ready that is active, for which nothing unfinished has to be done first (neither for it nor for an item above
    it), that has no unfinished children, that nobody else holds, and whose start has come.

    Args:
        holders: whose claims do not count.
        now: the server's time, by which claims end.
        under: the path of an item: only those below it.
        among: only these.
        with_claimed: also what others hold.
        passed: but for these.
    """
    bindings: dict[str, Any] = {
        "limit": limit,
        "holders": json.dumps(list(holders)),
        "now": now,
        "item_type": item_type,
        "labels": json.dumps(list(labels)),
        "under": under,
        "among": None if among is None else json.dumps(list(among)),
        "with_claimed": with_claimed,
        "passed": json.dumps(list(passed)),
        "today": datetime.datetime.now().astimezone().date().isoformat(),
    }
    total, rows = 0, []
    for count, *values in connection.execute(_READY, bindings):
        total = int(count)
        rows.append(as_row(WORK_ITEM, values))
    return rows, total


def waiting_for(connection: apsw.Connection, item_id: str) -> list[str]:
    """What may become ready when an item is done: what waits for it, all below that, and its parent."""
    return [str(row_id) for (row_id,) in connection.execute(_WAITING, (item_id,))]


def has_unfinished_children(connection: apsw.Connection, item_id: str) -> bool:
    """Whether something below the item is still to be done."""
    return bool(connection.execute(_HAS_UNFINISHED, (item_id,)).get)
