"""The history of one thing, and going back to an earlier version of a work item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from localfirst_schema.arguments import GetHistory, RevertWorkItem
from localfirst_schema.change_fields import fields_of
from localfirst_schema.entities import ENTITY, WORK_ITEM, Entity
from localfirst_schema.errors import InvalidStateError, NotFoundError, ValidationError
from localfirst_schema.json_merge import ABSENT, merge, same
from localfirst_schema.results import History, WorkItemWritten
from localfirst_schema.wire import Fields, Row, decode_json
from localfirst_sync.displayed_versions import Content, begins_with_creation, content, nothing, replayed
from localfirst_sync.ports import Line

from localfirst.client.ports import Reader, Writer
from localfirst.operations.changing import check_not_deleted, check_version, require, require_still, written
from localfirst.operations.operation import Operation
from localfirst.operations.undecided_versions import Waiting, is_undecided
from localfirst.operations.work_items import apply_changes
from localfirst.replica import outbox

# What waits comes last: it was made on what was displayed here, wherever the server puts it. Of a change that waits for its
# verdict alone the server's line is here too, where that is another.
_LINES = f"""
    SELECT h.version, h.by, h.at, h.outcome, h.fields, coalesce(o.echoed = 0, 0) OR a.history_id IS NOT NULL AS waits, h.via
    FROM history AS h LEFT JOIN outbox AS o ON o.history_id = h.history_id LEFT JOIN awaited AS a ON a.history_id = h.history_id
    WHERE h.entity_id = ? AND h.entity = ? AND o.echoed IS NOT {outbox.ECHOED_CHANGED} ORDER BY waits, h.version, h.history_id
"""
# The server has it, and what else it has of the row is not here before the next pull.
_FIRST_AWAITED = """
    SELECT min(h.version) FROM awaited JOIN history AS h USING (history_id) WHERE h.entity_id = ? AND h.entity = ?
"""
_VERSIONS = f"""
    SELECT h.version, CASE WHEN o.echoed = 0 THEN o.base_version END, instr(h.fields, '"blind":true')
    FROM history AS h LEFT JOIN outbox AS o USING (history_id)
    WHERE h.entity_id = ? AND h.entity = ? AND o.echoed IS NOT {outbox.ECHOED_CHANGED} ORDER BY h.history_id
"""
_IS_LOGGED = "SELECT EXISTS (SELECT 1 FROM history WHERE entity_id = ? AND entity = ?)"
_REVERTIBLE = ("title", "status", "parent_id", "branch_name", "commit_hash", "pr_number", "metadata")


class Step(NamedTuple):
    """One change, with the content of the row before and after it; `waits` until the server has decided; `via` is the
    name of the token by which it came there."""

    line: Line
    fields: Fields
    before: Content
    after: Content
    waits: bool
    via: str | None


class Past(NamedTuple):
    """The changes of a row, oldest first; `is_whole` if the first one created it."""

    steps: list[Step]
    is_whole: bool


def past(session: Reader, entity: Entity, row: Row) -> Past:
    """What this replica knows of a row's past, each version as it was displayed (`localfirst_sync.displayed_versions`).

    Where the beginning is missing (a new replica is given 90 days), it begins with what is left when all that is known is
    undone.
    """
    found: list[Any] = session.replica.execute(_LINES, (row["id"], entity.name)).fetchall()
    lines = [Line(*values[:5]) for values in found]
    changes = [fields_of(entity, line.fields) for line in lines]
    is_whole = begins_with_creation(lines) or all(line.outcome == "lost" for line in lines)
    now = content(entity, row)
    undone = _undone(entity, now, lines, changes)
    begin = nothing(entity) if is_whole else undone[0]
    # What waits is carried out as it is displayed: as the server would, where two times meet.
    foreseen = [line._replace(outcome="merged") if values[5] else line for line, values in zip(lines, found, strict=True)]
    contents = [begin, *replayed(entity, foreseen, begin)]
    if not same(contents[-1], now):
        contents = [*undone, now]  # logged by an older program, which did not say what was left of a change that lost
    steps = [
        Step(line, fields, before, after, bool(values[5]), values[6])
        for line, fields, before, after, values in zip(lines, changes, contents, contents[1:], found, strict=False)
    ]
    return Past(steps, is_whole)


def _undone(entity: Entity, now: Content, lines: Sequence[Line], changes: Sequence[Fields]) -> list[Content]:
    """The content before each line: one change after the other taken back, where it has left its own."""
    contents: list[Content] = []
    for _, fields in reversed(list(zip(lines, changes, strict=True))):
        before = dict(now)
        for name, change in fields.items():
            if name in before and not (change.get("blind") and name in entity.json_columns):
                old, new = change.get("old"), change.get("new")
                value = merge(new, old, now[name], [])
                before[name] = None if value is ABSENT else value
        contents.append(before)
        now = before
    return contents[::-1]


def get_history(session: Reader, arguments: GetHistory) -> dict[str, Any]:
    """The changes of one thing, newest first."""
    source = session.read(arguments.id)
    entity = ENTITY[arguments.entity]
    row = _row_or_nothing(session, entity, arguments.id)
    steps, is_whole = past(session, entity, row)
    changes = [
        {
            "version": step.line.version,
            "by": step.line.by,
            "at": step.line.at,
            "fields": _old_and_new(entity, step),
            "outcome": step.line.outcome,
            "via": step.via,
        }
        for step in sorted(steps, key=_newest_first)[: arguments.limit]
    ]
    return {"entity": arguments.entity, "id": arguments.id, "changes": changes, "history_truncated": not is_whole} | source


def _newest_first(step: Step) -> int:
    return -step.line.version


def _row_or_nothing(session: Reader, entity: Entity, row_id: str) -> Row:
    """The row; of one that is not there, or not yet, but of which changes were made, a row without content."""
    try:
        return require(session, entity, row_id)
    except NotFoundError:
        if not session.replica.execute(_IS_LOGGED, (row_id, entity.name)).get:
            raise
        return {**dict.fromkeys(entity.column_names), "id": row_id}


def _old_and_new(entity: Entity, step: Step) -> Fields:
    """Old and new values, whole, as the row had them: the log keeps of a JSON document only the keys that differ.

    A creation that brought a deleted row back changed more than it names; that is displayed too. A change that was lost never
    became the row's content: of it the keys that it would have changed are displayed.
    """
    displayed: Fields = {}
    more: Fields = {name: {} for name in step.after if not same(step.before[name], step.after[name])}
    for name, change in {**more, **step.fields}.items():
        if step.line.outcome != "lost" and name in step.after:
            displayed[name] = {"old": step.before[name], "new": step.after[name]}
        else:
            displayed[name] = {side: change.get(side) for side in ("old", "new")}
    return displayed


def revert(session: Writer, arguments: RevertWorkItem) -> dict[str, Any]:
    """Makes a new version of an item with the content of an earlier one."""
    require(session, WORK_ITEM, arguments.id)
    if arguments.to_version >= arguments.version:
        raise ValidationError("to_version", "must be lower than version")
    if _is_unknown(session, arguments.id, arguments.to_version):
        session.catch_up()
    with session.act(arguments.updated_by) as act:
        row = require_still(act, WORK_ITEM, arguments.id)
        check_version(WORK_ITEM, row, arguments.version)
        check_not_deleted(WORK_ITEM, row, {})
        if _is_unknown(session, row["id"], arguments.to_version):
            raise InvalidStateError(
                f"what version {arguments.to_version} was is not known here until the server has decided the changes that wait:"
                " others have changed this item, too, or may have; call sync_now and try again.",
                entity=WORK_ITEM.name,
                id=row["id"],
            )
        earlier = _content_at(session, row, arguments.to_version)
        present = {**row, "metadata": decode_json(row["metadata"])}
        changes = {name: earlier[name] for name in _REVERTIBLE if not same(earlier[name], present[name])}
        row = apply_changes(act, row, changes, metadata_whole=changes.get("metadata"))
    return written(session, WORK_ITEM, row)


def _is_unknown(session: Reader, item_id: str, version: int) -> bool:
    """Whether changes of others may lie before this version that have not come yet."""
    first: int | None = session.replica.execute(_FIRST_AWAITED, (item_id, WORK_ITEM.name)).get
    if first is not None and version >= first:
        return True
    lines: list[Any] = session.replica.execute(_VERSIONS, (item_id, WORK_ITEM.name)).fetchall()
    waiting = [Waiting(version, base, bool(is_blind)) for version, base, is_blind in lines if base is not None]
    return is_undecided(version, waiting, [version for version, base, _ in lines if base is None])


def _content_at(session: Reader, row: Row, version: int) -> Content:
    """What somebody saw as this version: what the server made of it, before what waits here alone."""
    steps = past(session, WORK_ITEM, row).steps
    newest_first = steps[::-1]
    for step in sorted(newest_first, key=lambda step: step.waits):
        if step.line.version == version and step.after["item_type"] is not None:
            return step.after
    later = [step.line.version for step in steps if step.line.version > version]
    raise NotFoundError(
        f"there is no version {version} of this item in the history (the nearest later one is"
        f" {min(later, default=row['version'])}); get_history lists them.",
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
        groups=("items",),
        command="item history",
    ),
    Operation(
        "revert_work_item",
        "Go back to an earlier version",
        "Makes a new version of a work item with the content that it had at `to_version`.",
        RevertWorkItem,
        WorkItemWritten,
        revert,
        "update",
        rows=WORK_ITEM,
        groups=("items",),
    ),
)
