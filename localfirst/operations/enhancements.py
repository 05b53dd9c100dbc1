"""Future enhancements: what is planned, how urgent it is and for when."""

from __future__ import annotations

from typing import Any

from localfirst_schema.arguments import CreateEnhancement, ListEnhancements, UpdateEnhancement
from localfirst_schema.entities import ENHANCEMENT
from localfirst_schema.identifiers import new_id
from localfirst_schema.results import EnhancementPage, EnhancementWritten

from localfirst.client.ports import Reader, Writer
from localfirst.operations.changing import (
    catch_up_with,
    check_not_deleted,
    check_version,
    refuse_null,
    require,
    require_some,
    require_still,
    written,
)
from localfirst.operations.operation import Operation
from localfirst.operations.present import present
from localfirst.replica.rows import select

_FIELDS = ("title", "description", "priority", "status", "target_quarter", "requires_constitutional_principles")
BY_URGENCY = """
    CASE priority WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END,
    target_quarter IS NULL, substr(target_quarter, 4), target_quarter, created_at, id
"""


def create(session: Writer, arguments: CreateEnhancement) -> dict[str, Any]:
    """Adds an enhancement."""
    values = {"id": new_id(), **{name: getattr(arguments, name) for name in _FIELDS}}
    with session.act(arguments.created_by) as act:
        row = act.change(ENHANCEMENT, None, values)
    return written(session, ENHANCEMENT, row)


def update(session: Writer, arguments: UpdateEnhancement) -> dict[str, Any]:
    """Changes an enhancement from the version that the caller read."""
    changes = arguments.given(*_FIELDS, "deleted")
    require_some(changes, *_FIELDS, "deleted", "clear")
    refuse_null(changes, "title", "priority", "status", "deleted")
    catch_up_with(session, ENHANCEMENT, arguments.id, arguments.version)
    require(session, ENHANCEMENT, arguments.id)
    with session.act(arguments.updated_by) as act:
        row = require_still(act, ENHANCEMENT, arguments.id)
        check_version(ENHANCEMENT, row, arguments.version)
        check_not_deleted(ENHANCEMENT, row, changes)
        values = {name: value for name, value in changes.items() if name != "deleted"}
        if "deleted" in changes:
            values["deleted_at"] = act.at if changes["deleted"] else None
        row = act.change(ENHANCEMENT, row, values)
    return written(session, ENHANCEMENT, row)


def list_enhancements(session: Reader, arguments: ListEnhancements) -> dict[str, Any]:
    """A page of enhancements, most urgent first."""
    source = session.read()
    where, bindings = ["deleted_at IS NULL"], []
    for name in ("priority", "status", "target_quarter"):
        if (value := getattr(arguments, name)) is not None:
            where.append(f"{name} = ?")
            bindings.append(value)
    condition = " AND ".join(where)
    total = session.replica.execute(f"SELECT count(*) FROM future_enhancements WHERE {condition}", bindings).get
    page = f"{condition} ORDER BY {BY_URGENCY} LIMIT ? OFFSET ?"
    rows = select(session.replica, ENHANCEMENT, page, (*bindings, arguments.limit, arguments.offset))
    return {"items": [present(ENHANCEMENT, row) for row in rows], "total_count": total} | source


OPERATIONS = (
    Operation(
        "create_enhancement",
        "Plan an enhancement",
        "Adds a future enhancement with its priority, status and target quarter (Q1 2026).",
        CreateEnhancement,
        EnhancementWritten,
        create,
        "create",
        rows=ENHANCEMENT,
        groups=("enhancements",),
    ),
    Operation(
        "update_enhancement",
        "Update an enhancement",
        "Changes a future enhancement. Send the `version` that you read.",
        UpdateEnhancement,
        EnhancementWritten,
        update,
        "destroy",
        rows=ENHANCEMENT,
        groups=("enhancements",),
    ),
    Operation(
        "list_enhancements",
        "List enhancements",
        "A page of future enhancements, most urgent first, filtered by priority, status or quarter.",
        ListEnhancements,
        EnhancementPage,
        list_enhancements,
        "read",
        idempotent=True,
        rows=ENHANCEMENT,
        groups=("enhancements",),
        lists=(ENHANCEMENT,),
    ),
)
