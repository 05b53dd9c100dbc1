"""What stands in a replica's file and in PostgreSQL, whole and in one form, to be compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import apsw
import psycopg
from contract.laptop import Laptop
from localfirst_schema.entities import ENTITIES, Entity, Kind
from localfirst_sync.postgres.columns import pull_list

from localfirst.replica.rows import select_sql

Rows = dict[str, dict[str, dict[str, Any]]]
"""Table → id → row."""


def replica_rows(laptop: Laptop) -> Rows:
    """All rows of a laptop's replica."""
    connection = apsw.Connection(str(laptop.replica), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return {e.table: _rows(e, connection.execute(select_sql(e)).fetchall()) for e in ENTITIES}
    finally:
        connection.close()


def server_rows(url: str) -> Rows:
    """All rows of the only project in PostgreSQL."""
    with psycopg.connect(url) as connection:
        found = {}
        for entity in ENTITIES:
            query = f"SELECT {pull_list(entity, 't')} FROM localfirst.{entity.table} AS t"
            found[entity.table] = _rows(entity, connection.execute(query.encode()).fetchall())
        return found


def _rows(entity: Entity, rows: Sequence[Sequence[Any]]) -> dict[str, dict[str, Any]]:
    found = {}
    for row in rows:
        values = {
            column.name: json.loads(value) if column.kind is Kind.JSON and value is not None else value
            for column, value in zip(entity.columns, row, strict=True)
        }
        found[values["id"]] = values
    return found


def one(laptop: Laptop, query: str) -> Any:
    """The first value of a query on a laptop's replica."""
    connection = apsw.Connection(str(laptop.replica), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute(query).get
    finally:
        connection.close()
