"""The history of one thing, and going back to an earlier version of a work item."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from localfirst_schema.arguments import GetHistory, RevertWorkItem
from localfirst_schema.entities import ENTITY, WORK_ITEM, Entity
from localfirst_schema.errors import NotFoundError, ValidationError
from localfirst_schema.json_merge import ABSENT, merge
from localfirst_schema.results import History, WorkItemWritten
from localfirst_schema.wire import Fields, Row, decode_fields, decode_json

from localfirst.operations.changing import check_not_deleted, check_version, require, require_still, written
from localfirst.operations.operation import Operation
from localfirst.operations.work_items import apply_changes
from localfirst.session import Session

_CHANGES = """
    SELECT version, by, at, fields, outcome FROM history WHERE entity_id = ? AND entity = ?
    ORDER BY version DESC, history_id DESC
"""
_OLDEST = "SELECT fields FROM history WHERE entity_id = ? AND entity = ? ORDER BY version, history_id LIMIT 1"
_NEVER_EMPTY = ("item_type", "name", "title", "work_item_id", "deployment_id", "deployed_at", "active_context_type")
"""Columns without which no row is created, and of which one was empty before its creation alone."""

_REVERTIBLE = ("title", "status", "parent_id", "branch_name", "commit_hash", "pr_number", "metadata")


class Step(NamedTuple):
    """One change, with the content of the row before and after it."""

    version: int
    by: str | None
    at: str
    fields: Fields
    outcome: str
    before: dict[str, Any]
    after: dict[str, Any]


def steps(session: Session, entity: Entity, row: Row) -> Iterator[Step]:
    """The changes of a row, newest first: its present content, with one change after the other undone.

    A value is taken back only where the change has left its own: of a change that was merged, or lost to a conflict, that is
    the part which went in.
    """
    after = {name: decode_json(row[name]) if name in entity.json_columns and row[name] else row[name] for name in row}
    for version, by, at, text, outcome in session.replica.execute(_CHANGES, (row["id"], entity.name)):
        fields = decode_fields(str(text))
        before = dict(after)
        for name, change in fields.items():
            if name in before:
                undone = merge(change.get("new"), change.get("old"), after[name], [])
                before[name] = None if undone is ABSENT else undone
        yield Step(int(version), by, at, fields, outcome, before, after)
        after = before


def get_history(session: Session, arguments: GetHistory) -> dict[str, Any]:
    """The changes of one thing, newest first."""
    source = session.read(arguments.id)
    entity = ENTITY[arguments.entity]
    row = require(session, entity, arguments.id)
    changes: list[dict[str, Any]] = []
    for step in steps(session, entity, row):
        if len(changes) == arguments.limit:
            break
        changes.append(
            {
                "version": step.version,
                "by": step.by,
                "at": step.at,
                "fields": _old_and_new(entity, step),
                "outcome": step.outcome,
            }
        )
    truncated = _is_truncated(session, entity, arguments.id)
    return {"entity": arguments.entity, "id": arguments.id, "changes": changes, "history_truncated": truncated} | source


def _is_truncated(session: Session, entity: Entity, row_id: str) -> bool:
    """Whether this replica lacks older changes: a new one is given those of the last 90 days."""
    for (text,) in session.replica.execute(_OLDEST, (row_id, entity.name)):
        fields = decode_fields(str(text))
        return not any(name in fields and fields[name].get("old") is None for name in _NEVER_EMPTY)
    return False


def _old_and_new(entity: Entity, step: Step) -> Fields:
    """Old and new values, whole: the log keeps of a JSON document only the keys that differ.

    A change that was lost never became the row's content: of it the keys that it would have changed are shown.
    """
    shown: Fields = {}
    for name, change in step.fields.items():
        if name in entity.json_columns and step.outcome != "lost":
            created = step.version == 1
            shown[name] = {"old": None if created else step.before[name], "new": step.after[name]}
        else:
            shown[name] = {"old": change.get("old"), "new": change.get("new")}
    return shown


def revert(session: Session, arguments: RevertWorkItem) -> dict[str, Any]:
    """Makes a new version of an item with the content of an earlier one."""
    require(session, WORK_ITEM, arguments.id)
    if arguments.to_version >= arguments.version:
        raise ValidationError("to_version", "must be lower than version")
    with session.act(arguments.updated_by) as act:
        row = require_still(act, WORK_ITEM, arguments.id)
        check_version(WORK_ITEM, row, arguments.version)
        check_not_deleted(WORK_ITEM, row, {})
        earlier = _content_at(session, row, arguments.to_version)
        present = {**row, "metadata": decode_json(row["metadata"])}
        changes = {name: earlier[name] for name in _REVERTIBLE if earlier[name] != present[name]}
        row = apply_changes(act, row, changes, metadata_whole=changes.get("metadata"))
    return written(session, WORK_ITEM, row)


def _content_at(session: Session, row: Row, version: int) -> dict[str, Any]:
    nearest = row["version"]
    for step in steps(session, WORK_ITEM, row):
        # Before a creation that was merged there is nothing, or what is left of a row where later changes cover it.
        if step.version == version and None not in (step.after["item_type"], step.after["title"], step.after["status"]):
            return step.after
        if step.version < version:
            break
        nearest = step.version
    raise NotFoundError(
        f"there is no version {version} of this item in the history (the nearest later one is {nearest}); get_history lists"
        " them.",
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
