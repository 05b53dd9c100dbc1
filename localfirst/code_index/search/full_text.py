"""The places that hold words of a query, from the full-text rows.

BM25 over every place that holds a frequent word would take 0.1 s and more. So words are added from the rarest on while the
places that hold them stay within `MAX_RANKED`; what the frequent ones say is counted afterwards, in the candidates (`ranking`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import apsw

from localfirst.code_index.search.scope import Scope
from localfirst.search.rarity import rarest_together, term_weight

MAX_RANKED = 6_000
SYMBOL_WEIGHT, PATH_WEIGHT, BODY_WEIGHT = 5.0, 5.0, 1.0
FEW = 4
"""A scope that leaves less than this part of the candidates is asked for by itself."""

_BM25 = f"bm25({SYMBOL_WEIGHT}, {PATH_WEIGHT}, {BODY_WEIGHT})"
_BEST = f"SELECT rowid FROM code_words WHERE code_words MATCH ? AND rank MATCH '{_BM25}' ORDER BY rank LIMIT ?"
_BEST_WITHIN = f"""
    SELECT rowid FROM code_words
    WHERE code_words MATCH ? AND rank MATCH '{_BM25}' AND +rowid IN (
        SELECT p.place_id FROM code_files AS f CROSS JOIN code_places AS p USING (file_id) WHERE {{scope}}
    )
    ORDER BY rank LIMIT ?
"""
_WITHIN = """
    SELECT p.place_id FROM json_each(?) AS j CROSS JOIN code_places AS p ON p.place_id = j.value
    JOIN code_files AS f USING (file_id) WHERE {scope}
"""
_COUNT = "SELECT count(*), max(rowid) FROM (SELECT rowid FROM code_words WHERE code_words MATCH ? LIMIT ?)"
_PLACES = "SELECT coalesce(max(place_id), 0) FROM code_places"


class Term(NamedTuple):
    """A word of the query, in how many places it is (about), and how telling that makes it (BM25's inverse frequency)."""

    word: str
    places: int
    weight: float


def looked_up(connection: apsw.Connection, words: Sequence[str]) -> list[Term]:
    """The words of a query, each as often as it is in the index."""
    total = int(connection.execute(_PLACES).get)
    return [_look_up(connection, word, total) for word in words]


def best(connection: apsw.Connection, terms: Sequence[Term], scope: Scope, limit: int) -> list[int]:
    """The places that hold most of the words, best first, at most `limit`."""
    present = sorted((term for term in terms if term.places), key=lambda term: term.places)
    if not present:
        return []
    rare = present[: rarest_together((term.places for term in present), MAX_RANKED)]
    expression = " OR ".join(f'"{term.word}"' for term in rare)
    found = _ids(connection, _BEST, (expression, limit))
    if scope.is_everything or not found:
        return found
    where, values = scope.where()
    inside = set(_ids(connection, _WITHIN.format(scope=where), (_json(found), *values)))
    if len(found) < limit or len(inside) * FEW >= limit:
        return [place for place in found if place in inside]
    return _ids(connection, _BEST_WITHIN.format(scope=where), (expression, *values, limit))


def defining(connection: apsw.Connection, symbol: Sequence[str], scope: Scope, limit: int) -> list[int]:
    """Places whose symbol holds all parts of a name."""
    expression = "symbol : (" + " AND ".join(f'"{part}"' for part in symbol) + ")"
    where, values = scope.where()
    if scope.is_everything:
        return _ids(connection, _BEST, (expression, limit))
    return _ids(connection, _BEST_WITHIN.format(scope=where), (expression, *values, limit))


def _look_up(connection: apsw.Connection, word: str, total: int) -> Term:
    row: tuple[int, int] = connection.execute(_COUNT, (f'"{word}"', MAX_RANKED)).fetchall()[0]  # type: ignore[assignment]  # its columns
    count, last = row
    if count == MAX_RANKED:  # the first so many places end at `last`: they go on like that
        count = max(count, count * total // last)
    return Term(word, count, term_weight(max(total, count), count))


def _ids(connection: apsw.Connection, sql: str, values: Sequence[object]) -> list[int]:
    return [place_id for (place_id,) in connection.execute(sql, tuple(values))]


def _json(ids: Sequence[int]) -> str:
    return f"[{','.join(map(str, ids))}]"
