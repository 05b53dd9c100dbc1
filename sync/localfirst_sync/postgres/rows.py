"""The rows of a push: locked and read, then written in sets.

The statements are made from the entities once. Reading takes one statement an entity, writing one for its new rows and one
for its changed rows: the engine knows which are which, since it holds their locks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, TypeAlias

import msgspec
from localfirst_schema.entities import ENTITIES, Entity
from localfirst_schema.wire import Row

from localfirst_sync.postgres.bulk import copy_rows
from localfirst_sync.postgres.columns import assignments, read_list, record_type, written_columns
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.structure import Key

Changed: TypeAlias = tuple[Row, Row]
"""A row as the server has it, and as it is to stand."""

Fetch: TypeAlias = Callable[[], list[tuple[Any, ...]]]
"""Fetches the rows of a statement that was sent within a pipeline."""

_encode = msgspec.json.Encoder().encode


@cache
def _select(entity: Entity, lock: str) -> str:
    return (
        f"SELECT {read_list(entity, 't')} FROM localfirst.{entity.table} AS t"
        f" WHERE t.project_id = %s AND t.id = ANY(%s::uuid[]) {lock}"
    )


@cache
def _insert(entity: Entity) -> str:
    columns = ", ".join(written_columns(entity))
    return (
        f"INSERT INTO localfirst.{entity.table} (project_id, {columns})"
        f" SELECT %s::uuid, {columns}"
        f" FROM pg_catalog.jsonb_to_recordset(%s::jsonb) AS r ({record_type(entity, written_columns(entity))})"
    )


@cache
def _update(entity: Entity, columns: tuple[str, ...]) -> str:
    return (
        f"UPDATE localfirst.{entity.table} AS t SET {assignments(columns)}"
        f" FROM pg_catalog.jsonb_to_recordset(%s::jsonb) AS r ({record_type(entity, ('id', *columns))})"
        " WHERE t.project_id = %s::uuid AND t.id = r.id"
    )


@cache
def _update_in_bulk(entity: Entity, columns: tuple[str, ...]) -> tuple[str, str]:
    incoming = (
        f"CREATE TEMPORARY TABLE pg_temp.incoming_{entity.table} ({record_type(entity, ('id', *columns))}) ON COMMIT DROP"
    )
    return (
        incoming,
        f"UPDATE localfirst.{entity.table} AS t SET {assignments(columns)}"
        f" FROM pg_temp.incoming_{entity.table} AS r WHERE t.project_id = %s::uuid AND t.id = r.id",
    )


def send_locks(
    connection: Connection, project_id: str, keys: Iterable[Key], *, skip_locked: bool = False
) -> list[tuple[Entity, Fetch]]:
    """Asks for the rows, locked in the order that all pushes share: by entity, then by id."""
    lock = "ORDER BY t.id FOR NO KEY UPDATE"
    return _send(connection, project_id, keys, f"{lock} SKIP LOCKED" if skip_locked else lock)


def send_shares(connection: Connection, project_id: str, keys: Iterable[Key]) -> list[tuple[Entity, Fetch]]:
    """Asks for those rows that a reference to them may lock, as a foreign key does."""
    return _send(connection, project_id, keys, "FOR KEY SHARE SKIP LOCKED")


def send_reads(connection: Connection, project_id: str, keys: Iterable[Key]) -> list[tuple[Entity, Fetch]]:
    """Asks for the rows without locking them."""
    return _send(connection, project_id, keys, "")


def fetch(asked: Sequence[tuple[Entity, Fetch]]) -> dict[Key, Row]:
    """The rows that were asked for, as far as they exist."""
    found: dict[Key, Row] = {}
    for entity, rows in asked:
        names, name = entity.column_names, entity.name
        for row in rows():
            found[name, row[0]] = dict(zip(names, row, strict=True))
    return found


def write(connection: Connection, project_id: str, entity: Entity, new: Sequence[Row], changed: Sequence[Changed]) -> None:
    """Writes rows of one entity; within a pipeline nothing is waited for."""
    if new:
        records = _records(entity, new, written_columns(entity))
        connection.execute(_insert(entity), (project_id, records), prepare=True)
    if changed:
        columns = _changed_columns(entity, changed)
        records = _records(entity, [row for _, row in changed], ("id", *columns))
        connection.execute(_update(entity, columns), (records, project_id), prepare=True)


def write_in_bulk(
    connection: Connection, project_id: str, entity: Entity, new: Sequence[Row], changed: Sequence[Changed]
) -> None:
    """The same for many rows; not within a pipeline."""
    if new:
        columns = written_columns(entity)
        rows = ((project_id, *(row[name] for name in columns)) for row in new)
        copy_rows(connection, f"localfirst.{entity.table}", ("project_id", *columns), rows)
    if changed:
        columns = _changed_columns(entity, changed)
        if not _may_make_temporary_tables(connection):
            write(connection, project_id, entity, (), changed)
            return
        incoming, update = _update_in_bulk(entity, columns)
        connection.execute(incoming.encode())
        names = ("id", *columns)
        copy_rows(connection, f"pg_temp.incoming_{entity.table}", names, ([row[name] for name in names] for _, row in changed))
        connection.execute(update.encode(), (project_id,))


def _may_make_temporary_tables(connection: Connection) -> bool:
    may = "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY')"
    return connection.execute(may).fetchone() == (True,)


def _changed_columns(entity: Entity, changed: Sequence[Changed]) -> tuple[str, ...]:
    """The columns in which any of the rows differs: what is not sent need be neither parsed nor compared."""
    return tuple(
        name
        for name in written_columns(entity)
        if name != "id" and any(old[name] is not row[name] and old[name] != row[name] for old, row in changed)
    )


def _send(connection: Connection, project_id: str, keys: Iterable[Key], lock: str) -> list[tuple[Entity, Fetch]]:
    by_entity: dict[str, list[str]] = {}
    for name, row_id in keys:
        by_entity.setdefault(name, []).append(row_id)
    return [
        (entity, connection.execute(_select(entity, lock), (project_id, ids), prepare=True).fetchall)
        for entity in ENTITIES
        if (ids := by_entity.get(entity.name))
    ]


def _records(entity: Entity, rows: Sequence[Row], columns: Sequence[str]) -> str:
    json_columns = entity.json_columns.intersection(columns)
    records = [{name: row[name] for name in columns} for row in rows]
    for name in json_columns:
        for record in records:
            if record[name] is not None:
                record[name] = msgspec.Raw(record[name].encode())
    return _encode(records).decode()
