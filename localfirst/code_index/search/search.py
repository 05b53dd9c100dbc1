"""One search: candidates by words and by meaning, in one order, from one moment of the store."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import apsw

from localfirst.code_index.search import candidates, full_text, ranking
from localfirst.code_index.search.candidates import Place, Stems, Wanted
from localfirst.code_index.search.coverage import coverage, troubled
from localfirst.code_index.search.meaning import Meaning, MeaningIndex
from localfirst.code_index.search.query import CodeQuery, definition_of, understood
from localfirst.code_index.search.scope import Scope
from localfirst.replica.connection import snapshot

if TYPE_CHECKING:
    from localfirst.embedding.provider import EmbeddingProvider

logger = logging.getLogger("localfirst.search")

BY_WORDS, BY_MEANING, BY_SYMBOL = 100, 50, 40
"""Candidates of each kind; three times as many results need as many more."""

PER_RESULT = 3


class Found(NamedTuple):
    """A place that fits the query, with its score (higher is better, comparable within one search)."""

    place: Place
    score: float


class Answer(NamedTuple):
    """What a search found, best first, and how much of the index it could look at."""

    found: list[Found]
    coverage: float
    troubled: int
    """Files that should be in the index and could not be read or cut."""

    query: CodeQuery
    by_meaning: bool


class CodeSearch:
    """The search over one connection's replica."""

    def __init__(self, connection: apsw.Connection, provider_of_model: Callable[[str], EmbeddingProvider | None]) -> None:
        self._stems = Stems(connection)
        self._meaning = MeaningIndex(provider_of_model)

    def find(self, connection: apsw.Connection, query: str, scope: Scope, limit: int) -> Answer:
        """The places that fit best. Reads what is committed, all of it as of one moment. Raises LocalfirstError."""
        asked = understood(query)
        with snapshot(connection):
            meaning = self._meaning.compare(connection, query) if asked.terms else None
            found = self._ranked(connection, asked, meaning, scope, limit)
            return Answer(
                found,
                coverage(connection, scope.repositories),
                troubled(connection, scope.repositories),
                asked,
                meaning is not None,
            )

    def _ranked(
        self, connection: apsw.Connection, asked: CodeQuery, meaning: Meaning | None, scope: Scope, limit: int
    ) -> list[Found]:
        wanted = Wanted(asked.terms, self._stems)
        terms = full_text.looked_up(connection, wanted.words)
        by_words = full_text.best(connection, terms, scope, max(BY_WORDS, PER_RESULT * limit))
        place_ids = dict.fromkeys(by_words)
        if asked.symbol:
            place_ids |= dict.fromkeys(full_text.defining(connection, asked.symbol, scope, BY_SYMBOL))
        if meaning is not None:
            place_ids |= dict.fromkeys(candidates.near(connection, meaning, scope, max(BY_MEANING, PER_RESULT * limit)))
        places = candidates.read(connection, place_ids, scope)
        definition = definition_of(asked)
        cosines = meaning.of([place.chunk_id for place in places]) if meaning is not None else [0.0] * len(places)
        counted = [candidates.counted(place, wanted, cosine, definition) for place, cosine in zip(places, cosines, strict=True)]
        weights = {term.word: term.weight for term in terms}
        order = ranking.ranked(asked, weights, counted)
        return [Found(places[index], round(score, 4)) for score, index in order[:limit] if score > 0]
