"""Undo: the last act of this session is taken back whole, by a new act, where nothing else has touched its rows since.

An undo is an act like any other, so that undoing it does again what it took back. What cannot be taken back whole is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localfirst_schema.arguments import Undo
from localfirst_schema.entities import ENTITY, VENDOR, WORK_ITEM, WORK_ITEM_CLAIM, Entity
from localfirst_schema.errors import InvalidStateError, VersionMismatchError
from localfirst_schema.results import Undone
from localfirst_schema.wire import Row

from localfirst.client.ports import Writer
from localfirst.operations.inverse import inverse
from localfirst.operations.operation import Operation
from localfirst.operations.references import require_references
from localfirst.operations.vendors import vendor_status
from localfirst.replica.act import Act
from localfirst.replica.last_act import Step
from localfirst.replica.rows import find
from localfirst.replica.structure import derive_paths, has_live_children, place_under, require_alive

DISPLAYED = 50
"""So many of the changes are displayed in the answer; the count is of all."""


def undo(session: Writer, arguments: Undo) -> dict[str, Any]:
    """Takes the last act of this session back."""
    session.catch_up()  # what others did to the rows is to be seen before, not to clash afterwards
    with session.act(arguments.updated_by) as act:
        steps = _of_data(session.last_steps())
        _require_untouched(act, steps)
        displayed = [_taken_back(act, step) for step in reversed(steps)]
        act.answer = answer = {"undone": displayed[:DISPLAYED], "undone_count": len(displayed)}
    return answer | session.written(displayed[0]["id"])


def _of_data(steps: Sequence[Step]) -> Sequence[Step]:
    """Without the claims that an act has given up besides, since somebody may hold the item by now."""
    data = [step for step in steps if step.entity != WORK_ITEM_CLAIM.name]
    return data or steps


def _require_untouched(act: Act, steps: Sequence[Step]) -> None:
    """Raises InvalidStateError for what has no way back, VersionMismatchError where a row was changed since."""
    if not steps:
        raise InvalidStateError(
            "there is nothing to take back: nothing was changed by this session yet; get_history shows what others did, and"
            " revert_work_item goes back to an earlier version of an item."
        )
    for step in steps:
        if step.entity not in ENTITY:
            raise InvalidStateError(
                "the last act settled a conflict, which stays settled for everyone; change the row itself instead.", id=step.id
            )
        if any(change.get("blind") for change in step.fields.values()):
            raise InvalidStateError(
                f"the last act changed {step.entity.replace('_', ' ')} {step.id} without this machine holding it, so what it"
                " was before is not known here; read it and change it instead.",
                entity=step.entity,
                id=step.id,
            )
    for (name, row_id), version in {(step.entity, step.id): step.version for step in steps}.items():
        _require_at(name, row_id, version, find(act.connection, ENTITY[name], row_id))


def _require_at(name: str, row_id: str, version: int, row: Row | None) -> None:
    what = f"{name.replace('_', ' ')} {row_id}"
    if row is None:
        raise InvalidStateError(
            f"{what} is not here any more: the server has refused it, or it was lost; list_conflicts shows what was refused.",
            entity=name,
            id=row_id,
        )
    if row["version"] != version:
        by = f" by {row['updated_by']}" if row["updated_by"] else ""
        words = (
            f"version mismatch: {what} was changed{by} after your last act, which left it at version {version}, and is at"
            f" version {row['version']} now, so the act cannot be taken back whole; read it and change what is to be changed."
        )
        raise VersionMismatchError(name, row_id, version, row["version"], row["updated_by"], words)


def _taken_back(act: Act, step: Step) -> dict[str, Any]:
    """Takes one change back and says what that did."""
    entity = ENTITY[step.entity]
    before = find(act.connection, entity, step.id)
    assert before is not None, "a row does not go while an act is open"
    values = inverse(entity, before, step, act.at)
    row = _changed(act, entity, before, values)
    what = "changed"
    if row["deleted_at"] != before["deleted_at"]:
        what = "deleted" if before["deleted_at"] is None else "undeleted"
    title = row.get("title") or row.get("name")
    return {"entity": entity.name, "id": step.id, "title": title, "what": what, "fields": [*values], "version": row["version"]}


def _changed(act: Act, entity: Entity, before: Row, values: dict[str, Any]) -> Row:
    """Changes a row under the rules that any write has."""
    after = {**before, **values}
    is_revived = before["deleted_at"] is not None and after["deleted_at"] is None
    if entity is not WORK_ITEM:
        if is_revived:
            require_references(act, entity, after)
        status = {"status": vendor_status(bool(after["operational"]))} if entity is VENDOR else {}
        return act.change(entity, before, values, **status)
    if after["deleted_at"] is not None and before["deleted_at"] is None and has_live_children(act.connection, before["id"]):
        raise InvalidStateError(
            "the last act cannot be taken back: what it made has children by now that are not deleted; delete or move them"
            " first.",
            entity=entity.name,
            id=before["id"],
        )
    place: dict[str, Any] = {}
    if is_revived or after["parent_id"] != before["parent_id"]:
        parent_id = after["parent_id"]
        parent = require_alive(find(act.connection, WORK_ITEM, parent_id), "work item", parent_id) if parent_id else None
        place = place_under(act.connection, before["id"], parent, moved=before)
    row = act.change(WORK_ITEM, before, values, **place)
    if row["path"] != before["path"]:
        derive_paths(act.connection, [before["id"]])
    return row


OPERATIONS = (
    Operation(
        "undo",
        "Take back the last act",
        "Takes back what this session's last call changed, whole, as one new change. If anybody has changed any of it since,"
        " nothing happens (version mismatch). Calling it again does it once more.",
        Undo,
        Undone,
        undo,
        "destroy",
        groups=("items",),
    ),
)
