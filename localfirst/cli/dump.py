"""A replica as one JSON document, streamed: every row of every entity, the history, and the conflicts.

The document is ``{"format", "exported_at", "project", ENTITY_TABLE: [rows], "history": [...], "conflicts": [...],
"unsent_changes": N}``, all of one moment. Rows have the fields that results have; deleted ones are there too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, TypeAlias

import apsw
import msgspec
from localfirst_schema import timestamps
from localfirst_schema.entities import ENTITIES, Entity
from localfirst_schema.wire import decode_json

from localfirst.operations.present import present
from localfirst.replica import outbox
from localfirst.replica.connection import snapshot, sqlite_errors
from localfirst.replica.rows import as_row, select_sql

FORMAT = 1
"""Raised when a reader of older documents could not read the new ones."""

Counts: TypeAlias = dict[str, int]

_HISTORY = ("entity", "entity_id", "version", "by", "at", "outcome", "fields")
_CONFLICTS = (
    "id", "entity", "entity_id", "fields", "base", "mine", "theirs", "base_version", "my_version", "their_version", "my_by",
    "their_by", "reason", "created_at", "resolved_at", "resolved_by", "resolution",
)  # fmt: skip


def dump(replica: apsw.Connection, target: BinaryIO, *, between_rows: bytes) -> Counts:
    """Writes the document and returns how many rows of each kind are in it. One row is in memory at a time.

    Args:
        between_rows: what stands before each row, `b""` or a line end.
    """
    counts: Counts = {}
    with sqlite_errors(), snapshot(replica):
        target.write(msgspec.json.encode(_head(replica))[:-1])
        for name, rows in _parts(replica):
            target.write(b"," + between_rows + msgspec.json.encode(name) + b":[")
            counts[name] = _write_rows(target, rows, between_rows)
            target.write(between_rows + b"]")
        target.write(b"}\n")
    return counts


def _head(replica: apsw.Connection) -> dict[str, Any]:
    project = replica.execute("SELECT project_id, project_name, cursor_seq FROM replica").fetchall()[0]
    return {
        "format": FORMAT,
        "exported_at": timestamps.now(),
        "project": {"id": project[0], "name": project[1]},
        "cursor": project[2],
        "unsent_changes": outbox.count(replica),
    }


def _parts(replica: apsw.Connection) -> Iterator[tuple[str, Iterable[dict[str, Any]]]]:
    for entity in ENTITIES:
        yield entity.table, _rows(replica, entity)
    yield "history", _records(replica, "history", _HISTORY, "history_id")
    yield "conflicts", _records(replica, "conflicts", _CONFLICTS, "created_at, id")


def _rows(replica: apsw.Connection, entity: Entity) -> Iterator[dict[str, Any]]:
    for values in replica.execute(f"{select_sql(entity)} ORDER BY id"):
        displayed = present(entity, as_row(entity, values))
        displayed.pop("ref", None)  # it follows from the id
        yield displayed


def _records(replica: apsw.Connection, table: str, columns: tuple[str, ...], order: str) -> Iterator[dict[str, Any]]:
    for values in replica.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {order}"):
        record = dict(zip(columns, values, strict=True))
        for name in ("fields", "base", "mine", "theirs"):
            if record.get(name) is not None:
                record[name] = decode_json(record[name])
        yield record


def _write_rows(target: BinaryIO, rows: Iterable[dict[str, Any]], between_rows: bytes) -> int:
    encoder, number = msgspec.json.Encoder(), 0
    for number, row in enumerate(rows, 1):
        target.write((b"," if number > 1 else b"") + between_rows + encoder.encode(row))
    return number
