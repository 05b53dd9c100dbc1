"""A project's name on the server is changed: a name alone, no id. Laptops learn it by a notice, or with the next connection."""

from __future__ import annotations

from typing import NamedTuple

import psycopg
from localfirst_schema.errors import InvalidStateError, NotFoundError, ValidationError
from localfirst_schema.project_key import project_key
from localfirst_schema.values import check_text
from psycopg import errors

from localfirst_sync.postgres.connection import Connection
from localfirst_sync.postgres.failure import unavailable

NAME_MAX = 200

_FIND = """
    SELECT id::text, name FROM localfirst.projects WHERE name = %(name)s OR name_key = %(key)s
    ORDER BY name = %(name)s DESC LIMIT 1
"""
_RENAME = "UPDATE localfirst.projects SET name = %(new)s WHERE id = %(id)s RETURNING id"


_DOUBLES = """
    SELECT d.name, p.name FROM localfirst.projects AS d JOIN localfirst.projects AS p
        ON p.name_key = localfirst.project_key(d.name) AND p.id <> d.id
    WHERE d.name_key IS NULL ORDER BY 1
"""


class Renamed(NamedTuple):
    """A project and what it is called; `old` is the name that the server had."""

    id: str
    old: str
    new: str


def find(connection: Connection, name: str) -> tuple[str, str] | None:
    """Id and name of the project that is called so, or to its host the same. Raises `UnavailableError`."""
    try:
        row = connection.execute(_FIND, {"name": name, "key": project_key(name)}).fetchone()
    except psycopg.Error as error:
        raise unavailable(error) from None
    return None if row is None else (str(row[0]), str(row[1]))


def rename(connection: Connection, old: str, new: str) -> Renamed:
    """Gives the project `old` the name `new`; to have it already is a success.

    Raises `ValidationError` for what is no name, `NotFoundError` where nothing is called `old`, `InvalidStateError` where
    another project has the name, or one that is the same to its host: nothing has changed then. Raises `UnavailableError`.
    """
    check_name(new)
    found = find(connection, old)
    if found is None:
        raise NotFoundError(f"there is no project {old!r} on the server; `SELECT name FROM localfirst.projects` lists them.")
    project_id, name = found
    try:
        row = connection.execute(_RENAME, {"id": project_id, "new": new}).fetchone()
    except errors.UniqueViolation:
        raise _taken(connection, new) from None
    except psycopg.Error as error:
        raise unavailable(error) from None
    if row is None:
        raise NotFoundError(f"the project {name!r} was deleted a moment ago.")
    return Renamed(project_id, name, new)


def doubles(connection: Connection) -> list[tuple[str, str]]:
    """Projects that were begun, before there were keys, under another spelling of a name: (theirs, the one found first).

    Raises `UnavailableError`.
    """
    try:
        return [(str(one), str(other)) for one, other in connection.execute(_DOUBLES).fetchall()]
    except psycopg.Error as error:
        raise unavailable(error) from None


def check_name(name: str) -> None:
    """Raises ValidationError for what is no name of a project."""
    if not 1 <= len(name) <= NAME_MAX:
        raise ValidationError("name", f"must have 1 to {NAME_MAX} characters")
    check_text("name", name)
    if not name.isprintable():
        raise ValidationError("name", "must have no control characters")


def _taken(connection: Connection, new: str) -> InvalidStateError:
    other = find(connection, new)
    words = f"there is another project {other[1]!r} on the server" if other else "another project on the server has this name"
    return InvalidStateError(
        f"{words}, with an id of its own, so {new!r} cannot be given. Nothing was changed. To bring a board into that project,"
        f" run `localfirst init --project {other[1] if other else new}` in its repository.",
        project=other[1] if other else new,
    )
