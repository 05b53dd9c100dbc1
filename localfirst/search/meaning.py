"""The items whose meaning is near the query's, and how near a given item is."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import apsw
import numpy as np
from localfirst_schema.errors import LocalfirstError

from localfirst.search.matrix import VectorMatrix
from localfirst.search.ranking import SIMILAR
from localfirst.search.vector_store import bring_up_to_date

if TYPE_CHECKING:
    from localfirst.embedding.provider import EmbeddingProvider, Vectors

logger = logging.getLogger("localfirst.search")


class Meaning:
    """Cosines of one query with every item that has a vector."""

    def __init__(self, matrix: VectorMatrix, cosines: Vectors) -> None:
        self._matrix = matrix
        self._cosines = cosines

    def of(self, local_id: int) -> float:
        """The cosine of an item; 0 if it has no vector yet."""
        row = self._matrix.row(local_id)
        return 0.0 if row is None else float(self._cosines[row])

    def nearest(self, limit: int) -> tuple[list[int], bool]:
        """The most similar items, in any order, at most `limit`, and whether there are more."""
        similar = np.flatnonzero(self._cosines >= SIMILAR)
        if len(similar) <= limit:
            return self._matrix.local_ids(similar.tolist()), False
        best = similar[np.argpartition(self._cosines[similar], -limit)[-limit:]]
        return self._matrix.local_ids(best.tolist()), True


class MeaningIndex:
    """What one connection needs to find by meaning. It holds no connection, so that it goes when the connection does."""

    def __init__(self, provider: EmbeddingProvider) -> None:
        self._provider = provider
        self._matrix = VectorMatrix(provider)
        self._was_reported = False

    def catch_up(self, connection: apsw.Connection, budget_s: float) -> None:
        """Brings the stored vectors up to date as far as time allows. A failure is no failure of the search."""
        try:
            bring_up_to_date(connection, self._provider, budget_s)
        except (LocalfirstError, apsw.Error) as error:
            self._tell(error)

    def compare(self, connection: apsw.Connection, query: str) -> Meaning | None:
        """The query against all items, in the search's read transaction; None if that cannot be said."""
        try:
            self._matrix.refresh(connection)
            return Meaning(self._matrix, self._matrix.cosines(self._provider.embed([query])[0]))
        except (LocalfirstError, apsw.Error) as error:
            self._tell(error)
            return None

    def _tell(self, error: Exception) -> None:
        # Another process that is writing just now is no news: the next search goes on with the queue.
        level = logging.DEBUG if self._was_reported or isinstance(error.__cause__, apsw.BusyError) else logging.WARNING
        self._was_reported |= level == logging.WARNING
        logger.log(level, "searching by meaning is not, or not fully, possible at the moment: %s", error)
