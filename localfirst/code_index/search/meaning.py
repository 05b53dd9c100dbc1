"""The chunks whose meaning is near the query's: all vectors are compared, none is left out."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import apsw
import numpy as np
from localfirst_schema.errors import LocalfirstError

from localfirst.code_index.search.quantise import quantised
from localfirst.code_index.search.vector_file import Stored, VectorFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from localfirst.embedding.provider import EmbeddingProvider

logger = logging.getLogger("localfirst.search")

REFRESH_S = 1.0
"""While vectors are still being written, their file is brought up to date no more often than this."""

AWAY_S = 30.0
"""How long a provider that failed is not asked again: searches go on by words."""

EXACT = 512
"""Rows whose cosine is computed again with the query as it is: rounding that too costs a quarter of the misses among ten."""

_ACTIVE = "SELECT model_id, model, dimensions, generation FROM code_models WHERE active = 1"
_BUSY = "SELECT EXISTS (SELECT 1 FROM code_unembedded WHERE model_id = ?)"


class Meaning(NamedTuple):
    """Cosines of one query with every chunk that has a vector."""

    ids: NDArray[np.int64]
    cosines: NDArray[np.float32]
    is_sorted: bool

    def nearest(self, limit: int) -> list[int]:
        """The chunks that are nearest, in any order."""
        return self._best(self.ids, self.cosines, limit)

    def nearest_among(self, chunk_ids: Sequence[int], limit: int) -> list[int]:
        """The nearest of these chunks."""
        rows = np.flatnonzero(np.isin(self.ids, np.asarray(chunk_ids, np.int64)))
        return self._best(self.ids[rows], self.cosines[rows], limit)

    def of(self, chunk_ids: Sequence[int]) -> list[float]:
        """The cosine of each of these; 0 for one without a vector."""
        wanted = np.asarray(chunk_ids, np.int64)
        if not len(self.ids) or not len(wanted):
            return [0.0] * len(wanted)
        order = None if self.is_sorted else np.argsort(self.ids, kind="stable")
        rows = np.minimum(np.searchsorted(self.ids, wanted, sorter=order), len(self.ids) - 1)
        rows = rows if order is None else order[rows]
        found: list[float] = np.where(self.ids[rows] == wanted, self.cosines[rows], 0.0).tolist()
        return found

    @staticmethod
    def _best(ids: NDArray[np.int64], cosines: NDArray[np.float32], limit: int) -> list[int]:
        if len(ids) > limit:
            ids = ids[np.argpartition(cosines, -limit)[-limit:]]
        found: list[int] = ids.tolist()
        return found


class MeaningIndex:
    """What one connection needs to compare a query with all chunks. Holds no connection."""

    def __init__(self, provider_of_model: Callable[[str], EmbeddingProvider | None]) -> None:
        self._provider_of_model = provider_of_model
        self._file: VectorFile | None = None
        self._file_model = -1
        self._refreshed = 0.0
        self._away_until = 0.0
        self._sorted_of: tuple[int, int] = (-1, -1)
        self._is_sorted = True

    def compare(self, connection: apsw.Connection, query: str) -> Meaning | None:
        """The query against all chunks, in the search's read transaction; None where that is not possible at the moment."""
        if time.monotonic() < self._away_until:
            return None
        try:
            row = connection.execute(_ACTIVE).fetchone()
            if row is None:
                return None
            model_id, model, dimensions, generation = row
            provider = self._provider_of_model(model)
            if provider is None:
                return None
            vector = provider.embed([query])
            if vector.shape[1] != dimensions or not vector.any():
                return None
            matrix = self._matrix(connection, Stored(connection, model_id, dimensions, generation))
            return Meaning(matrix.ids, cosines(vector[0], matrix), self._ascending(matrix))
        except (LocalfirstError, apsw.Error, ImportError) as error:
            self._away_until = time.monotonic() + AWAY_S
            logger.warning("code is found by its words alone for %.0f s: %s", AWAY_S, error)
            return None

    def _matrix(self, connection: apsw.Connection, stored: Stored) -> VectorFile:
        if self._file is None or self._file_model != stored.model_id:
            self._file, self._file_model = VectorFile(file_path(connection, stored.model_id)), stored.model_id
            self._refreshed = 0.0
        now = time.monotonic()
        is_filling = bool(connection.execute(_BUSY, (stored.model_id,)).get)
        if not is_filling or self._file.generation < 0 or now - self._refreshed >= REFRESH_S:
            self._file.refresh(stored)
            self._refreshed = now
        return self._file

    def _ascending(self, matrix: VectorFile) -> bool:
        now = (matrix.generation, len(matrix.ids))
        if now != self._sorted_of:
            self._is_sorted = bool((np.diff(matrix.ids) > 0).all())
            self._sorted_of = now
        return self._is_sorted


def file_path(connection: apsw.Connection, model_id: int) -> Path | None:
    """Where the vectors of a model are mapped from: beside the replica; None for a replica in memory."""
    name = connection.filename
    if not name or connection.open_vfs == "memdb":  # which has a name, and no place
        return None
    return Path(os.fspath(f"{name}-vectors-{model_id}"))


def cosines(query: NDArray[np.float32], matrix: VectorFile) -> NDArray[np.float32]:
    """Of a query, shape (dimensions,), with every row; the highest `EXACT` are computed from the query before rounding."""
    if not len(matrix.ids):
        return np.empty(0, np.float32)
    rounded = quantised(query[None])
    try:
        import simsimd
    except ImportError:
        dots = _dots(rounded[0], matrix.vectors)
    else:
        dots = np.asarray(simsimd.cdist(rounded, matrix.vectors, metric="dot"))[0].astype(np.float32)
    dots *= matrix.scales
    dots /= np.linalg.norm(rounded.astype(np.float32))
    best = np.argpartition(dots, -EXACT)[-EXACT:] if len(dots) > EXACT else np.arange(len(dots))
    dots[best] = matrix.vectors[best].astype(np.float32) @ (query / np.linalg.norm(query)) * matrix.scales[best]
    return dots


def _dots(query: NDArray[np.int8], vectors: NDArray[np.int8]) -> NDArray[np.float32]:
    """The same without the library, a part at a time."""
    wide = query.astype(np.float32)
    dots = np.empty(len(vectors), np.float32)
    for begin in range(0, len(vectors), 16_384):
        dots[begin : begin + 16_384] = vectors[begin : begin + 16_384].astype(np.float32) @ wide
    return dots
