"""Rows as results show them: JSON as objects, booleans as booleans, the rest as it is stored."""

from __future__ import annotations

from typing import Any

from localfirst_schema.entities import WORK_ITEM, Entity
from localfirst_schema.refs import short_ref
from localfirst_schema.wire import Row, decode_json


def present(entity: Entity, row: Row) -> dict[str, Any]:
    """One row as part of a result; of a work item with its ref, as short as it may be (`lean` makes it long enough)."""
    displayed = dict(row)
    for name in entity.json_columns:
        if displayed[name] is not None:
            displayed[name] = decode_json(displayed[name])
    for name in entity.boolean_columns:
        displayed[name] = bool(displayed[name])
    if entity is WORK_ITEM:
        del displayed["claimed_by"]  # of boards from before claims were apart; `lean` adds who holds it
        displayed["ref"] = short_ref(displayed["id"])
    return displayed
