"""Rows of a file that no localfirst would have written.

`unreadable_rows`: a text that is no JSON, a value of the wrong kind: who reads such a row fails. `odd_rows`: what can be read
and breaks a rule (a time that no calendar has, an id that is none), as rows may that were written by SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeAlias

import apsw
from localfirst_schema.entities import ENTITIES, Entity
from localfirst_schema.identifiers import canonical_uuid
from localfirst_schema.wire import decode_fields, decode_json
from localfirst_sync.ports import CONFLICT_COLUMNS, CONFLICT_TABLE

from localfirst.replica.act import written_columns
from localfirst.replica.shape import HISTORY, is_conflict, is_history, is_row

Values: TypeAlias = tuple[Any, ...]

_OUTBOX = "SELECT history_id, number, txn, base_version FROM outbox"
_REPLICA = "SELECT project_id, replica_id, acked_hash FROM replica"


def unreadable_rows(connection: apsw.Connection) -> Iterator[str]:
    """Each such row in words: its table, and which one it is there."""
    yield from _others(_REPLICA, "replica", _is_identity, connection)
    for entity in ENTITIES:
        yield from _others(_rows(entity), entity.table, partial(_can_be_read, entity), connection)
    yield from _others(f"SELECT {', '.join(HISTORY)} FROM history", "history", _is_line, connection)
    yield from _others(_OUTBOX, "outbox", lambda values: all(isinstance(value, int) for value in values), connection)
    conflicts = f"SELECT {', '.join(CONFLICT_COLUMNS)} FROM {CONFLICT_TABLE}"
    yield from _others(conflicts, CONFLICT_TABLE, is_conflict, connection)


def odd_rows(connection: apsw.Connection) -> Iterator[str]:
    """Likewise."""
    for entity in ENTITIES:
        yield from _others(_rows(entity), entity.table, partial(is_row, entity), connection)
    yield from _others(f"SELECT {', '.join(HISTORY)} FROM history", "history", is_history, connection)


def _rows(entity: Entity) -> str:
    return f"SELECT {', '.join(written_columns(entity))} FROM {entity.table}"


def _others(query: str, table: str, is_right: Callable[[Values], bool], connection: apsw.Connection) -> Iterator[str]:
    rows: Iterable[Any] = connection.execute(query)
    for number, values in enumerate(rows, 1):
        try:
            right = is_right(values)
        except (ValueError, TypeError, RecursionError):
            right = False
        if not right:
            yield f"row {number} of {table}"


def _is_identity(values: Values) -> bool:
    project, replica, acked_hash = values
    return canonical_uuid(project) == project and canonical_uuid(replica) == replica and len(acked_hash) == 16


def _can_be_read(entity: Entity, values: Values) -> bool:
    row = dict(zip(written_columns(entity), values, strict=True))
    documents = [row[name] for name in entity.json_columns if row[name] is not None]
    return row["version"] >= 1 and all(isinstance(decode_json(text), dict | list) for text in documents)


def _is_line(values: Values) -> bool:
    return decode_fields(values[7]) is not None and isinstance(values[0], int)
