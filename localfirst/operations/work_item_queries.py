"""Reading work items: one with what surrounds it, pages of them, and those that are ready."""

from __future__ import annotations

from typing import Any

from localfirst_schema.arguments import ListWorkItems, QueryWorkItem, ReadyWorkItems
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.results import ReadyItems, WorkItemPage, WorkItemRead

from localfirst.client.ports import Reader
from localfirst.operations import readiness
from localfirst.operations.changing import require
from localfirst.operations.comments import comment_count, last_comments
from localfirst.operations.operation import Operation
from localfirst.operations.partial import waiting_blind_update
from localfirst.operations.present import present
from localfirst.operations.work_item_tree import add_children, ancestors
from localfirst.replica.rows import find, select

LEVELS_MAX = 10
"""A tree has five; what came in otherwise may have more, and is displayed so far."""

_RELATED = ("id", "title", "status", "item_type", "version", "updated_at")
_DEPENDENCIES = """
    SELECT d.dependency_type, 'outgoing', w.id, w.title, w.status, w.item_type, w.version, w.updated_at
    FROM work_item_dependencies AS d JOIN work_items AS w ON w.id = d.depends_on_id
    WHERE d.work_item_id = ? AND d.deleted_at IS NULL AND w.deleted_at IS NULL
    UNION ALL
    SELECT d.dependency_type, 'incoming', w.id, w.title, w.status, w.item_type, w.version, w.updated_at
    FROM work_item_dependencies AS d JOIN work_items AS w ON w.id = d.work_item_id
    WHERE d.depends_on_id = ? AND d.deleted_at IS NULL AND w.deleted_at IS NULL
    ORDER BY 2 DESC, 3, 1
"""


_HELD_BY = """
    status <> 'completed' AND id IN (
        SELECT work_item_id FROM work_item_claims WHERE claimed_by = ? AND deleted_at IS NULL AND claimed_until > ?
    )
"""
_REACHED_SINCE = """
    id IN (SELECT entity_id FROM history WHERE entity = 'work_item' AND coalesce(reached_at, at) >= ?)
"""


def query(session: Reader, arguments: QueryWorkItem) -> dict[str, Any]:
    """One item, its ancestors, the tree below it, its dependencies and its last comments."""
    source = session.read(arguments.id)
    if find(session.replica, WORK_ITEM, arguments.id) is None and (partial := waiting_blind_update(session, arguments.id)):
        around = {"parent_chain": [], "children": [], "dependencies": [], "comment_count": 0}
        return partial | {"partial": True} | around | ({"comments": []} if arguments.include_comments else {}) | source
    row = require(session, WORK_ITEM, arguments.id)
    result = present(WORK_ITEM, row)
    result["parent_chain"] = ancestors(session.replica, row)
    depth = min(arguments.max_depth, LEVELS_MAX) if arguments.include_children else 0
    archived = row["archived_at"] is not None
    add_children(session.replica, result, max_depth=depth, max_children=arguments.max_children, archived=archived)
    result["dependencies"] = dependencies_of(session, row["id"]) if arguments.include_dependencies else []
    result["comment_count"] = comment_count(session, row["id"])
    if arguments.include_comments:
        result["comments"] = last_comments(session, row["id"])
    return result | source


def dependencies_of(session: Reader, item_id: str) -> list[dict[str, Any]]:
    """The links at one item, seen from it."""
    return [
        {
            "type": kind,
            "direction": direction,
            "related_item": dict(zip(_RELATED, related, strict=True)),
        }
        for kind, direction, *related in session.replica.execute(_DEPENDENCIES, (item_id, item_id))
    ]


def list_items(session: Reader, arguments: ListWorkItems) -> dict[str, Any]:
    """A page of items, newest change first."""
    source = session.read()
    where = ["1"]
    bindings: list[Any] = []
    if not arguments.include_deleted:
        where.append("deleted_at IS NULL")
    if not arguments.include_archived:
        where.append("archived_at IS NULL")
    for name in ("item_type", "status", "parent_id"):
        if (value := getattr(arguments, name)) is not None:
            where.append(f"{name} = ?")
            bindings.append(value)
    if arguments.root_only:
        where.append("parent_id IS NULL")
    for name in ("assignee", "priority"):
        if (value := getattr(arguments, name)) is not None:
            where.append(f"json_extract(metadata, '$.{name}') = ?")
            bindings.append(value)
    for label in arguments.labels:
        where.append("EXISTS (SELECT 1 FROM json_each(metadata, '$.labels') WHERE value = ?)")
        bindings.append(label)
    if arguments.claimed_by is not None:
        where.append(_HELD_BY)
        bindings += [arguments.claimed_by, session.server_now()]
    if arguments.updated_since is not None:
        where.append(_REACHED_SINCE)
        bindings.append(arguments.updated_since)
    condition = " AND ".join(where)
    total = session.replica.execute(f"SELECT count(*) FROM work_items WHERE {condition}", bindings).get
    page = f"{condition} ORDER BY updated_at DESC, id DESC LIMIT ? OFFSET ?"
    rows = select(session.replica, WORK_ITEM, page, (*bindings, arguments.limit, arguments.offset))
    return {
        "items": [present(WORK_ITEM, row) for row in rows],
        "total_count": total,
        "limit": arguments.limit,
        "offset": arguments.offset,
    } | source


def ready(session: Reader, arguments: ReadyWorkItems) -> dict[str, Any]:
    """What can be worked on now, most urgent first."""
    source = session.read()
    under = None if arguments.under is None else require(session, WORK_ITEM, arguments.under)["path"]
    rows, total = readiness.ready(
        session.replica,
        limit=arguments.limit,
        holders=session.claimants(),
        now=session.server_now(),
        item_type=arguments.item_type,
        labels=arguments.labels,
        under=under,
        with_claimed=arguments.include_claimed,
    )
    return {"items": [present(WORK_ITEM, row) for row in rows], "total_count": total} | source


OPERATIONS = (
    Operation(
        "query_work_item",
        "Read a work item",
        "One item with its ancestors, the tree below it, its dependencies and, if wanted, its last comments.",
        QueryWorkItem,
        WorkItemRead,
        query,
        "read",
        idempotent=True,
        rows=WORK_ITEM,
        groups=(
            "core",
            "items",
        ),
        command="item show",
    ),
    Operation(
        "list_work_items",
        "List work items",
        "A page of work items, newest change first, filtered by type, status or parent.",
        ListWorkItems,
        WorkItemPage,
        list_items,
        "read",
        idempotent=True,
        rows=WORK_ITEM,
        groups=(
            "core",
            "items",
        ),
        command="item list",
        lists=(WORK_ITEM,),
    ),
    Operation(
        "ready_work_items",
        "What can be worked on now",
        "What can be worked on now, most urgent first: active, not blocked, without unfinished children, held by nobody else.",
        ReadyWorkItems,
        ReadyItems,
        ready,
        "read",
        idempotent=True,
        rows=WORK_ITEM,
        groups=(
            "core",
            "items",
        ),
        command="item ready",
        lists=(WORK_ITEM,),
    ),
)
