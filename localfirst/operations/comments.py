"""Comments on work items: only ever added, so that they merge by themselves."""

from __future__ import annotations

from typing import Any

from localfirst_schema.arguments import AddComment, ListComments
from localfirst_schema.entities import WORK_ITEM, WORK_ITEM_COMMENT
from localfirst_schema.identifiers import new_id
from localfirst_schema.results import Comments, CommentWritten

from localfirst.operations.changing import require, written
from localfirst.operations.operation import Operation
from localfirst.operations.present import present
from localfirst.replica.rows import find, select
from localfirst.replica.structure import require_alive
from localfirst.session import Session


def add(session: Session, arguments: AddComment) -> dict[str, Any]:
    """Adds a comment to an item."""
    require(session, WORK_ITEM, arguments.work_item_id)
    with session.act(arguments.created_by) as act:
        require_alive(find(act.connection, WORK_ITEM, arguments.work_item_id), "work item", arguments.work_item_id)
        values = {"id": new_id(), "work_item_id": arguments.work_item_id, "body": arguments.body}
        row = act.change(WORK_ITEM_COMMENT, None, values)
    return written(session, WORK_ITEM_COMMENT, row)


def list_comments(session: Session, arguments: ListComments) -> dict[str, Any]:
    """The comments of an item, oldest first."""
    source = session.read()
    require(session, WORK_ITEM, arguments.work_item_id)
    where = "work_item_id = ? AND deleted_at IS NULL"
    total = session.replica.execute(f"SELECT count(*) FROM work_item_comments WHERE {where}", (arguments.work_item_id,)).get
    page = f"{where} ORDER BY created_at, id LIMIT ? OFFSET ?"
    rows = select(session.replica, WORK_ITEM_COMMENT, page, (arguments.work_item_id, arguments.limit, arguments.offset))
    return {"items": [present(WORK_ITEM_COMMENT, row) for row in rows], "total_count": total} | source


OPERATIONS = (
    Operation(
        "add_comment",
        "Comment on a work item",
        "Adds a comment; comments are never changed, so that those of several people simply add up.",
        AddComment,
        CommentWritten,
        add,
        "create",
    ),
    Operation(
        "list_comments",
        "Comments on a work item",
        "The comments of one item, oldest first.",
        ListComments,
        Comments,
        list_comments,
        "read",
        idempotent=True,
    ),
)
