"""Brings the schema `localfirst` of a PostgreSQL database up to date, once, whoever comes first.

The migrations are the numbered files beside `localfirst_schema.postgres`; each runs in one transaction of its own under a
lock, so that clients that start together do not meet. A database that is newer than this client is left alone: the
client is served as long as it speaks the protocol that the newest migration asks for, and asked to upgrade otherwise.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import nullcontext
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import psycopg
from localfirst_schema.errors import UnavailableError
from localfirst_schema.project_key import project_key
from psycopg import errors

from localfirst_sync.postgres.connection import Connection, writing, wrong_encoding
from localfirst_sync.postgres.failure import unavailable
from localfirst_sync.postgres.pinned import PIN
from localfirst_sync.postgres.protocol import check_protocol
from localfirst_sync.postgres.rights import why_not_migrated

_NUMBER = 0x6C6F63616C66  # "localf": any number that nobody else uses

# One at a time. A lock of the table, since anybody who may connect can take an advisory one and keep it; that is left for the
# very first migration, before which there is no table.
_LOCK = f"""
DO $$
BEGIN
    IF pg_catalog.to_regclass('localfirst.schema_migrations') IS NOT NULL THEN
        LOCK TABLE localfirst.schema_migrations IN SHARE ROW EXCLUSIVE MODE;
    ELSE
        PERFORM pg_catalog.pg_advisory_xact_lock({_NUMBER});
    END IF;
END
$$
"""

_INSTALLED = "SELECT pg_catalog.max(number), pg_catalog.max(protocol) FROM localfirst.schema_migrations"

# A schema that somebody has made for us is used as it is: CREATE SCHEMA asks for CREATE on the database even if it is there.
# pgvector is installed here, where its schema is named: what a migration makes must not depend on a search path.
_PREPARE = """
DO $$
BEGIN
    IF pg_catalog.to_regnamespace('localfirst') IS NULL THEN
        CREATE SCHEMA localfirst;
    END IF;
END
$$;
DO $$
BEGIN
    IF pg_catalog.to_regnamespace('public') IS NOT NULL THEN
        CREATE EXTENSION IF NOT EXISTS vector SCHEMA public;
    END IF;
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
    NULL;
END
$$;
CREATE TABLE IF NOT EXISTS localfirst.schema_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    protocol integer NOT NULL, -- the oldest protocol that works with the schema from here on
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""

# Pushes that have begun end first, and those that begin see what is asked for from now on: they look under the head's lock.
_AFTER_PUSHES = """
DO $$
BEGIN
    IF pg_catalog.to_regclass('localfirst.project_heads') IS NOT NULL THEN
        LOCK TABLE localfirst.project_heads IN EXCLUSIVE MODE;
    END IF;
END
$$
"""

# What a migration brings gets owner, search path and rights like everything else.
_SECURE = """
DO $$
BEGIN
    IF pg_catalog.to_regprocedure('localfirst.secure()') IS NOT NULL THEN
        PERFORM localfirst.secure();
    END IF;
    IF pg_catalog.to_regprocedure('localfirst.extend_row_security()') IS NOT NULL THEN
        PERFORM localfirst.extend_row_security();
    END IF;
END
$$
"""

_PIN = """
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
    pg_catalog.set_config('lock_timeout', '60s', true), pg_catalog.set_config('statement_timeout', '0', true),
    CASE WHEN pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL
        THEN pg_catalog.set_config('transaction_timeout', '0', true) END
"""

_START_PROJECT = """
    INSERT INTO localfirst.projects (id, name) VALUES (%(id)s, %(name)s) ON CONFLICT DO NOTHING RETURNING id::text, name
"""

_PROJECT_OF_ID = "SELECT id::text, name FROM localfirst.projects WHERE id = %(id)s"

FIND_PROJECT = """
    SELECT id::text, name FROM localfirst.projects WHERE id = %(id)s OR name = %(name)s OR name_key = %(key)s
    ORDER BY id = %(id)s DESC, name = %(name)s DESC LIMIT 1
"""
"""The project of this id, else of this name, else of this key: ids are given once, and names are only looked up."""


class Project(NamedTuple):
    """A project as the server knows it."""

    id: str
    name: str


class Migration(NamedTuple):
    """One file; `protocol` comes from its line ``-- protocol: N`` (default 1)."""

    number: int
    name: str
    sql: str
    protocol: int


@cache
def migrations() -> tuple[Migration, ...]:
    """All migrations that this client knows, in order."""
    found = []
    for path in files("localfirst_schema").joinpath("postgres").iterdir():
        if match := re.fullmatch(r"(\d{4})_(\w+)\.sql", path.name):
            sql = path.read_text(encoding="utf-8")
            protocol = re.search(r"^-- protocol: (\d+)$", sql, re.MULTILINE)
            found.append(Migration(int(match[1]), match[2], sql, int(protocol[1]) if protocol else 1))
    return tuple(sorted(found))


def migrate(connection: Connection) -> int:
    """Applies what is missing and returns how many migrations that were; one query when nothing is.

    Raises `UnavailableError` when the database is too new, or when this user may not create what is missing.
    """
    try:
        if not _missing(connection):
            return 0
        applied = 0
        while missing := _missing(connection):
            applied += _apply(connection, missing[0])
        return applied
    except errors.InsufficientPrivilege:
        raise _not_allowed(connection) from None
    except psycopg.Error as error:
        raise unavailable(error) from None


def send_installed(connection: Connection) -> Any:
    """Asks which migrations are there, within a pipeline; it fails where none is."""
    return connection.execute(_INSTALLED)


def is_complete(asked: Any) -> bool:
    """The answer to `send_installed`: whether there is nothing to apply. Raises `UnavailableError` as `migrate` does."""
    return not _missing_of(asked.fetchone())


def _not_allowed(connection: Connection) -> UnavailableError:
    try:
        lack = why_not_migrated(connection)
    except psycopg.Error as error:
        return unavailable(error)
    return UnavailableError(
        f"{lack} `localfirst doctor` prints the statement that helps; or let an administrator run `localfirst server migrate`."
        " Changes are kept.",
        cause="permission",
    )


def ensure_project(connection: Connection, project_id: str, name: str) -> Project:
    """The project in PostgreSQL, which is started if nobody has; a trigger makes its head and its configuration.

    Its id is another one if somebody else has given it one before. Raises `UnavailableError`.
    """
    wanted = sought(project_id, name)
    try:
        for question in (_PROJECT_OF_ID, _START_PROJECT, FIND_PROJECT):
            with writing(connection) if question is _START_PROJECT else nullcontext():
                row = connection.execute(question, wanted).fetchone()
            if row is not None:
                return Project(str(row[0]), str(row[1]))
    except psycopg.Error as error:
        raise unavailable(error) from None
    raise UnavailableError(
        "PostgreSQL has a project of this name that this user may not see; ask its administrator for the rights, or give this"
        " project a name of its own (LOCALFIRST_PROJECT).",
        cause="project",
    )


def sought(project_id: str, name: str) -> dict[str, str]:
    """The parameters of `FIND_PROJECT`."""
    return {"id": project_id, "name": name, "key": project_key(name)}


def _missing(connection: Connection) -> list[Migration]:
    try:
        row = connection.execute(_INSTALLED).fetchone()
    except errors.UndefinedTable:
        row = None
    return _missing_of(row)


def _missing_of(row: tuple[object, ...] | None) -> list[Migration]:
    number, protocol = row if row and row[0] is not None else (0, 0)
    check_protocol(protocol)
    return [migration for migration in migrations() if isinstance(number, int) and migration.number > number]


def _require_utf8(connection: Connection) -> None:
    """Once more, since a pooler may have kept it to itself."""
    [(encoding,)] = connection.execute("SELECT pg_catalog.getdatabaseencoding()::text").fetchall()
    if encoding != "UTF8":
        raise wrong_encoding(str(encoding))


def _apply(connection: Connection, migration: Migration) -> int:
    """Runs one migration unless another client did so meanwhile; returns how many it ran."""
    with connection.transaction():
        if connection.pooled:
            connection.execute(PIN.encode())
        connection.execute(_PIN)
        _require_utf8(connection)
        connection.execute(_LOCK.encode())
        connection.execute(_PREPARE)
        done = "SELECT 1 FROM localfirst.schema_migrations WHERE number >= %s"
        if connection.execute(done, (migration.number,)).fetchone():
            return 0
        if migration.protocol > 1:
            connection.execute(_AFTER_PUSHES)
        connection.execute(migration.sql.encode())
        connection.execute(_SECURE)
        connection.execute(
            "INSERT INTO localfirst.schema_migrations (number, name, sha256, protocol) VALUES (%s, %s, %s, %s)",
            (migration.number, migration.name, hashlib.sha256(migration.sql.encode()).hexdigest(), migration.protocol),
        )
    return 1
