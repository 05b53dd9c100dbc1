"""Reading single rows of the replica, whole: all columns of the entity, by column name."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import apsw
from localfirst_schema.entities import Entity
from localfirst_schema.wire import Row


@cache
def select_sql(entity: Entity) -> str:
    """``SELECT`` of every column, in the order of `Entity.column_names`."""
    return f"SELECT {', '.join(entity.column_names)} FROM {entity.table}"


@cache
def _by_id_sql(entity: Entity) -> str:
    return f"{select_sql(entity)} WHERE id = ?"


def as_row(entity: Entity, values: Iterable[Any]) -> Row:
    """A tuple of columns as a row."""
    return dict(zip(entity.column_names, values, strict=True))


def find(connection: apsw.Connection, entity: Entity, row_id: str) -> Row | None:
    """The row with this id (also a deleted one), or None."""
    for values in connection.execute(_by_id_sql(entity), (row_id,)):
        return as_row(entity, values)
    return None


def select(connection: apsw.Connection, entity: Entity, where: str, bindings: Iterable[Any] = ()) -> list[Row]:
    """Rows by an SQL condition, which may go on with ORDER BY and LIMIT. `where` is never made of user input."""
    sql = f"{select_sql(entity)} WHERE {where}"
    return [as_row(entity, values) for values in connection.execute(sql, tuple(bindings))]
