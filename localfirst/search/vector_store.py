"""The vectors of the work items on disk, and how they follow the text.

Counterpart: `replica.fulltext`, which queues an item in the transaction that writes its text. Here the queue is worked off
by whoever searches: an item is embedded outside a transaction, and inside a short one its text is compared again, so that
an item which changed meanwhile stays queued, and several processes may do the same work without harm. Vectors can be
computed again, so these transactions do not wait for the disk (`synchronous=NORMAL`), nor for another process's write.

The model's identity is stored: with another model all vectors go and every item is queued.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import apsw

from localfirst.replica.connection import BUSY_TIMEOUT_MS, be_patient, immediate, snapshot
from localfirst.search.extension import ensure_loaded
from localfirst.search.item_text import ItemText, embed_items, item_text

if TYPE_CHECKING:
    from localfirst.embedding.provider import EmbeddingProvider, Vectors

BATCH = 64
"""Items per transaction: 2 to 5 ms."""

PATIENCE_MS = 20
"""How long a batch waits for another process's transaction before it leaves the rest for later."""

CHUNK_VECTORS = 256
"""sqlite-vec sets space aside for so many vectors at a time: 256 KB of 256 dimensions."""

_QUEUED = """
    SELECT q.local_id, w.title, w.metadata, t.text_hash
    FROM (SELECT local_id FROM work_item_vector_queue ORDER BY local_id DESC LIMIT ?) AS q
    LEFT JOIN work_items AS w USING (local_id) LEFT JOIN work_item_vector_texts AS t USING (local_id)
"""
_STILL_QUEUED = """
    SELECT w.title, w.metadata, t.local_id IS NOT NULL FROM work_item_vector_queue AS q
    LEFT JOIN work_items AS w USING (local_id) LEFT JOIN work_item_vector_texts AS t USING (local_id) WHERE q.local_id = ?
"""
_INSERT_VECTOR = "INSERT INTO work_item_vectors (embedding, rowid) VALUES (?, ?)"
_UPDATE_VECTOR = "UPDATE work_item_vectors SET embedding = ? WHERE rowid = ?"
_UPSERT_TEXT = "INSERT OR REPLACE INTO work_item_vector_texts (local_id, text_hash, generation) VALUES (?, ?, ?)"
_DEQUEUE = "DELETE FROM work_item_vector_queue WHERE local_id = ?"
_NEXT_GENERATION = "UPDATE work_item_vector_model SET generation = generation + 1 RETURNING generation"


class Stored(NamedTuple):
    """Which model the stored vectors are of, since which transaction, and the number of the last one that wrote any."""

    model: str
    first_generation: int
    generation: int


class _Queued(NamedTuple):
    """A queued item: its text (None: there is no such item), and the digest of the text that its vector is of, if any."""

    local_id: int
    text: ItemText | None
    digest: bytes | None


def stored(connection: apsw.Connection) -> Stored | None:
    """What is stored; None before the first search."""
    row = connection.execute("SELECT model, first_generation, generation FROM work_item_vector_model").fetchone()
    return Stored(*row) if row else None


def pending(connection: apsw.Connection) -> int:
    """How many items wait for their vector."""
    return int(connection.execute("SELECT count(*) FROM work_item_vector_queue").get)


def bring_up_to_date(connection: apsw.Connection, provider: EmbeddingProvider, budget_s: float) -> None:
    """Works off the queue, newest items first, until it is empty or the time is over; what is left stays queued.

    Raises LocalfirstError: UnavailableError where another process is writing, the disk is full or the extension missing.
    """
    deadline = time.monotonic() + budget_s
    present = stored(connection)
    has_model = present is not None and present.model == provider.model
    if has_model and not connection.execute("SELECT EXISTS (SELECT 1 FROM work_item_vector_queue)").get:
        return
    ensure_loaded(connection)
    with _cheap_writes(connection):
        if not has_model:
            _adopt(connection, provider)
        while time.monotonic() < deadline and (queued := _next_queued(connection)):
            _write(connection, provider, queued)


@contextmanager
def _cheap_writes(connection: apsw.Connection) -> Iterator[None]:
    durability = connection.pragma("synchronous")
    be_patient(connection, PATIENCE_MS)
    connection.pragma("synchronous", "normal")
    try:
        yield
    finally:
        connection.pragma("synchronous", durability)
        be_patient(connection, BUSY_TIMEOUT_MS)


def _adopt(connection: apsw.Connection, provider: EmbeddingProvider) -> None:
    """Begins anew with this provider's model."""
    with immediate(connection):
        present = stored(connection)
        if present is not None and present.model == provider.model:
            return  # another process was quicker
        connection.execute("DROP TABLE IF EXISTS work_item_vectors")
        connection.execute(
            "CREATE VIRTUAL TABLE work_item_vectors USING vec0"
            f" (embedding float[{int(provider.dimensions)}] distance_metric=cosine, chunk_size={CHUNK_VECTORS})"
        )
        connection.execute("DELETE FROM work_item_vector_texts")
        connection.execute("INSERT OR IGNORE INTO work_item_vector_queue SELECT local_id FROM work_items")
        generation = present.generation + 1 if present else 1
        connection.execute(
            "INSERT OR REPLACE INTO work_item_vector_model (singleton, model, first_generation, generation)"
            " VALUES (1, ?, ?, ?)",
            (provider.model, generation, generation),
        )


def _next_queued(connection: apsw.Connection) -> list[_Queued]:
    return [
        _Queued(local_id, None if title is None else item_text(title, metadata), digest)
        for local_id, title, metadata, digest in connection.execute(_QUEUED, (BATCH,))
    ]


def _write(connection: apsw.Connection, provider: EmbeddingProvider, queued: Sequence[_Queued]) -> None:
    """Embeds a batch and writes it in one transaction."""
    changed = [item for item in queued if item.text is not None and item.text.digest != item.digest]
    vectors = embed_items(provider, [item.text for item in changed if item.text is not None])
    row_of = {item.local_id: row for row, item in enumerate(changed)}
    with immediate(connection):
        present = stored(connection)
        if present is None or present.model != provider.model:
            return  # another process has begun anew with another model
        generation = connection.execute(_NEXT_GENERATION).get
        for item in queued:
            row = row_of.get(item.local_id)
            _settle(connection, item, None if row is None else vectors[row : row + 1], generation)


def _settle(connection: apsw.Connection, item: _Queued, vector: Vectors | None, generation: int) -> None:
    """Writes the vector of one item, unless its text is another by now, and takes it off the queue."""
    now = connection.execute(_STILL_QUEUED, (item.local_id,)).fetchone()
    if now is None:
        return  # another process was quicker
    title, metadata, has_vector = now
    if (None if title is None else item_text(title, metadata)) != item.text:
        return
    if item.text is None:
        connection.execute("DELETE FROM work_item_vectors WHERE rowid = ?", (item.local_id,))
        connection.execute("DELETE FROM work_item_vector_texts WHERE local_id = ?", (item.local_id,))
    elif vector is not None:
        connection.execute(_UPDATE_VECTOR if has_vector else _INSERT_VECTOR, (vector.tobytes(), item.local_id))
        connection.execute(_UPSERT_TEXT, (item.local_id, item.text.digest, generation))
    connection.execute(_DEQUEUE, (item.local_id,))


def is_consistent(connection: apsw.Connection) -> bool:
    """Whether each item is queued or has the vector of its present text, and no other vector is kept (doctor and tests)."""
    with snapshot(connection):
        queued = {local_id for (local_id,) in connection.execute("SELECT local_id FROM work_item_vector_queue")}
        texts = dict(connection.execute("SELECT local_id, text_hash FROM work_item_vector_texts"))
        if stored(connection) is None:
            vectors: set[int] = set()
        else:
            ensure_loaded(connection)
            vectors = {local_id for (local_id,) in connection.execute("SELECT rowid FROM work_item_vectors")}
        if vectors != texts.keys():
            return False
        for local_id, title, metadata in connection.execute("SELECT local_id, title, metadata FROM work_items"):
            if texts.pop(local_id, None) != item_text(title, metadata).digest and local_id not in queued:
                return False
        return texts.keys() <= queued
