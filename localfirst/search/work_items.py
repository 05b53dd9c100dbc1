"""Finding work items: candidates by words and by meaning, those that are live, in one order.

Deleted and archived items are among the candidates, since neither index knows them; where they crowd out live ones, more
candidates are asked for.
"""

from __future__ import annotations

import heapq
import json
import logging
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import apsw
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.wire import Row

from localfirst.embedding.provider import EmbeddingProvider, EmbeddingUnavailableError
from localfirst.replica.connection import snapshot
from localfirst.replica.rows import as_row
from localfirst.search import ranking, text
from localfirst.search.meaning import Meaning, MeaningIndex
from localfirst.search.query import id_range, terms

logger = logging.getLogger("localfirst.search")

CATCH_UP_S = 0.2
"""What a person may wait for vectors that are not up to date; the words find what is left out."""

FIRST_CANDIDATES = 100
MORE_CANDIDATES = 8
"""So many times as many are asked for where too few of them are live."""

_LIVE = "deleted_at IS NULL AND archived_at IS NULL"
_LIVE_TITLES = f"SELECT local_id, title FROM work_items WHERE local_id IN (SELECT value FROM json_each(?)) AND {_LIVE}"
_BY_ID = f"SELECT local_id FROM work_items WHERE id BETWEEN ? AND ? AND {_LIVE} ORDER BY id LIMIT ?"
_ROWS = (
    f"SELECT local_id, {', '.join(WORK_ITEM.column_names)} FROM work_items WHERE local_id IN (SELECT value FROM json_each(?))"
)


class Found(NamedTuple):
    """A work item, and how well it fits the query: 0 to 1."""

    row: Row
    score: float


class WorkItemSearch:
    """The search over one connection's replica."""

    def __init__(self, connection: apsw.Connection, provider: EmbeddingProvider | None) -> None:
        text.register(connection)
        self._meaning = MeaningIndex(provider) if provider is not None else None

    def find(self, connection: apsw.Connection, query: str, limit: int, catch_up_s: float = CATCH_UP_S) -> list[Found]:
        """The items that fit best, best first."""
        if self._meaning is not None:
            self._meaning.catch_up(connection, catch_up_s)
        with snapshot(connection):
            scores = dict.fromkeys(_named_by_id(connection, query, limit), ranking.EXACT)
            meaning = self._meaning.compare(connection, query) if self._meaning is not None else None
            for local_id, score in _ranked(connection, query, meaning, limit):
                scores.setdefault(local_id, score)
            best = list(scores.items())[:limit]
            rows = {values[0]: values[1:] for values in connection.execute(_ROWS, (_as_json(i for i, _ in best),))}
            return [Found(as_row(WORK_ITEM, rows[local_id]), round(score, 4)) for local_id, score in best]


class ItemEngine:
    """What one session keeps for its searches of work items; made anew when the session goes on with another connection."""

    def __init__(self) -> None:
        self._kept: tuple[apsw.Connection, WorkItemSearch] | None = None

    def find(self, connection: apsw.Connection, query: str, limit: int) -> list[Found]:
        """The live items that fit the query best, by words and by meaning; by words alone where there is no model.

        Raises LocalfirstError for what is wrong with the replica.
        """
        if self._kept is None or self._kept[0] is not connection:
            self._kept = connection, WorkItemSearch(connection, _provider())
        return self._kept[1].find(connection, query, limit)

    def close(self) -> None:
        """Lets go of the connection."""
        self._kept = None


@cache
def _provider() -> EmbeddingProvider | None:
    try:
        from localfirst.embedding import static

        return static.load()
    except (EmbeddingUnavailableError, ImportError) as error:
        logger.warning("work items are found by their words alone: %s", error)
        return None


def _named_by_id(connection: apsw.Connection, query: str, limit: int) -> list[int]:
    ids = id_range(query)
    return [local_id for (local_id,) in connection.execute(_BY_ID, (*ids, limit))] if ids else []


def _ranked(connection: apsw.Connection, query: str, meaning: Meaning | None, limit: int) -> list[tuple[int, float]]:
    """The best items with their scores, best first; of equals the newest first."""
    words, candidates = terms(query), max(FIRST_CANDIDATES, 2 * limit)
    while True:
        hits = text.hits(connection, words, candidates)
        near, more_near = meaning.nearest(candidates) if meaning is not None else ([], False)
        titles = dict(connection.execute(_LIVE_TITLES, (_as_json({*hits.by_id, *near}),)))
        if len(titles) >= limit or not (hits.more or more_near):
            break
        candidates *= MORE_CANDIDATES
    best_bm25 = max((hit.bm25 for hit in hits.by_id.values()), default=0.0)
    whole = query.strip().casefold()
    scored = []
    for local_id, title in titles.items():
        hit = hits.by_id.get(local_id)
        by_text = ranking.text_share(hit, hits.weights, best_bm25) if hit is not None else 0.0
        by_meaning = ranking.meaning_share(meaning.of(local_id)) if meaning is not None else 0.0
        score = ranking.EXACT if title.casefold() == whole else ranking.score(by_text, by_meaning)
        scored.append((score, local_id))
    return [(local_id, score) for score, local_id in heapq.nlargest(limit, scored)]


def _as_json(local_ids: Iterable[int]) -> str:
    return json.dumps(list(local_ids))
