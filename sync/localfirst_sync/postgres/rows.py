"""The rows of a push: locked and read, then written in sets.

The statements are made from the entities once. Reading takes one statement an entity, writing one for its new rows and one
for its changed rows: the engine knows which are which, since it holds their locks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import msgspec
from localfirst_schema.entities import ENTITIES, Entity
from localfirst_schema.wire import Row

from localfirst_sync.postgres.columns import assignments, read_list, record_type, written_columns
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.structure import Key

Fetch = Callable[[], list[tuple[Any, ...]]]
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
        f" SELECT %s::uuid, {columns} FROM jsonb_to_recordset(%s::jsonb) AS r ({record_type(entity)})"
    )


@cache
def _update(entity: Entity) -> str:
    return (
        f"UPDATE localfirst.{entity.table} AS t SET {assignments(entity, 'r')}"
        f" FROM jsonb_to_recordset(%s::jsonb) AS r ({record_type(entity)}) WHERE t.project_id = %s::uuid AND t.id = r.id"
    )


def send_locks(connection: Connection, project_id: str, keys: Iterable[Key]) -> list[tuple[Entity, Fetch]]:
    """Asks for the rows, locked in the order that all pushes share: by entity, then by id."""
    return _send(connection, project_id, keys, "ORDER BY t.id FOR NO KEY UPDATE")


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


def write(connection: Connection, project_id: str, entity: Entity, new: Sequence[Row], changed: Sequence[Row]) -> None:
    """Writes rows of one entity; within a pipeline nothing is waited for."""
    if new:
        connection.execute(_insert(entity), (project_id, _records(entity, new)), prepare=True)
    if changed:
        connection.execute(_update(entity), (_records(entity, changed), project_id), prepare=True)


def _send(connection: Connection, project_id: str, keys: Iterable[Key], lock: str) -> list[tuple[Entity, Fetch]]:
    by_entity: dict[str, list[str]] = {}
    for name, row_id in keys:
        by_entity.setdefault(name, []).append(row_id)
    return [
        (entity, connection.execute(_select(entity, lock), (project_id, ids), prepare=True).fetchall)
        for entity in ENTITIES
        if (ids := by_entity.get(entity.name))
    ]


def _records(entity: Entity, rows: Sequence[Row]) -> str:
    json_columns = entity.json_columns
    if not json_columns:
        return _encode(rows).decode()
    return _encode(
        [row | {name: msgspec.Raw(row[name].encode()) for name in json_columns if row[name] is not None} for row in rows]
    ).decode()
