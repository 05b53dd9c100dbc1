"""Ids as people use them: the first characters are enough where they say which row is meant."""

from __future__ import annotations

from localfirst_schema.entities import WORK_ITEM, Entity
from localfirst_schema.errors import NotFoundError, ValidationError
from localfirst_schema.identifiers import canonical_uuid, is_uuid
from localfirst_schema.refs import DIGITS_MIN, as_ref, beginning_of_id

from localfirst.client.session import Session
from localfirst.operations.naming import item_id
from localfirst.replica.connection import sqlite_errors
from localfirst.replica.refs import displayed_refs

SHORTEST_DISPLAYED = 8
CANDIDATES_LISTED = 5

_NAMES = {"deployment": "json_extract(metadata, '$.pr_title')", "enhancement": "title", "vendor": "name"}
"""What a person knows a row by, as an SQL expression."""


def resolve(session: Session, entity: Entity, given: str) -> str:
    """The id that `given` is, or begins. A whole id is taken as it is, known or not.

    Raises ValidationError for what is neither and for a beginning of several ids, NotFoundError for one of none.
    """
    given = given.strip()
    if is_uuid(given):
        return canonical_uuid(given)
    beginning = beginning_of_id(given)
    if entity is WORK_ITEM and (name := beginning or as_ref(given)) is not None:
        with sqlite_errors():
            return item_id(session, "id", name)
    what = entity.name.replace("_", " ")
    if beginning is None:
        raise ValidationError(
            "id",
            "must be a UUID or the first 6 or more characters of one",
            f"{given!r} is no id{' and no ref' if entity is WORK_ITEM else ''}; give the id of a {what}, or at least its first"
            f" {DIGITS_MIN} characters{', or its ref' if entity is WORK_ITEM else ''}.",
        )
    found = _beginning_with(session, entity, beginning)
    if not found and session.catch_up():
        found = _beginning_with(session, entity, beginning)
    if not found:
        raise NotFoundError(
            f"there is no {what} whose id begins with {given}; list them to find its id.", entity=entity.name, id=given
        )
    if len(found) > 1:
        raise _ambiguous(session, entity, given, found)
    return found[0][0]


def shortest(session: Session, entity: Entity, row_id: str) -> str:
    """As much of an id as tells it from all others in the replica, and eight characters at least; of a work item, its ref."""
    if entity is WORK_ITEM:
        with sqlite_errors():
            return displayed_refs(session.replica, [row_id])[0]
    table = entity.table
    with sqlite_errors():
        before = session.replica.execute(f"SELECT max(id) FROM {table} WHERE id < ?", (row_id,)).get
        after = session.replica.execute(f"SELECT min(id) FROM {table} WHERE id > ?", (row_id,)).get
    shared = max(_shared(row_id, neighbour) for neighbour in (before, after))
    return row_id[: max(SHORTEST_DISPLAYED, shared + 1)]


def _beginning_with(session: Session, entity: Entity, beginning: str) -> list[tuple[str, str | None]]:
    sql = f"""
        SELECT id, {_NAMES[entity.name]} FROM {entity.table} WHERE id >= ? AND id < ? ORDER BY id LIMIT {CANDIDATES_LISTED + 1}
    """
    with sqlite_errors():
        return [(str(row_id), name) for row_id, name in session.replica.execute(sql, (beginning, f"{beginning}~"))]


def _ambiguous(session: Session, entity: Entity, given: str, found: list[tuple[str, str | None]]) -> ValidationError:
    reported = found[:CANDIDATES_LISTED]
    listed = ", ".join(f"{shortest(session, entity, row_id)} ({name})" for row_id, name in reported)
    more = " and more" if len(found) > len(reported) else ""
    return ValidationError(
        "id",
        "must be the beginning of one id only",
        f"{given} is the beginning of several ids: {listed}{more}; give more of the one you mean.",
        candidates=[{"id": row_id, "name": name} for row_id, name in reported],
    )


def _shared(one: str, other: str | None) -> int:
    """How many characters two ids have in common at their beginning."""
    if other is None:
        return 0
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
