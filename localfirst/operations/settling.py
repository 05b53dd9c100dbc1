"""What a settled conflict makes of a row: my values of the fields that clash, or those that somebody gave."""

from __future__ import annotations

from typing import Any

from localfirst_schema import metadata
from localfirst_schema.entities import DEPLOYMENT, VENDOR, WORK_ITEM, Entity
from localfirst_schema.errors import InvalidStateError, ValidationError
from localfirst_schema.json_merge import apply, merge_patch
from localfirst_schema.metadata import DeploymentMetadata, VendorMetadata
from localfirst_schema.wire import Row, decode_json
from pydantic import BaseModel

from localfirst.operations.references import require_references
from localfirst.operations.settled_fields import checked_mine
from localfirst.operations.vendors import vendor_status
from localfirst.operations.work_items import apply_changes
from localfirst.replica.act import Act
from localfirst.replica.rows import find
from localfirst.replica.structure import place_under, require_alive

_METADATA: dict[str, type[BaseModel]] = {VENDOR.name: VendorMetadata, DEPLOYMENT.name: DeploymentMetadata}


def settled_row(act: Act, entity: Entity, row: Row | None, conflict: dict[str, Any], given: dict[str, Any] | None) -> Row:
    """The row after settling, under the same rules as any write: what the server refused before is refused here at once."""
    if entity is WORK_ITEM:
        return _settled_work_item(act, row, conflict, given)
    values = _settled_values(entity, row, conflict, given)
    whole = {**(row or {}), **values}
    if whole.get("deleted_at") is None and (row is None or row["deleted_at"] is not None):
        require_references(act, entity, whole)
    status = {"status": vendor_status(bool(whole.get("operational")))} if entity is VENDOR else {}
    return act.change(entity, row, values, **status)


def _settled_work_item(act: Act, row: Row | None, conflict: dict[str, Any], given: dict[str, Any] | None) -> Row:
    if row is None:
        created = _settled_values(WORK_ITEM, None, conflict, given)
        parent_id = created.get("parent_id")
        parent = require_alive(find(act.connection, WORK_ITEM, parent_id), "work item", parent_id) if parent_id else None
        return act.change(WORK_ITEM, None, created, **place_under(act.connection, created["id"], parent))
    values = _settled_values_of(WORK_ITEM, row, conflict, given)
    deleted_at = values.pop("deleted_at", row["deleted_at"])
    if row["deleted_at"] is not None and deleted_at == row["deleted_at"] and values:
        _require_brought_back(row, conflict)
        deleted_at = None
    whole = values.get("metadata")
    if deleted_at != row["deleted_at"]:
        values["deleted"] = deleted_at is not None
    values.pop("claimed_by", None)
    return apply_changes(act, row, values, metadata_whole=whole)


def _settled_values(entity: Entity, row: Row | None, conflict: dict[str, Any], given: dict[str, Any] | None) -> dict[str, Any]:
    """The values to be written to a row of another entity, or to create a row that is not there."""
    if row is None:
        if conflict["base_version"] != 0:
            raise InvalidStateError(
                "the row of this conflict is not there any more, so my change of it cannot be taken; settle it with theirs.",
                id=conflict["id"],
            )
        created = {"id": conflict["id"], **checked_mine(entity, {**conflict["mine"], **(given or {})})}
        for name in (*sorted(entity.immutable), "title"):
            if name in entity.by_name and created.get(name) is None:
                raise ValidationError(f"mine.{name}", "is missing, so my row cannot be made; settle this with theirs")
        if "metadata" in entity.by_name:
            created["metadata"] = metadata.check(_metadata_of(entity, created), created.get("metadata", {}))
        return created
    values = _settled_values_of(entity, row, conflict, given)
    if row["deleted_at"] is not None and "deleted_at" not in values and values:
        _require_brought_back(row, conflict)
        values["deleted_at"] = None
    if "metadata" in values:
        values["metadata"] = metadata.check_change(_metadata_of(entity, row), decode_json(row["metadata"]), values["metadata"])
    return values


def _metadata_of(entity: Entity, row: Row) -> type[BaseModel]:
    return metadata.OF_ITEM_TYPE[row["item_type"]] if entity is WORK_ITEM else _METADATA[entity.name]


def _require_brought_back(row: Row, conflict: dict[str, Any]) -> None:
    """To take my side of an update against a deletion brings the row back; to settle other fields does not."""
    if conflict["reason"] != "deleted":
        raise InvalidStateError(
            "this was deleted after the conflict arose; undelete it first, or settle the conflict with theirs.", id=row["id"]
        )


def _settled_values_of(entity: Entity, row: Row, conflict: dict[str, Any], given: dict[str, Any] | None) -> dict[str, Any]:
    """Column → value: mine where nothing was given; of JSON documents only the keys in question change."""
    values: dict[str, Any] = {}
    if given is None:
        for name, mine in checked_mine(entity, conflict["mine"]).items():
            if name in entity.json_columns and isinstance(mine, dict):
                values[name] = apply(conflict["base"].get(name) or {}, mine, decode_json(row[name] or "{}"))
            else:
                values[name] = mine
        return values
    for name, value in given.items():
        patched = name in entity.json_columns and isinstance(value, dict)
        values[name] = merge_patch(decode_json(row[name] or "{}"), value) if patched else value
    return values
