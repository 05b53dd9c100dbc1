"""The full-text rows of the work items: title, and all text in the metadata.

Counterpart: the table `work_items_text`, written in the transaction that writes the row. The same call notes that the item's
vector is stale (`localfirst.search.vector_store` brings it up to date): whoever changes text cannot forget it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apsw
from localfirst_schema.wire import decode_json

_DELETE = "DELETE FROM work_items_text WHERE rowid = ?"
_INSERT = "INSERT INTO work_items_text (rowid, title, body) VALUES (?, ?, ?)"
_VECTOR_IS_STALE = "INSERT OR IGNORE INTO work_item_vector_queue (local_id) VALUES (?)"


def body_of(metadata: str) -> str:
    """All text values of a metadata document (JSON text), for indexing."""
    return "" if metadata == "{}" else " ".join(_texts(decode_json(metadata)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def index(connection: apsw.Connection, local_id: int, title: str, metadata: str, *, is_new: bool) -> None:
    """Indexes one work item."""
    if not is_new:
        connection.execute(_DELETE, (local_id,))
    connection.execute(_INSERT, (local_id, title, body_of(metadata)))
    connection.execute(_VECTOR_IS_STALE, (local_id,))


def index_many(connection: apsw.Connection, rows: Iterable[tuple[int, str, str]]) -> None:
    """Indexes many work items, given as (local_id, title, metadata), whether or not they were indexed before."""
    documents = [(local_id, title, body_of(metadata)) for local_id, title, metadata in rows]
    local_ids = [(local_id,) for local_id, _, _ in documents]
    connection.executemany(_DELETE, local_ids)
    connection.executemany(_INSERT, documents)
    connection.executemany(_VECTOR_IS_STALE, local_ids)


def index_new(connection: apsw.Connection, rows: Iterable[tuple[int, str, str]]) -> None:
    """Indexes work items, given as (local_id, title, metadata), that are not indexed and whose vectors are noted as stale."""
    connection.executemany(_INSERT, [(local_id, title, body_of(metadata)) for local_id, title, metadata in rows])


def remove(connection: apsw.Connection, item_id: str) -> None:
    """Forgets one work item, before its row is taken away."""
    where = "(SELECT local_id FROM work_items WHERE id = ?)"
    connection.execute(f"DELETE FROM work_items_text WHERE rowid = {where}", (item_id,))
    connection.execute("INSERT OR IGNORE INTO work_item_vector_queue SELECT local_id FROM work_items WHERE id = ?", (item_id,))


def is_consistent(connection: apsw.Connection) -> bool:
    """Whether every work item is indexed, but for those whose turn after a bootstrap has not come, and nothing else is (for
    doctor and tests)."""
    return not connection.execute(_MISSING).get and not connection.execute(_TOO_MANY).get


_MISSING = """
    SELECT EXISTS (
        SELECT 1 FROM work_items WHERE local_id NOT IN (SELECT id FROM work_items_text_docsize)
            AND local_id < coalesce((SELECT text_from FROM replica), 9223372036854775807)
    )
"""
_TOO_MANY = "SELECT EXISTS (SELECT 1 FROM work_items_text_docsize WHERE id NOT IN (SELECT local_id FROM work_items))"
