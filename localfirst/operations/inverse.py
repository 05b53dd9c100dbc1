"""What takes a change back: the values that it had found, place by place. Pure."""

from __future__ import annotations

from typing import Any

from localfirst_schema.entities import Entity
from localfirst_schema.json_merge import ABSENT, apply
from localfirst_schema.wire import Row, decode_json
from localfirst_sync.lease import COLUMNS

from localfirst.replica.last_act import Step


def inverse(entity: Entity, row: Row, step: Step, at: str) -> dict[str, Any]:
    """Column → value of the change that takes `step` back on `row`, which nobody has touched since.

    A creation is taken back by a deletion, a first claim by giving it back, everything else by the old values; of JSON
    documents by the old keys.

    Args:
        at: the time of a deletion.
    """
    if step.base_version == 0 and entity.is_lease:
        return dict.fromkeys(COLUMNS)
    if step.base_version == 0:
        return {"deleted_at": at}
    return {name: _former(entity, name, row[name], change) for name, change in step.fields.items()}


def _former(entity: Entity, name: str, present: Any, change: dict[str, Any]) -> Any:
    if name not in entity.json_columns:
        return change.get("old")
    former = apply(change.get("new"), change.get("old"), None if present is None else decode_json(present))
    return None if former is ABSENT else former
