"""The conflicts in PostgreSQL: found by row or by id, written whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from localfirst_schema.entities import Kind
from localfirst_schema.limits import FIELDS_BYTES_MAX
from localfirst_schema.wire import encode_json

from localfirst_sync import sieve
from localfirst_sync.conflict import CONFLICT, CONFLICTS, Record
from localfirst_sync.ports import CONFLICT_COLUMNS, CONFLICT_TABLE, Identity
from localfirst_sync.postgres.columns import json_text, time_text
from localfirst_sync.postgres.connection import Connection

_JSON = tuple(CONFLICTS.json_columns)
_SQL_TYPE = {Kind.JSON: "jsonb", Kind.UUID: "uuid", Kind.TIMESTAMP: "timestamptz", Kind.INTEGER: "bigint", Kind.TEXT: "text"}


def _read(name: str) -> str:
    match CONFLICTS.by_name[name].kind:
        case Kind.TIMESTAMP:
            return time_text(f"t.{name}")
        case Kind.JSON:
            return json_text(f"t.{name}", FIELDS_BYTES_MAX)
        case Kind.UUID:
            return f"t.{name}::text"
        case _:
            return f"t.{name}"


def _type(name: str) -> str:
    return _SQL_TYPE[CONFLICTS.by_name[name].kind]


def _written(name: str) -> str:
    return "coalesce(r.created_at, pg_catalog.now())" if name == "created_at" else f"r.{name}"


READ_LIST = ", ".join(map(_read, CONFLICT_COLUMNS))
"""The select list for `CONFLICT_COLUMNS` of ``localfirst.conflicts AS t``, as canonical text."""

READ_TYPES = tuple("int8" if column.kind is Kind.INTEGER else "text" for column in CONFLICTS.columns)
"""The types of that list's columns."""

# The version of a conflict stands in the log alone.
_FOUND = f"""
SELECT {READ_LIST}, (
    SELECT pg_catalog.max(h.version) FROM localfirst.history AS h
    WHERE h.project_id = t.project_id AND h.entity_id = t.id AND h.entity = '{CONFLICT}'
)
FROM localfirst.conflicts AS t WHERE t.project_id = %s
"""
_BY_ID = f"{_FOUND} AND t.id = ANY(%s::uuid[])"
_OPEN = f"""{_FOUND} AND t.entity_id = ANY(%s::uuid[]) AND t.resolved_at IS NULL AND t.replica_id = %s
UNION {_FOUND} AND t.id = ANY(%s::uuid[])"""

_WRITE = f"""
INSERT INTO localfirst.conflicts (project_id, {", ".join(CONFLICT_COLUMNS)})
SELECT %s::uuid, {", ".join(map(_written, CONFLICT_COLUMNS))}
FROM pg_catalog.jsonb_to_recordset(%s::jsonb) AS r ({", ".join(f"{c} {_type(c)}" for c in CONFLICT_COLUMNS)})
ON CONFLICT (project_id, id) DO UPDATE
SET {", ".join(f"{c} = excluded.{c}" for c in CONFLICT_COLUMNS if c not in ("id", "created_at"))}
"""


def send_by_id(connection: Connection, project_id: str, ids: Sequence[str]) -> Any:
    """Asks for conflicts by id; `records` reads the answer."""
    return connection.execute(_BY_ID, (project_id, ids), prepare=True) if ids else None


def send_open(connection: Connection, identity: Identity, row_ids: Sequence[str], opened: Sequence[str]) -> Any:
    """Asks for the replica's own open conflicts of some rows, and for those with these ids; `records` reads the answer."""
    project = identity.project_id
    return connection.execute(_OPEN, (project, row_ids, identity.replica_id, project, opened), prepare=True)


def records(asked: Any) -> list[Record]:
    """The conflicts that were asked for; one that cannot be read is as one that is not there."""
    found = []
    whole = asked.fetchall() if asked is not None else []
    readable, _ = sieve.rows(CONFLICT_TABLE, [row[:-1] for row in whole])
    versions = {row[0]: row[-1] for row in whole}
    for values in readable:
        version = versions[values[0]]
        row = dict(zip(CONFLICT_COLUMNS, values, strict=True))
        found.append(Record(row | {name: msgspec.json.decode(row[name]) for name in _JSON}, version or 1))
    return found


def write(connection: Connection, project_id: str, written: Iterable[Record]) -> None:
    """Writes conflicts whole, new or changed."""
    rows = [known.row for known in written]
    if rows:
        connection.execute(_WRITE, (project_id, encode_json(rows)), prepare=True)
