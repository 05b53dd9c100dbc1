"""Archiving: old items leave the default queries and stay readable. By hand here, by a schedule in `archiving_schedule`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from localfirst_schema import timestamps
from localfirst_schema.arguments import TriggerArchiving
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.results import Archived

from localfirst.client.ports import Writer
from localfirst.operations.operation import Operation
from localfirst.replica.act import Act
from localfirst.replica.rows import select

_CANDIDATES = "created_at < ? AND archived_at IS NULL AND deleted_at IS NULL"
_CURRENT_PARENTS = """
    SELECT DISTINCT parent_id FROM work_items
    WHERE parent_id IS NOT NULL AND deleted_at IS NULL AND archived_at IS NULL AND created_at >= ?
"""


def archive(session: Writer, arguments: TriggerArchiving) -> dict[str, Any]:
    """Archives items created before the limit, but none that is above something current."""
    session.catch_up()
    with session.act() as act:
        act.answer = answer = {"archived_count": archive_older(act, arguments.older_than_days)}
    return answer | session.written()


def archive_older(act: Act, days: int) -> int:
    """Archives the items created more than so many days ago, but none above something current; returns how many."""
    cutoff = cutoff_of(days)
    candidates = {row["id"]: row for row in select(act.connection, WORK_ITEM, _CANDIDATES, (cutoff,))}
    current: Iterable[Any] = act.connection.execute(_CURRENT_PARENTS, (cutoff,))
    kept = [parent for (parent,) in current]
    while kept:
        row = candidates.pop(kept.pop(), None)
        if row is not None and row["parent_id"] is not None:
            kept.append(row["parent_id"])
    for row in candidates.values():
        act.change(WORK_ITEM, row, {"archived_at": act.at})
    return len(candidates)


def cutoff_of(days: int) -> str:
    """The moment so many days ago."""
    return timestamps.from_datetime(datetime.now(UTC) - timedelta(days=days))


OPERATIONS = (
    Operation(
        "trigger_archiving",
        "Archive old work items",
        "Archives items created more than `older_than_days` ago, except those above something current. They leave default"
        " queries and stay readable.",
        TriggerArchiving,
        Archived,
        archive,
        "update",
        idempotent=True,
        groups=("project",),
    ),
)
