"""Whether values can be a row of a table: damage, and pages read one by one, bring forth values that cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localfirst_schema.entities import ENTITY, Column, Entity, Kind
from localfirst_schema.wire import decode_fields, decode_json
from localfirst_sync.ports import CONFLICT_COLUMNS

from localfirst.replica.act import written_columns

HISTORY = ("history_id", "entity", "entity_id", "version", "by", "at", "outcome", "fields")

_CONFLICT_JSON = ("fields", "base", "mine", "theirs")
_UUID, _TIME = 36, 27
_ALWAYS = frozenset({"id", "version", "created_at", "updated_at"})


def is_row(entity: Entity, values: Sequence[Any]) -> bool:
    """Whether these are the stored columns of a row of the entity, in their order."""
    columns = written_columns(entity)
    return len(values) == len(columns) and all(
        _fits(entity.by_name[name], value) for name, value in zip(columns, values, strict=True)
    )


def _fits(column: Column, value: Any) -> bool:
    if value is None:
        return column.name not in _ALWAYS
    match column.kind:
        case Kind.INTEGER | Kind.BOOLEAN:
            return isinstance(value, int) and (column.name != "version" or value >= 1)
        case Kind.UUID:
            return isinstance(value, str) and len(value) == _UUID
        case Kind.TIMESTAMP:
            return is_time(value)
        case Kind.JSON:
            return isinstance(value, str) and value[:1] in ("{", "[") and _is_json(value)
        case _:
            return isinstance(value, str)


def is_time(value: Any) -> bool:
    """Whether a value is a time in its canonical form."""
    return isinstance(value, str) and len(value) == _TIME and value[10] == "T" and value[-1] == "Z"


def is_history(values: Sequence[Any]) -> bool:
    """Whether these are the columns of `HISTORY`."""
    if len(values) != len(HISTORY):
        return False
    history_id, entity, entity_id, version, by, at, outcome, fields = values
    return (
        isinstance(history_id, int)
        and (entity in ENTITY or entity == "conflict")
        and isinstance(entity_id, str)
        and isinstance(version, int)
        and (by is None or isinstance(by, str))
        and is_time(at)
        and outcome in ("accepted", "merged", "lost")
        and isinstance(fields, str)
        and fields[:1] == "{"
        and is_fields(fields)
    )


def is_conflict(values: Sequence[Any]) -> bool:
    """Whether these are the columns of a conflict (`CONFLICT_COLUMNS`) whose documents can be read."""
    row = dict(zip(CONFLICT_COLUMNS, values, strict=True))
    if row["entity"] not in ENTITY or not all(isinstance(row[name], str) and _is_json(row[name]) for name in _CONFLICT_JSON):
        return False
    fields, *sides = (decode_json(row[name]) for name in _CONFLICT_JSON)
    return isinstance(fields, list) and all(isinstance(side, dict) for side in sides)


def is_fields(text: str) -> bool:
    """Whether a text says what a change did."""
    try:
        decode_fields(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_json(text: str) -> bool:
    try:
        decode_json(text)
    except (ValueError, RecursionError):
        return False
    return True
