"""Comments on work items: only ever added, so that they merge by themselves."""

from __future__ import annotations

from typing import Any

from localfirst_schema.arguments import AddComment, ListComments
from localfirst_schema.entities import WORK_ITEM, WORK_ITEM_COMMENT
from localfirst_schema.identifiers import new_id
from localfirst_schema.results import Comments, CommentWritten

from localfirst.client.ports import Reader, Writer
from localfirst.operations.changing import require, written
from localfirst.operations.operation import Operation
from localfirst.operations.present import present
from localfirst.replica.rows import find, select
from localfirst.replica.structure import require_alive

LAST = 20
"""So many comments are displayed beside an item."""

_OF_ITEM = "work_item_id = ? AND deleted_at IS NULL"


def add(session: Writer, arguments: AddComment) -> dict[str, Any]:
    """Adds a comment to an item."""
    require(session, WORK_ITEM, arguments.id)
    with session.act(arguments.created_by) as act:
        require_alive(find(act.connection, WORK_ITEM, arguments.id), "work item", arguments.id)
        values = {"id": new_id(), "work_item_id": arguments.id, "body": arguments.body}
        row = act.change(WORK_ITEM_COMMENT, None, values)
    return written(session, WORK_ITEM_COMMENT, row)


def comment_count(session: Reader, item_id: str) -> int:
    """How many comments an item has."""
    return int(session.replica.execute(f"SELECT count(*) FROM work_item_comments WHERE {_OF_ITEM}", (item_id,)).get)


def last_comments(session: Reader, item_id: str) -> list[dict[str, Any]]:
    """The last comments of an item, oldest first."""
    last = f"{_OF_ITEM} ORDER BY created_at DESC, id DESC LIMIT ?"
    return [present(WORK_ITEM_COMMENT, row) for row in select(session.replica, WORK_ITEM_COMMENT, last, (item_id, LAST))][::-1]


def list_comments(session: Reader, arguments: ListComments) -> dict[str, Any]:
    """The comments of an item, oldest first."""
    source = session.read()
    require(session, WORK_ITEM, arguments.id)
    total = comment_count(session, arguments.id)
    page = f"{_OF_ITEM} ORDER BY created_at, id LIMIT ? OFFSET ?"
    rows = select(session.replica, WORK_ITEM_COMMENT, page, (arguments.id, arguments.limit, arguments.offset))
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
        groups=("items",),
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
        groups=("items",),
    ),
)
