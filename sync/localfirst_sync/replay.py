"""What the history says a row is: its lines carried out again, one after the other, and the row held against the outcome.

Pure. A line that was accepted says what stood after it. One that was merged or lost says what somebody wanted: of each column
that it touches, either that or what stood before may have come of it, so a column has several values that it may have. Where
the history does not go back to the row's creation, a column is unknown until a line gives it a value. What cannot be known
of a column is not held against the row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from localfirst_schema.change_fields import fields_of
from localfirst_schema.entities import Entity, Kind
from localfirst_schema.json_merge import ABSENT, merge, merge_patch, same
from localfirst_schema.wire import Row, decode_json, encode_json

from localfirst_sync.ports import Line

POSSIBLE_MAX = 32
"""A column that may have more values than this is taken for unknown."""

_NOTHING: dict[str, Any] = {}

Possible: TypeAlias = list[Any] | None
"""The values that a column may have, the likeliest first; None: any."""


class Departure(NamedTuple):
    """One column in which a row is not what the history says; `logged` is what that says, `found` what stands there."""

    column: str
    logged: Any
    found: Any


def departures(entity: Entity, row: Row, lines: Sequence[Line]) -> list[Departure]:
    """Where the row departs from its history; `version` when it is not that of the last line. Empty: nowhere.

    Args:
        lines: the whole history of the row as far as it is kept, by rising version. Without any there is nothing to compare.
    """
    if not lines:
        return []
    found = []
    for name, possible in possibilities(entity, lines).items():
        if possible is None:
            continue
        value = _value(entity, row, name)
        if not any(_equal(entity, name, value, one) for one in possible):
            found.append(Departure(name, possible[0], value))
    last = max(line.version for line in lines)
    if row["version"] != last:
        found.append(Departure("version", last, row["version"]))
    return found


def possibilities(entity: Entity, lines: Sequence[Line]) -> dict[str, Possible]:
    """The values that each column may have after these lines, decoded."""
    names = [name for name in entity.sent_columns if name != "created_at"]
    names += ["deleted_at"] if "deleted_at" not in names else []
    begins = lines[0].version == 1 and lines[0].outcome != "lost"
    now: dict[str, Possible] = {name: [None] if begins else None for name in names}
    for line in lines:
        fields = fields_of(entity, line.fields)
        created = line.outcome == "merged" and _creates(entity, fields)
        for name, sides in fields.items():
            if name in now:
                now[name] = _after(entity, name, now[name], sides, line.outcome)
        if created:
            # It may have brought a deleted row back: then it is as it was created, and nothing else of it is left.
            for name in now:
                now[name] = _among(entity, name, [fields.get(name, _NOTHING).get("new")], now[name])
    return now


def logged_row(entity: Entity, row_id: str, lines: Sequence[Line]) -> Row | None:
    """The row that the history tells, for one that is not there; None where it does not tell all of it for sure."""
    row: Row = dict.fromkeys(entity.column_names)
    for name, possible in possibilities(entity, lines).items():
        if possible is None or len(possible) != 1:
            return None
        row[name] = encode_json(possible[0]) if name in entity.json_columns and possible[0] is not None else possible[0]
    first, last = lines[0], lines[-1]
    created_at = fields_of(entity, first.fields).get("created_at", {}).get("new") or first.at
    return row | {
        "id": row_id, "version": last.version, "created_at": created_at, "created_by": first.by,
        "updated_at": last.at, "updated_by": last.by,
    }  # fmt: skip


def _creates(entity: Entity, fields: dict[str, Any]) -> bool:
    """Whether a change says of itself that it is a creation: it gives what no other may set, or has no old values."""
    return not entity.immutable.isdisjoint(fields) or all(sides.get("old") is None for sides in fields.values())


def _after(entity: Entity, name: str, before: Possible, sides: dict[str, Any], outcome: str) -> Possible:
    """What a column may be after a line; of one that was not simply accepted, also what it was before."""
    made = list(_made(entity, name, before, sides, overwrite=True))
    if outcome == "accepted":
        return _among(entity, name, made) if before is not None or _is_whole(entity, name, sides) else None
    if name in entity.json_columns and _places(sides) > 1:
        return None  # each place by itself may have come in or not
    merged = list(_made(entity, name, before, sides, overwrite=False))
    likely, unlikely = (before, made) if outcome == "lost" else (made, before)
    return _among(entity, name, likely, unlikely, merged)


def _places(sides: dict[str, Any]) -> int:
    """How many places of a JSON column a change touches, as far as one by itself can be merged."""

    def count(old: Any, new: Any) -> int:
        if isinstance(old, dict) and isinstance(new, dict):
            return sum(count(old.get(key), new.get(key)) for key in old.keys() | new.keys())
        if isinstance(new, dict) and old is None:
            return max(1, sum(count(None, value) for value in new.values()))
        return 1

    return count(sides.get("old"), sides.get("new"))


def _is_whole(entity: Entity, name: str, sides: dict[str, Any]) -> bool:
    """Whether a change gives a column's whole value: of JSON it may give the keys alone that it touches."""
    return name not in entity.json_columns or not (isinstance(sides.get("old"), dict) and isinstance(sides["new"], dict))


def _made(entity: Entity, name: str, before: Possible, sides: dict[str, Any], *, overwrite: bool) -> Iterator[Any]:
    """What a change makes of each value that the column may have had; of an unknown one what it gives whole."""
    old, new = sides.get("old"), sides.get("new")
    if name not in entity.json_columns:
        yield new
        return
    for one in before or [None]:
        if sides.get("blind"):
            yield merge_patch(one, new)
        else:
            merged = merge(old, new, one, [], overwrite=overwrite)
            yield None if merged is ABSENT else merged


def _among(entity: Entity, name: str, *groups: Possible) -> Possible:
    """All of these values, each once; None if one of the groups may be anything, or if they are too many."""
    found: list[Any] = []
    for group in groups:
        if group is None:
            return None
        for value in group:
            if not any(_equal(entity, name, value, one) for one in found):
                found.append(value)
    return found if len(found) <= POSSIBLE_MAX else None


def _equal(entity: Entity, name: str, one: Any, other: Any) -> bool:
    column = entity.by_name[name]
    if column.kind is Kind.BOOLEAN and one is not None and other is not None:
        return bool(one) == bool(other)
    return same(one, other)


def _value(entity: Entity, row: Row, name: str) -> Any:
    value = row[name]
    return decode_json(value) if value is not None and name in entity.json_columns else value
