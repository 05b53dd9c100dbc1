"""Archiving: old items leave the default queries and stay readable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from localfirst_schema import timestamps
from localfirst_schema.arguments import TriggerArchiving
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.results import Archived

from localfirst.operations.operation import Operation
from localfirst.replica.rows import select
from localfirst.session import Session

_CANDIDATES = "created_at < ? AND archived_at IS NULL AND deleted_at IS NULL"
_CURRENT_PARENTS = """
    SELECT DISTINCT parent_id FROM work_items
    WHERE parent_id IS NOT NULL AND deleted_at IS NULL AND archived_at IS NULL AND created_at >= ?
"""


def archive(session: Session, arguments: TriggerArchiving) -> dict[str, Any]:
    """Archives items created before the limit, but none that is above something current."""
    session.catch_up()
    moment = datetime.now(UTC) - timedelta(days=arguments.older_than_days)
    cutoff = timestamps.from_datetime(moment)
    with session.act() as act:
        candidates = {row["id"]: row for row in select(act.connection, WORK_ITEM, _CANDIDATES, (cutoff,))}
        kept = [parent for (parent,) in act.connection.execute(_CURRENT_PARENTS, (cutoff,))]
        while kept:
            row = candidates.pop(kept.pop(), None)
            if row is not None and row["parent_id"] is not None:
                kept.append(row["parent_id"])
        for row in candidates.values():
            act.change(WORK_ITEM, row, {"archived_at": act.at})
    return {"archived_count": len(candidates)} | session.written()


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
    ),
)
