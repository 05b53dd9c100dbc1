"""Changing and deleting work items."""

from __future__ import annotations

from typing import Any

from localfirst_schema import metadata
from localfirst_schema.arguments import UpdateWorkItem
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.errors import InvalidStateError, ValidationError
from localfirst_schema.json_merge import merge_patch
from localfirst_schema.results import WorkItemWritten
from localfirst_schema.wire import Row, decode_json

from localfirst.client.ports import Writer
from localfirst.operations.changing import (
    catch_up_with,
    check_not_deleted,
    check_version,
    refuse_null,
    require_some,
    written,
)
from localfirst.operations.holding import holder, released, warned
from localfirst.operations.item_fields import check_label_changes, with_given, with_labels_changed
from localfirst.operations.operation import Operation
from localfirst.operations.partial import keep_blind_update
from localfirst.replica.act import Act
from localfirst.replica.rows import find
from localfirst.replica.structure import derive_paths, has_live_children, place_under, require_alive

_PLAIN = ("title", "status", "branch_name", "commit_hash", "pr_number")


def update(session: Writer, arguments: UpdateWorkItem) -> dict[str, Any]:
    """Changes one item from the version that the caller read."""
    changes = _changes(arguments)
    require_some(changes, *_PLAIN, "parent_id", *metadata.ITEM_FIELDS, "metadata", "deleted", "clear")
    refuse_null(changes, "title", "status", "metadata", "deleted")
    catch_up_with(session, WORK_ITEM, arguments.id, arguments.version)
    parent_id = changes.get("parent_id")
    if parent_id is not None and find(session.replica, WORK_ITEM, parent_id) is None:
        session.catch_up()
    by = (arguments.updated_by, arguments.created_by)
    held = holder(session, arguments.id)
    with session.act(*by) as act:
        row = find(act.connection, WORK_ITEM, arguments.id)
        if row is None:
            _refuse_label_changes(changes)
            partial = keep_blind_update(session, act, arguments.id, arguments.version, changes)
        else:
            check_version(WORK_ITEM, row, arguments.version)
            check_not_deleted(WORK_ITEM, row, changes)
            row = apply_changes(act, row, changes)
            if row["deleted_at"] is not None or row["status"] == "completed":
                released(act, session.project_id, row["id"])
    return warned(session, session.written() | partial if row is None else written(session, WORK_ITEM, row), held, *by)


def _changes(arguments: UpdateWorkItem) -> dict[str, Any]:
    """What is to be changed, with the fields of the metadata as a merge patch."""
    changes = arguments.given(*_PLAIN, "parent_id", "metadata", "deleted")
    fields = arguments.given(*metadata.ITEM_FIELDS)
    for name in ("acceptance",):
        if fields.get(name) is not None:
            fields[name] = [one.model_dump() for one in fields[name]]
    check_label_changes(arguments.add_labels, arguments.remove_labels, is_given="labels" in fields)
    kept = {name: value for name, value in changes.items() if name not in metadata.ITEM_FIELDS}
    if (patch := with_given(changes.get("metadata"), fields)) is not None:
        kept["metadata"] = patch
    for name in ("add_labels", "remove_labels"):
        if getattr(arguments, name):
            kept[name] = getattr(arguments, name)
    return kept


def apply_changes(act: Act, row: Row, changes: dict[str, Any], *, metadata_whole: dict[str, Any] | None = None) -> Row:
    """Changes an item within an act; the rules of the whole (depth, cycles, children) are checked here.

    Args:
        changes: the given arguments of `update_work_item`; `metadata` is a merge patch.
        metadata_whole: the whole metadata as it is to be, in place of the patch.
    """
    values = {name: changes[name] for name in _PLAIN if name in changes}
    derived: dict[str, Any] = {}
    if not changes.keys().isdisjoint({"metadata", "add_labels", "remove_labels"}):
        before = decode_json(row["metadata"])
        patched = merge_patch(before, changes.get("metadata", {})) if metadata_whole is None else metadata_whole
        if "add_labels" in changes or "remove_labels" in changes:
            patched = {
                **patched,
                "labels": with_labels_changed(before, changes.get("add_labels", ()), changes.get("remove_labels", ())),
            }
        values["metadata"] = metadata.check_change(metadata.OF_ITEM_TYPE[row["item_type"]], before, patched)
    if "parent_id" in changes:
        parent = None
        if changes["parent_id"] is not None:
            parent = require_alive(find(act.connection, WORK_ITEM, changes["parent_id"]), "work item", changes["parent_id"])
        derived = place_under(act.connection, row["id"], parent, moved=row)
        values["parent_id"] = changes["parent_id"]
    if "deleted" in changes:
        values["deleted_at"] = _deletion(act, row, deleted=changes["deleted"])
    changed = act.change(WORK_ITEM, row, values, **derived)
    if changed["path"] != row["path"]:
        children = act.connection.execute("SELECT id FROM work_items WHERE parent_id = ?", (row["id"],)).fetchall()
        derive_paths(act.connection, [str(child) for (child,) in children])
    return changed


def _refuse_label_changes(changes: dict[str, Any]) -> None:
    for name in ("add_labels", "remove_labels"):
        if name in changes:
            raise ValidationError(name, "needs the item, which is not on this machine yet; give its whole `labels`")


def _deletion(act: Act, row: Row, *, deleted: bool) -> str | None:
    if not deleted:
        if row["parent_id"] is not None:
            parent = find(act.connection, WORK_ITEM, row["parent_id"])
            if parent is not None and parent["deleted_at"] is not None:
                raise InvalidStateError("its parent is deleted; undelete the parent first.", id=row["parent_id"])
        return None
    if has_live_children(act.connection, row["id"]):
        raise InvalidStateError(
            "this work item has children that are not deleted; delete or move them first.", entity="work_item", id=row["id"]
        )
    return act.at


OPERATIONS = (
    Operation(
        "update_work_item",
        "Update a work item",
        "Changes what is given, empties what `clear` names, deletes (`deleted: true`) and undeletes. On a version mismatch read"
        " the item again.",
        UpdateWorkItem,
        WorkItemWritten,
        update,
        "destroy",
        rows=WORK_ITEM,
        groups=(
            "core",
            "items",
        ),
        command="item update",
    ),
)
