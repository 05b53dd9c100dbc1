"""A project is deleted from the server, for administrators: all of its rows, its history and its code, in one transaction.

A `DELETE` by SQL leaves tombstones, which is right for rows and never lets go of a project. So the triggers that leave them are
switched off meanwhile, which only the owner of the tables may do; other projects' writers wait as long. What is left of a
project whose row somebody has removed by hand is deleted likewise, by its id. Before anything goes, all rows are given to
whoever keeps them. The id is noted: replicas that knew the project do not fill it again by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import psycopg
from localfirst_schema.entities import ENTITIES
from localfirst_schema.errors import NotFoundError, UnavailableError
from localfirst_schema.identifiers import project_id as id_of_name
from psycopg import errors, sql

from localfirst_sync.postgres import rename
from localfirst_sync.postgres.connection import Connection, begin, roll_back_quietly
from localfirst_sync.postgres.failure import unavailable

Keep = Callable[[str, str], None]
"""Logged of each row that goes: its table, and the row as JSON text."""

_PATIENT = "SELECT pg_catalog.set_config('statement_timeout', '0', true)"
# What is derived from files is not kept: the next index job shares it again.
_NOT_KEPT = ("code_chunks", "code_vectors", "code_repositories", "code_files", "code_places", "replicas", "push_receipts")
_FIRST = ("code_places", "code_files", "code_repositories", "code_vectors", "code_chunks")
_LAST = ("project_heads", "projects")
_INTERNAL = ("history_pending", "history_markers", "deleted_projects")

_TABLES = """
    SELECT c.relname::text FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'localfirst'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'project_id'
        AND NOT a.attisdropped
    ORDER BY c.relname
"""
_LOCK_HEAD = "SELECT FROM localfirst.project_heads WHERE project_id = %s FOR UPDATE"
_NOTE = """
    INSERT INTO localfirst.deleted_projects (id, name) VALUES (%s, %s)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, deleted_at = pg_catalog.now(), deleted_by = session_user
"""


class Doomed(NamedTuple):
    """A project, or what is left of one, and how many work items it has."""

    id: str
    name: str
    work_items: int


def find(connection: Connection, name: str) -> Doomed:
    """The project of this name; else what is left of one whose row is gone. Raises `NotFoundError` or `UnavailableError`."""
    found = rename.find(connection, name)
    project, called = found if found is not None else (id_of_name(name), name)
    count = "SELECT pg_catalog.count(*) FROM localfirst.work_items WHERE project_id = %s"
    try:
        [(items,)] = connection.execute(count, (project,)).fetchall()
        if found is None and not any(_has(connection, table, project) for table in _tables(connection)):
            raise NotFoundError(
                f"there is no project {name!r} on the server; `SELECT name FROM localfirst.projects` lists them."
            )
    except psycopg.Error as error:
        raise unavailable(error) from None
    return Doomed(project, called, int(str(items)))


def delete(connection: Connection, doomed: Doomed, keep: Keep | None, kept: Callable[[], None]) -> None:
    """Deletes it; `keep` is given each row, and `kept` is called before the first one goes. Raises `UnavailableError`."""
    try:
        begin(connection, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        connection.execute(_PATIENT)
        for entity in ENTITIES:
            connection.execute(f"ALTER TABLE localfirst.{entity.table} DISABLE TRIGGER log_delete".encode())
        connection.execute(_LOCK_HEAD, (doomed.id,))
        tables = _tables(connection)
        if keep is not None:
            for table in tables:
                if table not in _NOT_KEPT:
                    for row in _rows(connection, table, doomed.id):
                        keep(table, row)
        kept()
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
        for table in tables:
            connection.execute(sql.SQL("DELETE FROM {} WHERE {} = %s").format(_name(table), _key(table)), (doomed.id,))
        connection.execute(_NOTE, (doomed.id, doomed.name))
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for entity in ENTITIES:
            connection.execute(f"ALTER TABLE localfirst.{entity.table} ENABLE TRIGGER log_delete".encode())
        connection.execute("COMMIT")
    except errors.InsufficientPrivilege:
        roll_back_quietly(connection)
        raise UnavailableError(
            "Only the owner of the schema `localfirst`, its members and superusers may delete a project (`localfirst doctor`"
            " names the owner); set LOCALFIRST_DATABASE_URL to the connection string of one of them. Nothing was deleted.",
            cause="permission",
        ) from None
    except psycopg.Error as error:
        roll_back_quietly(connection)
        raise unavailable(error) from None
    except BaseException:
        roll_back_quietly(connection)
        raise


def _tables(connection: Connection) -> list[str]:
    """Every table with rows of projects, in an order in which they can be deleted."""
    found = {str(table) for (table,) in connection.execute(_TABLES).fetchall()} - {*_INTERNAL, *_FIRST, *_LAST}
    return [*_FIRST, *sorted(found), *_LAST]


def _has(connection: Connection, table: str, project: str) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} = %s)").format(_name(table), _key(table))
    return connection.execute(query, (project,)).fetchone() == (True,)


def _rows(connection: Connection, table: str, project: str) -> Iterator[str]:
    query = sql.SQL("SELECT pg_catalog.to_jsonb(t)::text FROM {} AS t WHERE {} = %s").format(_name(table), _key(table))
    with connection.cursor() as stream:
        for (row,) in stream.stream(query, (project,), size=500):
            yield str(row)


def _name(table: str) -> sql.Identifier:
    return sql.Identifier("localfirst", table)


def _key(table: str) -> sql.Identifier:
    return sql.Identifier("id" if table == "projects" else "project_id")
