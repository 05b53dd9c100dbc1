"""The vectors of the chunks: int8, in one sqlite-vec table per model, by chunk id.

sqlite-vec keeps vectors in blocks, puts new ones into the last block only, and frees a block when its last vector goes. What
deletions leave half empty is closed by moving the vectors of the emptiest blocks to the end, a few at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import apsw

from localfirst.search.extension import ensure_loaded

if TYPE_CHECKING:
    from localfirst.code_index.store.model import Model

BLOCK = 1024
"""Vectors per block: 256 KB of 256 dimensions are set aside at a time."""

MAX_HOLES = 0.25
"""A share of empty places above which the blocks are packed."""

_RAISE = "UPDATE code_models SET generation = generation + 1 WHERE model_id = ?"
_DEQUEUE = "DELETE FROM code_unembedded WHERE model_id = ? AND chunk_id = ?"


def create(connection: apsw.Connection, model: Model) -> None:
    """Makes the table of a new model. Raises UnavailableError without the extension."""
    ensure_loaded(connection)
    connection.execute(
        f"CREATE VIRTUAL TABLE {model.table} USING vec0"
        f" (embedding int8[{int(model.dimensions)}] distance_metric=cosine, chunk_size={BLOCK})"
    )


def write(connection: apsw.Connection, model: Model, found: Iterable[tuple[int, bytes]]) -> list[int]:
    """Writes vectors, given with their chunk ids, of chunks that still wait for one; returns those."""
    ensure_loaded(connection)
    waiting = []
    for chunk_id, vector in found:
        connection.execute(_DEQUEUE, (model.model_id, chunk_id))
        if connection.changes():
            waiting.append((chunk_id, vector))
    if waiting:
        connection.executemany(f"INSERT INTO {model.table} (rowid, embedding) VALUES (?, vec_int8(?))", waiting)
        connection.execute(_RAISE, (model.model_id,))
    return [chunk_id for chunk_id, _ in waiting]


def delete(connection: apsw.Connection, model: Model, chunk_ids: Sequence[int]) -> None:
    """Takes the vectors of these chunks away, or their places in the queue."""
    ensure_loaded(connection)
    embedded = []
    for chunk_id in chunk_ids:
        connection.execute(_DEQUEUE, (model.model_id, chunk_id))
        if not connection.changes():
            embedded.append((chunk_id,))
    if embedded:
        connection.executemany(f"DELETE FROM {model.table} WHERE rowid = ?", embedded)
        connection.execute(_RAISE, (model.model_id,))


def holes(connection: apsw.Connection, model: Model) -> float:
    """The share of places that deletions have left empty; the last block, which is still being filled, does not count."""
    blocks = int(connection.execute(f"SELECT count(*) FROM {model.table}_chunks").get)
    held = int(connection.execute(f"SELECT count(*) FROM {model.table}_rowids").get)
    room = (blocks - 1) * BLOCK
    return max(0.0, 1 - held / room) if room > 0 else 0.0


def pack(connection: apsw.Connection, model: Model, limit: int) -> bool:
    """Moves up to `limit` vectors of the emptiest block to the end; whether there is more to do."""
    ensure_loaded(connection)
    if holes(connection, model) <= MAX_HOLES:
        return False
    emptiest = f"""
        SELECT chunk_id FROM {model.table}_rowids
        WHERE chunk_id < (SELECT max(chunk_id) FROM {model.table}_chunks)
        GROUP BY chunk_id ORDER BY count(*) LIMIT 1
    """
    rowids = [row[0] for row in connection.execute(
        f"SELECT rowid FROM {model.table}_rowids WHERE chunk_id = ({emptiest}) LIMIT ?", (limit,)
    )]  # fmt: skip
    for rowid in rowids:
        vector = connection.execute(f"SELECT embedding FROM {model.table} WHERE rowid = ?", (rowid,)).get
        connection.execute(f"DELETE FROM {model.table} WHERE rowid = ?", (rowid,))
        connection.execute(f"INSERT INTO {model.table} (rowid, embedding) VALUES (?, vec_int8(?))", (rowid, vector))
    connection.execute(_RAISE, (model.model_id,))
    return bool(rowids)


def drop(connection: apsw.Connection, model: Model) -> bool:
    """Takes away the table of a model that nobody asks any more, a few blocks at a time; whether there is more."""
    ensure_loaded(connection)
    exists = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?)"
    if not connection.execute(exists, (model.table,)).get:
        return False
    # A whole table's blocks at once would keep other writers waiting.
    blocks = f"{model.table}_vector_chunks00"
    connection.execute(f"DELETE FROM {blocks} WHERE rowid IN (SELECT rowid FROM {blocks} LIMIT 8)")
    if connection.changes() == 0:
        connection.execute(f"DROP TABLE {model.table}")
    return True
