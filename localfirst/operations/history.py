"""The history of one thing, and going back to an earlier version of a work item."""

from __future__ import annotations

from typing import Any

from localfirst_schema.arguments import GetHistory, RevertWorkItem
from localfirst_schema.entities import ENTITY, WORK_ITEM
from localfirst_schema.errors import NotFoundError, ValidationError
from localfirst_schema.json_merge import apply
from localfirst_schema.results import History, WorkItemWritten
from localfirst_schema.wire import Fields, Row, decode_fields, decode_json

from localfirst.operations.changing import check_not_deleted, check_version, require, written
from localfirst.operations.operation import Operation
from localfirst.operations.work_items import apply_changes
from localfirst.replica.rows import find
from localfirst.session import Session

_SELECT = """
    SELECT version, by, at, fields, outcome FROM history WHERE entity_id = ? AND entity = ?
    ORDER BY version DESC, history_id DESC LIMIT ?
"""
_REVERTIBLE = ("title", "status", "parent_id", "branch_name", "commit_hash", "pr_number", "metadata")


def get_history(session: Session, arguments: GetHistory) -> dict[str, Any]:
    """The changes of one thing, newest first."""
    source = session.read(arguments.id)
    require(session, ENTITY[arguments.entity], arguments.id)
    changes = [
        {"version": version, "by": by, "at": at, "fields": _old_and_new(decode_fields(fields)), "outcome": outcome}
        for version, by, at, fields, outcome in session.replica.execute(
            _SELECT, (arguments.id, arguments.entity, arguments.limit)
        )
    ]
    return {"entity": arguments.entity, "id": arguments.id, "changes": changes} | source


def _old_and_new(fields: Fields) -> Fields:
    return {name: {"old": change.get("old"), "new": change.get("new")} for name, change in fields.items()}


def revert(session: Session, arguments: RevertWorkItem) -> dict[str, Any]:
    """Makes a new version of an item with the content of an earlier one."""
    require(session, WORK_ITEM, arguments.id)
    if arguments.to_version >= arguments.version:
        raise ValidationError("to_version", "must be lower than version")
    with session.act(arguments.updated_by) as act:
        row = find(act.connection, WORK_ITEM, arguments.id)
        assert row is not None
        check_version(WORK_ITEM, row, arguments.version)
        check_not_deleted(WORK_ITEM, row, {})
        earlier = _content_at(session, row, arguments.to_version)
        changes = {name: value for name, value in earlier.items() if value != _content(row)[name]}
        if "metadata" in changes:
            row = apply_changes(act, row, changes | {"metadata": {}}, metadata_whole=changes["metadata"])
        else:
            row = apply_changes(act, row, changes)
    return written(session, WORK_ITEM, row)


def _content(row: Row) -> dict[str, Any]:
    return {name: decode_json(row[name]) if name == "metadata" else row[name] for name in _REVERTIBLE}


def _content_at(session: Session, row: Row, version: int) -> dict[str, Any]:
    """The content at `version`: the present one with every later change undone."""
    content = _content(row)
    seen = row["version"] + 1
    for at_version, _, _, fields, outcome in session.replica.execute(_SELECT, (row["id"], WORK_ITEM.name, 1_000_000)):
        if at_version == version:
            return content
        if at_version < version:
            break
        seen = at_version
        if outcome != "lost":
            for name, change in decode_fields(fields).items():
                if name == "metadata":
                    content[name] = apply(change["new"], change["old"] or {}, content[name])
                elif name in content:
                    content[name] = change["old"]
    raise NotFoundError(
        f"there is no version {version} of this item in the history (the nearest later one is {seen}); get_history lists them.",
        entity="work_item",
        id=row["id"],
        version=version,
    )


OPERATIONS = (
    Operation(
        "get_history",
        "History of one thing",
        "Who changed what, newest first, on every machine; `lost` marks a change that stands in a conflict instead.",
        GetHistory,
        History,
        get_history,
        "read",
        idempotent=True,
    ),
    Operation(
        "revert_work_item",
        "Go back to an earlier version",
        "Makes a new version of a work item with the content that it had at `to_version`.",
        RevertWorkItem,
        WorkItemWritten,
        revert,
        "update",
    ),
)
