"""Tokens as PostgreSQL keeps them: made, listed, revoked and renewed by an administrator, looked up by the daemon."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

import psycopg
from localfirst_schema.errors import InvalidStateError, NotFoundError, UnavailableError
from localfirst_schema.project_key import project_key
from psycopg import errors

from localfirst_sync import token as token_form
from localfirst_sync.postgres.columns import time_text
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.postgres.failure import unavailable

Grant: TypeAlias = Literal["write", "read"]

ROTATED_FOR = timedelta(hours=1)
"""So long the old token goes on after a rotation."""

CHANNEL = "localfirst_tokens"
"""Notices of tokens that are revoked or rotated, so that daemons look again."""

_COLUMNS = f"""
    t.id, t.name, t.access, {time_text("t.created_at")}, {time_text("t.expires_at")}, {time_text("t.last_used_at")},
    {time_text("t.revoked_at")},
    ARRAY(SELECT p.name FROM localfirst.token_projects AS p WHERE p.token_id = t.id ORDER BY p.name)
"""

_INSERT = """
INSERT INTO localfirst.tokens (id, name, secret_hash, access, expires_at)
VALUES (%s, %s, %s, %s, pg_catalog.now() + %s::interval)
"""
_ADD_PROJECT = """
INSERT INTO localfirst.token_projects (token_id, name, name_key, project_id)
VALUES (%(token)s, %(name)s, %(key)s, (SELECT id FROM localfirst.projects WHERE name = %(name)s OR name_key = %(key)s
    ORDER BY name = %(name)s DESC LIMIT 1))
ON CONFLICT DO NOTHING
"""
_LIST = f"SELECT {_COLUMNS} FROM localfirst.tokens AS t ORDER BY t.created_at, t.id"
_ONE = f"SELECT {_COLUMNS} FROM localfirst.tokens AS t WHERE t.id = %s"
_REVOKE = "UPDATE localfirst.tokens SET revoked_at = coalesce(revoked_at, pg_catalog.now()) WHERE id = %s RETURNING 1"
_TELL = "SELECT pg_catalog.pg_notify(%s, %s)"

_FIND = """
SELECT t.name, t.secret_hash, t.access, coalesce(t.expires_at <= pg_catalog.now(), false), t.revoked_at IS NOT NULL,
    ARRAY(SELECT p.project_id::text FROM localfirst.token_projects AS p WHERE p.token_id = t.id AND p.project_id IS NOT NULL),
    ARRAY(SELECT p.name_key FROM localfirst.token_projects AS p WHERE p.token_id = t.id AND (
        p.project_id IS NULL OR NOT EXISTS (SELECT FROM localfirst.projects AS o WHERE o.id = p.project_id))),
    ARRAY(SELECT p.name FROM localfirst.token_projects AS p WHERE p.token_id = t.id ORDER BY p.name),
    pg_catalog.date_part('epoch', t.expires_at - pg_catalog.now())
FROM localfirst.tokens AS t WHERE t.id = %s
"""
_USED = "UPDATE localfirst.tokens SET last_used_at = pg_catalog.now() WHERE id = %s"
_BIND = "UPDATE localfirst.token_projects SET project_id = %s WHERE token_id = %s AND name_key = %s"


class Token(NamedTuple):
    """A token as it is listed; times are canonical text."""

    id: str
    name: str
    access: Grant
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None
    projects: list[str]


class Found(NamedTuple):
    """A token as the daemon looks it up.

    Attributes:
        project_ids: the projects that are there.
        name_keys: the keys of the names of those that are not there yet.
        left_s: the seconds until it expires; None: never.
    """

    name: str
    secret_hash: bytes
    access: Grant
    is_expired: bool
    is_revoked: bool
    project_ids: list[str]
    name_keys: list[str]
    projects: list[str]
    left_s: float | None


class Made(NamedTuple):
    """A new token, with the one text that is never printed again."""

    secret: str
    token: Token


def create(connection: Connection, name: str, projects: Sequence[str], access: Grant, expires_in: timedelta | None) -> Made:
    """Makes a token for these projects, which need not exist yet. Raises `UnavailableError`."""
    try:
        with connection.transaction():
            return _make(connection, name, projects, access, expires_in)
    except psycopg.Error as error:
        raise _in_words(error) from None


def _make(connection: Connection, name: str, projects: Sequence[str], access: Grant, expires_in: timedelta | None) -> Made:
    parts = token_form.drawn()
    connection.execute(_INSERT, (parts.id, name, token_form.hashed(parts.secret), access, expires_in))
    for project in projects:
        connection.execute(_ADD_PROJECT, {"token": parts.id, "name": project, "key": project_key(project)})
    return Made(str(parts), _one(connection, parts.id))


def listed(connection: Connection) -> list[Token]:
    """All tokens, the oldest first. Raises `UnavailableError`."""
    try:
        found: list[Any] = connection.execute(_LIST.encode()).fetchall()
        return [Token(*row) for row in found]
    except psycopg.Error as error:
        raise _in_words(error) from None


def revoke(connection: Connection, token_id: str) -> Token:
    """Ends a token at once; once more changes nothing. Raises `NotFoundError` or `UnavailableError`."""
    try:
        with connection.transaction():
            if connection.execute(_REVOKE, (token_id,)).fetchone() is None:
                raise unknown(token_id)
            connection.execute(_TELL, (CHANNEL, token_id))
            return _one(connection, token_id)
    except psycopg.Error as error:
        raise _in_words(error) from None


def rotate(connection: Connection, token_id: str) -> Made:
    """Another token in the place of one, which goes on for an hour.

    Raises `NotFoundError`, `InvalidStateError` for one that is over, and `UnavailableError`.
    """
    try:
        with connection.transaction():
            old: Any = connection.execute(
                "SELECT name, access, revoked_at IS NOT NULL OR coalesce(expires_at <= pg_catalog.now(), false),"
                # (as a number: the driver does not read the style in which intervals are pinned)
                " extract(epoch FROM expires_at - pg_catalog.now())::double precision FROM localfirst.tokens"
                " WHERE id = %s FOR UPDATE",
                (token_id,),
            ).fetchone()
            if old is None:
                raise unknown(token_id)
            if old[2]:
                raise InvalidStateError(f"the token {token_id} is over; make a new one with `localfirst token create`.")
            left = None if old[3] is None else timedelta(seconds=old[3])
            made = _make(connection, old[0], _one(connection, token_id).projects, old[1], left)
            # By the projects' ids: a project may be called otherwise by now.
            connection.execute(
                "UPDATE localfirst.token_projects AS n SET project_id = o.project_id FROM localfirst.token_projects AS o"
                " WHERE n.token_id = %s AND o.token_id = %s AND o.name_key = n.name_key",
                (made.token.id, token_id),
            )
            connection.execute(
                "UPDATE localfirst.tokens SET expires_at = least(expires_at, pg_catalog.now() + %s::interval) WHERE id = %s",
                (ROTATED_FOR, token_id),
            )
            connection.execute(_TELL, (CHANNEL, token_id))
            return made
    except psycopg.Error as error:
        raise _in_words(error) from None


def find(connection: Connection, token_id: str) -> Found | None:
    """A token for whoever shows it. Raises `UnavailableError`."""
    try:
        row: Any = connection.execute(_FIND, (token_id,), prepare=True).fetchone()
    except psycopg.Error as error:
        raise _in_words(error) from None
    return None if row is None else Found(row[0], bytes(row[1]), *row[2:])


def note_use(connection: Connection, token_id: str) -> None:
    """It was used now. Raises `UnavailableError`."""
    try:
        connection.execute(_USED, (token_id,), prepare=True)
    except psycopg.Error as error:
        raise _in_words(error) from None


def bind(connection: Connection, token_id: str, project_id: str, name_key: str) -> None:
    """The project of this name is there now: whatever it is called later, the token is for it. Raises `UnavailableError`."""
    try:
        connection.execute(_BIND, (project_id, token_id, name_key))
    except psycopg.Error as error:
        raise _in_words(error) from None


def unknown(token_id: str) -> NotFoundError:
    """The error for a token that is not there."""
    return NotFoundError(f"there is no token {token_id}; `localfirst token list` shows all.", id=token_id)


def _one(connection: Connection, token_id: str) -> Token:
    row: Any = connection.execute(_ONE, (token_id,)).fetchone()
    return Token(*row)


def _in_words(error: psycopg.Error) -> UnavailableError:
    if isinstance(error, errors.InsufficientPrivilege):
        return UnavailableError(
            "This PostgreSQL user may not read tokens: `localfirst serve` and `localfirst token` need the one that has set the"
            " database up (`localfirst server migrate`), or a member of the schema's owner.",
            cause="permission",
        )
    return unavailable(error)
