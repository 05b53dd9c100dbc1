"""The vectors in memory, as one matrix per connection that searches: exact, and ten times as fast as sqlite-vec's scan.

Filled at the first search and then kept level with the store by generation: what other transactions wrote since is read,
and no more. It takes 1 KB per item of 256 dimensions. The vector of an item that is gone may stay in the matrix until the
next full load; whoever uses an item looks at its row anyway.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import apsw
import numpy as np

from localfirst.search.extension import ensure_loaded
from localfirst.search.vector_store import stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from localfirst.embedding.provider import EmbeddingProvider, Vectors

RELOAD_SHARE = 4
"""Reading a row by itself costs as much as this many in a full load."""

_CHUNKS = """
    SELECT c.rowids, c.validity, v.vectors
    FROM work_item_vectors_chunks AS c JOIN work_item_vectors_vector_chunks00 AS v ON v.rowid = c.chunk_id
"""
_CHANGED = "SELECT count(*) FROM work_item_vector_texts WHERE generation > ?"
_SINCE = """
    SELECT t.local_id, v.embedding FROM work_item_vector_texts AS t CROSS JOIN work_item_vectors AS v
    WHERE t.generation > ? AND v.rowid = t.local_id
"""


class VectorMatrix:
    """All vectors of one model, as of one generation of the store."""

    def __init__(self, provider: EmbeddingProvider) -> None:
        self._model = provider.model
        self._dimensions = provider.dimensions
        self._generation = 0
        self._count = 0
        self._ids: NDArray[np.int64] = np.empty(0, np.int64)
        self._vectors: Vectors = np.empty((0, self._dimensions), np.float32)
        self._rows: dict[int, int] = {}

    def refresh(self, connection: apsw.Connection) -> None:
        """Reads what was written since the last time. To be called in the read transaction of the search.

        A store that is missing, or of another model, empties the matrix. Raises UnavailableError without the extension.
        """
        present = stored(connection)
        if present is None or present.model != self._model:
            self._generation, self._count, self._rows = 0, 0, {}
            return
        if present.generation == self._generation:
            return
        if present.first_generation > self._generation:
            self._count, self._rows = 0, {}
        changed = connection.execute(_CHANGED, (self._generation,)).get
        if changed * RELOAD_SHARE >= self._count:
            self._load(connection)
        elif changed:
            ensure_loaded(connection)
            for local_id, embedding in connection.execute(_SINCE, (self._generation,)):
                row = self._row_for(local_id)  # which may replace the array
                self._vectors[row] = np.frombuffer(embedding, np.float32)
        self._generation = present.generation

    def cosines(self, query: Vectors) -> Vectors:
        """The cosine of each row with a vector of length 1."""
        cosines: Vectors = self._vectors[: self._count] @ query
        return cosines

    def local_ids(self, rows: Iterable[int]) -> list[int]:
        """The items in these rows."""
        return [int(self._ids[row]) for row in rows]

    def row(self, local_id: int) -> int | None:
        """The row of an item; None if it has no vector yet."""
        return self._rows.get(local_id)

    def _load(self, connection: apsw.Connection) -> None:
        # Whole chunks as sqlite-vec keeps them (its ARCHITECTURE.md): row by row would take 1 s for 100 000.
        ids: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        vectors: list[Vectors] = [np.empty((0, self._dimensions), np.float32)]
        for rowids, validity, chunk in connection.execute(_CHUNKS):
            held = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little").astype(bool)
            ids.append(np.frombuffer(rowids, np.int64)[held])
            vectors.append(np.frombuffer(chunk, np.float32).reshape(-1, self._dimensions)[held])
        self._ids = np.concatenate(ids)
        self._vectors = np.concatenate(vectors)
        self._count = len(self._ids)
        self._rows = {local_id: row for row, local_id in enumerate(self._ids.tolist())}

    def _row_for(self, local_id: int) -> int:
        """The item's row, a new one at the end if it has none; there is room for an eighth more at a time."""
        row = self._rows.get(local_id)
        if row is None:
            row = self._count
            if row == len(self._ids):
                room = row // 8 + 64
                self._ids = np.concatenate([self._ids, np.empty(room, np.int64)])
                self._vectors = np.concatenate([self._vectors, np.empty((room, self._dimensions), np.float32)])
            self._ids[row] = local_id
            self._rows[local_id] = row
            self._count += 1
        return row
