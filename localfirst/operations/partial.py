"""A change of a work item that the replica does not hold, made while the server is away: kept, and decided later."""

from __future__ import annotations

from typing import Any

from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.errors import NotFoundError, ValidationError
from localfirst_schema.limits import VERSION_GIVEN_MAX
from localfirst_schema.refs import short_ref
from localfirst_schema.values import check_json
from localfirst_schema.wire import decode_json

from localfirst.client.ports import Reader
from localfirst.replica.act import Act

_WAITING = """
    SELECT h.fields, h.version, h.at, h.by FROM history AS h JOIN outbox AS o USING (history_id)
    WHERE h.entity = ? AND h.entity_id = ? ORDER BY h.history_id
"""


def waiting_blind_update(session: Reader, item_id: str) -> dict[str, Any] | None:
    """What this replica has written of an item that it does not hold, until the server has decided; the rest is unknown."""
    displayed: dict[str, Any] | None = None
    for fields, version, at, by in session.replica.execute(_WAITING, (WORK_ITEM.name, item_id)):
        displayed = displayed or dict.fromkeys(WORK_ITEM.column_names)
        written = {name: change["new"] for name, change in decode_json(str(fields)).items() if name != "metadata"}
        displayed |= written | {"id": item_id, "version": version, "updated_at": at, "updated_by": by}
    return displayed


def keep_blind_update(session: Reader, act: Act, item_id: str, version: int, changes: dict[str, Any]) -> dict[str, Any]:
    """Keeps the change for the server to decide against `version`; what the caller did not give is unknown (null).

    Raises NotFoundError when there is no server, or it is there and does not know the id; ValidationError for a version that no
    item can have.
    """
    if session.link is None or session.link.is_online():
        raise NotFoundError(
            f"there is no work item {item_id} in this project; list or search to find its id.", entity="work_item", id=item_id
        )
    if version > VERSION_GIVEN_MAX:
        # The row would be raised past it if the change clashes: no row has come near.
        raise ValidationError("version", f"must be at most {VERSION_GIVEN_MAX}: no item has a version near it")
    if "metadata" in changes:
        changes = changes | {"metadata": check_json("metadata", changes["metadata"])}
    values = {name: value for name, value in changes.items() if name not in ("deleted", "metadata")}
    if "deleted" in changes:
        values["deleted_at"] = act.at if changes["deleted"] else None
    act.blind_change(WORK_ITEM, item_id, version, values, changes.get("metadata"))
    displayed: dict[str, Any] = dict.fromkeys(WORK_ITEM.column_names)
    displayed |= values | {
        "id": item_id,
        "ref": short_ref(item_id),
        "version": version + 1,
        "updated_at": act.at,
        "updated_by": act.by,
    }
    act.answer = answer = displayed | {"partial": True, "pending_sync": True}
    return answer
