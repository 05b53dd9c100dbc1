"""Completing a work item, and saying what can be worked on because of it."""

from __future__ import annotations

from typing import Any

from localfirst_schema.arguments import CompleteWorkItem
from localfirst_schema.entities import WORK_ITEM, WORK_ITEM_COMMENT
from localfirst_schema.errors import InvalidStateError
from localfirst_schema.identifiers import new_id
from localfirst_schema.results import WorkItemCompleted
from localfirst_schema.wire import Row

from localfirst.client.ports import Writer
from localfirst.operations.changing import catch_up_with, check_not_deleted, check_version, require, require_still
from localfirst.operations.holding import holder, released, warned
from localfirst.operations.operation import Operation
from localfirst.operations.present import present
from localfirst.operations.readiness import has_unfinished_children, ready, waiting_for

UNBLOCKED_MAX = 10


def complete(session: Writer, arguments: CompleteWorkItem) -> dict[str, Any]:
    """Completes an item and gives up the claim on it; one that is completed stays as it is."""
    if arguments.version is not None:
        catch_up_with(session, WORK_ITEM, arguments.id, arguments.version)
    require(session, WORK_ITEM, arguments.id)
    held = holder(session, arguments.id)
    with session.act(arguments.updated_by) as act:
        row = require_still(act, WORK_ITEM, arguments.id)
        unblocked: list[Row] = []
        if row["status"] != "completed":
            if arguments.version is not None:
                check_version(WORK_ITEM, row, arguments.version)
            check_not_deleted(WORK_ITEM, row, {})
            if has_unfinished_children(act.connection, row["id"]):
                raise InvalidStateError(
                    "this item has unfinished children; complete or delete them first (query_work_item shows them).",
                    entity=WORK_ITEM.name,
                    id=row["id"],
                )
            if arguments.comment is not None:
                values = {"id": new_id(), "work_item_id": row["id"], "body": arguments.comment}
                act.change(WORK_ITEM_COMMENT, None, values)
            row = act.change(WORK_ITEM, row, {"status": "completed"})
            released(act, session.project_id, row["id"])
            among = waiting_for(act.connection, row["id"])
            unblocked, _ = ready(
                act.connection, limit=UNBLOCKED_MAX, holders=session.claimants(), now=session.server_now(), among=among
            )
        answer = present(WORK_ITEM, row) | {"unblocked": [present(WORK_ITEM, one) for one in unblocked]}
        act.answer = answer
    return warned(session, answer | session.written(row["id"]), held, arguments.updated_by)


OPERATIONS = (
    Operation(
        "complete_work_item",
        "Complete a work item",
        "Marks an item as done, with a last comment if there is one to make, and names what became ready by it.",
        CompleteWorkItem,
        WorkItemCompleted,
        complete,
        "update",
        idempotent=True,
        rows=WORK_ITEM,
        groups=(
            "core",
            "items",
        ),
        command="item update --status completed",
    ),
)
