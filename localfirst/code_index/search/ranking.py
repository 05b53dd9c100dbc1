"""One order of what words and vectors found: pure functions.

The text's part is BM25 over three fields (each with its own length, so that a short symbol that is all about the query is not
judged by the length of its body), as a share of the best candidate's. The meaning's is the cosine, likewise. Both are added up;
then comes what a programmer knows: a searched name's definition first, files in which several places fit, tests, examples and
other people's code later. The numbers were chosen on the tuning half of tools/bench/search_quality.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from localfirst.code_index.search.paths import prior
from localfirst.code_index.search.query import CodeQuery, folded

FIELD_WEIGHTS = (5.0, 5.0, 1.0)
"""Of symbol, path and body."""

LENGTH_SHARE = (0.3, 0.3, 0.6)
"""BM25's b."""

USUAL_LENGTH = (1.5, 5.0, 60.0)
"""Identifiers. Constants rather than the index's own averages: the same code has the same score in every index."""

SATURATION = 2.0
"""BM25's k1."""

MEANING_SHARE = 0.4
FILE_SHARE = 0.1
FILE_DECAY = 0.5
"""The second place of a file counts half of the first for its file, the third a quarter."""

DEFINES, ENDS_WITH, MENTIONED = 1.0, 0.6, 0.05
"""Added where the symbol is the searched name; where it ends with it; where the query has it among other words. The last is
little: a sentence that names something is mostly about something else, which uses it."""


class Candidate(NamedTuple):
    """A place that may be an answer."""

    place_id: int
    file_id: int
    path: str
    symbol: str | None
    kind: str
    frequencies: Mapping[str, tuple[int, int, int]]
    """Word of the query → how often it is in symbol, path and body."""

    lengths: tuple[int, int, int]
    cosine: float
    defines: bool
    """Whether the searched name is defined somewhere in the text: a small class stands in one piece with its methods."""


def ranked(query: CodeQuery, weights: Mapping[str, float], candidates: Sequence[Candidate]) -> list[tuple[float, int]]:
    """(score, index into candidates), best first. Scores are comparable within one search; the best possible is about 2."""
    scores = fused(candidates, weights)
    files = _file_scores(candidates, scores)
    best_file = max(files.values(), default=0.0) or 1.0
    names = _names(query)
    final = []
    for place, candidate in enumerate(candidates):
        score = scores[place] + FILE_SHARE * files[candidate.file_id] / best_file
        score += _definition(query, names, candidate)
        final.append((score * prior(candidate.path, query.about_tests), place))
    final.sort(key=lambda scored: (-scored[0], candidates[scored[1]].path, scored[1]))
    return final


def fused(candidates: Sequence[Candidate], weights: Mapping[str, float]) -> list[float]:
    """Text and meaning together, each as a share of the best candidate's: 0 to 1."""
    texts = [bm25f(candidate, weights) for candidate in candidates]
    best_text = max(texts, default=0.0) or 1.0
    best_cosine = max((candidate.cosine for candidate in candidates), default=0.0)
    best_cosine = best_cosine if best_cosine > 0 else 1.0
    return [
        (1 - MEANING_SHARE) * text / best_text + MEANING_SHARE * max(candidate.cosine, 0.0) / best_cosine
        for candidate, text in zip(candidates, texts, strict=True)
    ]


def bm25f(candidate: Candidate, weights: Mapping[str, float]) -> float:
    """How well a candidate holds the words of the query, weighted by how telling each is; 0 or more."""
    norms = [
        weight / (1 - share + share * length / usual)
        for weight, share, length, usual in zip(FIELD_WEIGHTS, LENGTH_SHARE, candidate.lengths, USUAL_LENGTH, strict=True)
    ]
    total = 0.0
    for word, (in_symbol, in_path, in_body) in candidate.frequencies.items():
        found = norms[0] * in_symbol + norms[1] * in_path + norms[2] * in_body
        total += weights[word] * found * (SATURATION + 1) / (found + SATURATION)
    return total


def _file_scores(candidates: Sequence[Candidate], scores: Sequence[float]) -> dict[int, float]:
    """What all places of a file are worth together, the best in full and each further one half of the one before."""
    of_file: dict[int, list[float]] = defaultdict(list)
    for candidate, score in zip(candidates, scores, strict=True):
        of_file[candidate.file_id].append(score)
    return {
        file_id: sum(score * FILE_DECAY**rank for rank, score in enumerate(sorted(found, reverse=True)))
        for file_id, found in of_file.items()
    }


def _names(query: CodeQuery) -> frozenset[str]:
    """Names of several parts within a sentence: words that the query has whole and in their parts."""
    if query.symbol:
        return frozenset()
    return frozenset(name for name in map(folded, query.text.split()) if name and name in query.compounds)


def _definition(query: CodeQuery, names: frozenset[str], candidate: Candidate) -> float:
    if candidate.symbol is None:
        return ENDS_WITH if candidate.defines else 0.0
    if not (query.symbol or names):
        return 0.0
    parts = [folded(part) for part in symbol_parts(candidate.symbol)]
    wanted = list(query.symbol)
    if wanted:
        if parts == wanted or (len(wanted) > 1 and parts[-len(wanted) :] == wanted):
            return DEFINES
        return ENDS_WITH if parts[-1] == wanted[-1] or candidate.defines else 0.0
    return MENTIONED if parts[-1] in names else 0.0


def symbol_parts(symbol: str) -> list[str]:
    """``Parser.parse`` → Parser, parse; also with ``::`` and ``#``."""
    return [part for part in symbol.replace("::", ".").replace("#", ".").split(".") if part] or [symbol]
