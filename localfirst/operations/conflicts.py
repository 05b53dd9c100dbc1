"""Conflicts: what two machines changed at once and differently, and settling it."""

from __future__ import annotations

from typing import Any

from localfirst_schema.arguments import ListConflicts, ResolveConflict
from localfirst_schema.entities import ENTITIES, ENTITY, PART_OF
from localfirst_schema.errors import InvalidStateError, NotFoundError, ValidationError
from localfirst_schema.results import ConflictResolved, Conflicts
from localfirst_schema.wire import Row, decode_json, encode_json

from localfirst.client.ports import Reader, Writer
from localfirst.operations.lean import LEAN, shaped
from localfirst.operations.operation import Operation
from localfirst.operations.present import present
from localfirst.operations.settled_fields import checked_given
from localfirst.operations.settling import settled_row
from localfirst.replica.rows import find

_NAMES = (
    "conflict_id", "entity", "id", "fields", "base", "mine", "theirs", "base_version", "my_version", "their_version",
    "my_by", "their_by", "created_at", "reason",
)  # fmt: skip
_SELECT = """
    SELECT id, entity, entity_id, fields, base, mine, theirs, base_version, my_version, their_version, my_by, their_by,
        created_at, reason, act_id, resolved_at, resolved_by, resolution
    FROM conflicts
"""
_ASKED_FOR = """
    resolved_at IS NULL AND (?1 IS NULL OR entity IN (SELECT value FROM json_each(?1)))
    AND (?2 IS NULL OR substr(id, 1, length(?2)) = lower(?2))
"""
_OPEN = f"{_SELECT} WHERE {_ASKED_FOR} ORDER BY created_at DESC, id LIMIT ?3"
_COUNT_OPEN = f"SELECT count(*) FROM conflicts WHERE {_ASKED_FOR}"
_BY_ID = f"{_SELECT} WHERE id = ?"
_OF_ACT = f"{_SELECT} WHERE act_id = ? AND resolved_at IS NULL ORDER BY my_version, id"
_COLUMNS = (*_NAMES, "act_id", "resolved_at", "resolved_by", "resolution")

Conflict = dict[str, Any]


def list_conflicts(session: Reader, arguments: ListConflicts) -> dict[str, Any]:
    """Open conflicts, newest first."""
    source = session.read()
    asked_for = (_with_parts(arguments.entity), arguments.conflict_id)
    found = [_reported(session, one) for one in _select(session, _OPEN, *asked_for, arguments.limit)]
    return {"conflicts": found, "total_count": session.replica.execute(_COUNT_OPEN, asked_for).get} | source


def _with_parts(entity: str | None) -> str | None:
    """The entity and those that are parts of it, as a JSON list."""
    if entity is None:
        return None
    return encode_json([entity, *(part for part, (whole, _) in PART_OF.items() if whole.name == entity)])


def _reported(session: Reader, conflict: Conflict) -> Conflict:
    """A conflict under the name and id that users know; `part` and `part_id` say which row of it clashes, if not its own."""
    reported = {name: conflict[name] for name in _NAMES} | {"part": None, "part_id": None}
    if conflict["entity"] in PART_OF:
        whole, column = PART_OF[conflict["entity"]]
        row = find(session.replica, ENTITY[conflict["entity"]], conflict["id"]) or {}
        of = conflict["mine"].get(column) or conflict["base"].get(column) or row.get(column)
        if of is not None:
            reported |= {"entity": whole.name, "id": of, "part": conflict["entity"], "part_id": conflict["id"]}
    return reported


def _select(session: Reader, query: str, *bindings: Any) -> list[Conflict]:
    found = []
    for values in session.replica.execute(query, bindings):
        conflict = dict(zip(_COLUMNS, values, strict=True))
        for name in ("fields", "base", "mine", "theirs"):
            conflict[name] = decode_json(str(conflict[name]))
        found.append(conflict)
    return found


def resolve(session: Writer, arguments: ResolveConflict) -> dict[str, Any]:
    """Settles a conflict for everyone; what was one act is settled as one."""
    session.catch_up()
    conflict = _require_open(session, arguments.conflict_id)
    if arguments.resolution == "merge" and not arguments.fields:
        raise ValidationError("fields", f"is required with merge: the values of {', '.join(conflict['fields'])}")
    if arguments.resolution != "merge" and arguments.fields is not None:
        raise ValidationError("fields", "is for merge alone")
    displayed: dict[str, Any] = {}
    with session.act(arguments.resolved_by) as act:
        for one in _referenced_first(_select(session, _OF_ACT, conflict["act_id"])):
            entity = ENTITY[one["entity"]]
            before = find(act.connection, entity, one["id"])
            given = None  # of the rest of an act that is settled by merging, mine stands: it was one act
            if arguments.fields is not None and one["conflict_id"] == arguments.conflict_id:
                given = checked_given(entity, before, one, arguments.fields)
            after: Row | None = before
            if arguments.resolution == "theirs":
                after = act.change(entity, before, {}) if before is not None else None
            else:
                after = settled_row(act, entity, before, one, given)
            act.settle(one["conflict_id"], arguments.resolution)
            if one["conflict_id"] == arguments.conflict_id and after is not None:
                displayed = present(entity, after)
                if entity in LEAN:
                    displayed = shaped(session, entity, displayed, is_read=False, is_full=arguments.detail == "full")
        nobody = {"id": conflict["id"], "version": None}
        settled = {"conflict_id": arguments.conflict_id, "resolution": arguments.resolution, "entity": conflict["entity"]}
        act.answer = answer = nobody | displayed | settled
    return answer | session.written(conflict["id"])


def _referenced_first(act: list[Conflict]) -> list[Conflict]:
    """The conflicts of an act in the order in which their rows can be written: what is referred to before what refers to it."""
    parents = {one["id"]: one["mine"].get("parent_id") for one in act}

    def place(one: Conflict) -> tuple[int, int]:
        above, parent = set[str](), one["mine"].get("parent_id")
        while parent in parents and parent not in above:
            above.add(parent)
            parent = parents[parent]
        return ENTITIES.index(ENTITY[one["entity"]]), len(above)

    return sorted(act, key=place)


def _require_open(session: Reader, conflict_id: str) -> Conflict:
    found = _select(session, _BY_ID, conflict_id)
    if not found:
        raise NotFoundError(f"there is no conflict {conflict_id}; list_conflicts shows the open ones.", id=conflict_id)
    conflict = found[0]
    if conflict["resolved_at"] is not None:
        raise InvalidStateError(
            f"this conflict was settled already ({conflict['resolution']}, by {conflict['resolved_by']}); read the row to see"
            " how it stands.",
            id=conflict_id,
            resolution=conflict["resolution"],
            resolved_by=conflict["resolved_by"],
        )
    return conflict


OPERATIONS = (
    Operation(
        "list_conflicts",
        "List conflicts",
        "Fields that were changed on two machines at once and differently: base, mine, theirs. The server's value stands"
        " until somebody settles it.",
        ListConflicts,
        Conflicts,
        list_conflicts,
        "read",
        idempotent=True,
        groups=(
            "core",
            "sync",
        ),
        command="conflicts list",
        of_replica_alone=True,
    ),
    Operation(
        "resolve_conflict",
        "Settle a conflict",
        "Settles a conflict for everyone: with my values, with theirs, or (`merge`) with the values in `fields`.",
        ResolveConflict,
        ConflictResolved,
        resolve,
        "update",
        groups=(
            "core",
            "sync",
        ),
    ),
)
