"""Ids as people use them: the first characters are enough where they say which row is meant."""

from __future__ import annotations

import re

from localfirst_schema.entities import Entity
from localfirst_schema.errors import NotFoundError, ValidationError
from localfirst_schema.identifiers import canonical_uuid, is_uuid

from localfirst.replica.connection import sqlite_errors
from localfirst.session import Session

SHORTEST_GIVEN = 6
SHORTEST_SHOWN = 8
CANDIDATES_TOLD = 5

_NAMES = {"work_item": "title", "deployment": "json_extract(metadata, '$.pr_title')", "enhancement": "title", "vendor": "name"}
"""What a person knows a row by, as an SQL expression."""


def resolve(session: Session, entity: Entity, given: str) -> str:
    """The id that `given` is, or begins. A whole id is taken as it is, known or not.

    Raises ValidationError for what is neither and for a beginning of several ids, NotFoundError for one of none.
    """
    given = given.strip()
    if is_uuid(given):
        return canonical_uuid(given)
    what = entity.name.replace("_", " ")
    beginning = _with_dashes(given)
    if beginning is None:
        raise ValidationError(
            "id",
            "must be a UUID or the first 6 or more characters of one",
            f"{given!r} is no id; give the id of a {what}, or at least its first {SHORTEST_GIVEN} characters.",
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
    """As much of an id as tells it from all others in the replica, and eight characters at least."""
    table = entity.table
    with sqlite_errors():
        before = session.replica.execute(f"SELECT max(id) FROM {table} WHERE id < ?", (row_id,)).get
        after = session.replica.execute(f"SELECT min(id) FROM {table} WHERE id > ?", (row_id,)).get
    shared = max(_shared(row_id, neighbour) for neighbour in (before, after))
    return row_id[: max(SHORTEST_SHOWN, shared + 1)]


def _with_dashes(given: str) -> str | None:
    """The beginning of an id in the canonical spelling, or None if it is none."""
    digits = given.replace("-", "").lower()
    if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST_GIVEN},31}}", digits):
        return None
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(part for part in parts if part)


def _beginning_with(session: Session, entity: Entity, beginning: str) -> list[tuple[str, str | None]]:
    sql = f"""
        SELECT id, {_NAMES[entity.name]} FROM {entity.table} WHERE id >= ? AND id < ? ORDER BY id LIMIT {CANDIDATES_TOLD + 1}
    """
    with sqlite_errors():
        return [(str(row_id), name) for row_id, name in session.replica.execute(sql, (beginning, f"{beginning}~"))]


def _ambiguous(session: Session, entity: Entity, given: str, found: list[tuple[str, str | None]]) -> ValidationError:
    told = found[:CANDIDATES_TOLD]
    listed = ", ".join(f"{shortest(session, entity, row_id)} ({name})" for row_id, name in told)
    more = " and more" if len(found) > len(told) else ""
    return ValidationError(
        "id",
        "must be the beginning of one id only",
        f"{given} is the beginning of several ids: {listed}{more}; give more of the one you mean.",
        candidates=[{"id": row_id, "name": name} for row_id, name in told],
    )


def _shared(one: str, other: str | None) -> int:
    """How many characters two ids have in common at their beginning."""
    if other is None:
        return 0
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
