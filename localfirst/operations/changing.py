"""What every change of an existing row has in common: the row is found, caught up with, and its version compared."""

from __future__ import annotations

from typing import Any

from localfirst_schema.entities import Entity
from localfirst_schema.errors import InvalidStateError, NotFoundError, ValidationError, VersionMismatchError
from localfirst_schema.wire import Row

from localfirst.client.ports import Reader, Writer
from localfirst.operations.present import present
from localfirst.replica import set_aside
from localfirst.replica.act import Act
from localfirst.replica.rows import find


def require(session: Reader, entity: Entity, row_id: str) -> Row:
    """The row, also a deleted one; an unknown id is sought on the server first.

    Raises NotFoundError, InvalidStateError for one that is set aside.
    """
    row = find(session.replica, entity, row_id)
    if row is None and session.catch_up():
        row = find(session.replica, entity, row_id)
    if row is None:
        set_aside.require_taken(session.replica, entity.name, row_id)
    return _there(entity, row_id, row)


def require_still(act: Act, entity: Entity, row_id: str) -> Row:
    """The row as it is within an act; a pull may have taken it away since it was found. Raises NotFoundError."""
    return _there(entity, row_id, find(act.connection, entity, row_id))


def _there(entity: Entity, row_id: str, row: Row | None) -> Row:
    if row is None:
        raise NotFoundError(
            f"there is no {entity.name.replace('_', ' ')} {row_id} in this project; list or search to find its id.",
            entity=entity.name,
            id=row_id,
        )
    return row


def catch_up_with(session: Reader, entity: Entity, row_id: str, version: int) -> None:
    """Pulls first when the caller knows more than the replica: an unknown id, or a newer version."""
    row = find(session.replica, entity, row_id)
    if row is None or row["version"] < version:
        session.catch_up()


def check_version(entity: Entity, row: Row, version: int) -> None:
    """Raises VersionMismatchError unless the caller read the present version."""
    if row["version"] != version:
        raise VersionMismatchError(entity.name, row["id"], version, row["version"], row["updated_by"])


def check_not_deleted(entity: Entity, row: Row, changes: dict[str, Any]) -> None:
    """A deleted row can only be undeleted. Raises InvalidStateError."""
    if row["deleted_at"] is not None and changes.get("deleted") is not False:
        raise InvalidStateError(
            f"this {entity.name.replace('_', ' ')} is deleted; undelete it first (deleted: false).",
            entity=entity.name,
            id=row["id"],
            deleted_at=row["deleted_at"],
        )


def require_some(changes: dict[str, Any], *names: str) -> None:
    """Raises ValidationError if the caller named nothing to change."""
    if not changes:
        raise ValidationError(
            "arguments",
            f"must name something to change: {', '.join(names)}",
            f"give what is to be changed: {', '.join(names)}.",
        )


def refuse_null(changes: dict[str, Any], *names: str) -> None:
    """Raises ValidationError for a null where the field cannot be cleared."""
    for name in names:
        if name in changes and changes[name] is None:
            raise ValidationError(name, "must not be null", f"{name} must not be null: leave it out to keep it as it is.")


def written(session: Writer, entity: Entity, row: Row) -> dict[str, Any]:
    """The result of a write: the row, and where it stands."""
    return present(entity, row) | session.written(row["id"])
