"""How rows are read from and written to PostgreSQL: as canonical text, so that neither side parses what it only passes on.

Timestamps are read in the format of `localfirst_schema.timestamps`, UUIDs and JSON as text. Rows are written through JSON
record sets or `COPY`; what is derived (`status` of a vendor) is computed by the server.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from localfirst_schema.entities import VENDOR, Column, Entity, Kind
from localfirst_schema.limits import DOCUMENT_BYTES_MAX
from localfirst_schema.timestamps import PG_FORMAT

from localfirst_sync.sieve import TOO_LARGE, UNREADABLE_TIME

_TYPE = {
    Kind.TEXT: "text",
    Kind.UUID: "uuid",
    Kind.INTEGER: "bigint",
    Kind.BOOLEAN: "boolean",
    Kind.JSON: "jsonb",
    Kind.TIMESTAMP: "timestamptz",
}

_SURELY_SMALL_BYTES = 1000
"""Stored bytes, compressed, of which no more than some megabytes of text can come."""

_GENERATED = {(VENDOR.name, "status")}


def time_text(column: str) -> str:
    """A timestamp as canonical text; one that has none (infinite, or not of the years 1 to 9999) comes with a mark."""
    return (
        f"CASE WHEN {column} < '0001-01-01Z' OR {column} >= '10000-01-01Z' THEN '{UNREADABLE_TIME}' || {column}::text"
        f" ELSE pg_catalog.to_char({column} AT TIME ZONE 'UTC', '{PG_FORMAT}') END"
    )


def json_text(column: str, longest: int) -> str:
    """JSON as text; of one that is too large its size alone, so that it does not travel.

    What is small where it is stored is not written out twice to be measured.
    """
    written = f"pg_catalog.octet_length({column}::text)"
    return (
        f"CASE WHEN pg_catalog.pg_column_size({column}) > {_SURELY_SMALL_BYTES} AND {written} > {longest}"
        f" THEN '{TOO_LARGE}' || {written} || ' bytes' ELSE {column}::text END"
    )


def read_list(entity: Entity, table: str) -> str:
    """The select list for all columns, in the order of `column_names`; booleans stay booleans, as in changes."""
    return ", ".join(_read(column, table) for column in entity.columns)


def pull_list(entity: Entity, table: str) -> str:
    """The same as the replica keeps it: booleans as 0 and 1."""
    return ", ".join(
        f"{table}.{column.name}::int" if column.kind is Kind.BOOLEAN else _read(column, table) for column in entity.columns
    )


def copy_list(entity: Entity, table: str) -> str:
    """The same for a binary ``COPY``: all numbers as eight bytes."""
    return ", ".join(_copied(column, table) for column in entity.columns)


def _copied(column: Column, table: str) -> str:
    if column.kind is Kind.BOOLEAN:
        return f"{table}.{column.name}::int::int8"
    return f"{table}.{column.name}::int8" if column.kind is Kind.INTEGER else _read(column, table)


@cache
def written_columns(entity: Entity) -> tuple[str, ...]:
    """The columns that the engine writes: all but what the server generates."""
    return tuple(name for name in entity.column_names if (entity.name, name) not in _GENERATED)


def record_type(entity: Entity, names: Iterable[str]) -> str:
    """The column definition list of a record set or a temporary table with these columns."""
    return ", ".join(f"{name} {_TYPE[entity.by_name[name].kind]}" for name in names)


def assignments(names: Iterable[str]) -> str:
    """``SET`` list that takes the columns from the row `r`."""
    return ", ".join(f"{name} = r.{name}" for name in names)


def _read(column: Column, table: str) -> str:
    name = f"{table}.{column.name}"
    if column.kind is Kind.TIMESTAMP:
        return time_text(name)
    if column.kind is Kind.JSON:
        return json_text(name, DOCUMENT_BYTES_MAX)
    return f"{name}::text" if column.kind is Kind.UUID else name
