"""One order of what words and meaning found: pure functions of numbers.

Both sides become a share between 0 and 1. The text's is how much of the query's weight (rare words weigh more) the item
holds, so it means the same in a project of two items as in one of 100 000, which BM25's own number does not; BM25 only
orders items that hold equally much. The meaning's is the cosine above the threshold under which it says nothing. They
join as probabilities do: each alone is enough, both together are more, and the sum stays below 1. On the questions of
tools/bench this finds more than the fusion of ranks does (paraphrases: 0.62 against 0.58 of the reciprocal rank).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

TITLE_SHARE, BODY_SHARE = 1.0, 0.6
"""What a word of the query counts in the title, and in the rest of an item's text."""

PARTLY = 2
"""The power by which an item falls behind that holds only a part of the query: one word of a question says little."""

BM25_SHARE = 0.1
"""The part of a text score that BM25 decides."""

TEXT_WEIGHT, MEANING_WEIGHT = 0.9, 0.5
"""The highest score by words alone, and by meaning alone: below that of an item which holds all words in its body."""

SIMILAR = 0.22
"""The least cosine that counts as similar. In a project of 300 items two queries in twelve about something else find an
item nearer than this, and seven paraphrases in ten are nearer to their answer (tools/bench/search_items.py)."""

EXACT = 1.0
"""The score of an item that is named by its id or its whole title."""


class TextHit(NamedTuple):
    """An item that holds words of the query: the places of those words in the query, and BM25 (higher is better)."""

    in_title: frozenset[int]
    in_body: frozenset[int]
    bm25: float


def text_share(hit: TextHit, weights: Sequence[float], best_bm25: float) -> float:
    """How fully an item holds the query, 0 to 1."""
    total = sum(weights)
    if not total:
        return 0.0
    in_title = sum(weights[place] for place in hit.in_title) / total
    in_body = sum(weights[place] for place in hit.in_body - hit.in_title) / total
    held = (TITLE_SHARE * in_title + BODY_SHARE * in_body) * (in_title + in_body) ** PARTLY
    order = hit.bm25 / best_bm25 if best_bm25 > 0 else 0.0
    return held * (1 - BM25_SHARE + BM25_SHARE * order)


def meaning_share(cosine: float) -> float:
    """How similar an item is, 0 (not at all, or below the threshold) to 1."""
    return (min(cosine, 1.0) - SIMILAR) / (1 - SIMILAR) if cosine >= SIMILAR else 0.0


def score(text: float, meaning: float) -> float:
    """The score of an item, 0 to 1, from both shares."""
    return 1 - (1 - TEXT_WEIGHT * text) * (1 - MEANING_WEIGHT * meaning)
