"""The items that hold words of a query, from the full-text rows.

BM25 over every item that holds a frequent word would take 0.1 s for 100 000 items. So words are added from the rarest on
while the items that hold them stay within `MAX_RANKED`; where that leaves words out, the newest of the items that hold all
words stand beside. Where even the rarest word is in more items, BM25 could not tell them apart, and the newest are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import apsw

from localfirst.search.ranking import TextHit
from localfirst.search.rarity import rarest_together, term_weight

TITLE_WEIGHT, BODY_WEIGHT = 4.0, 1.0
MAX_RANKED = 10_000
SHORTEST_PREFIX = 3

_COUNT = "SELECT count(*) FROM work_items_text WHERE work_items_text MATCH ?"
_BEST = f"""
    SELECT rowid, bm25(work_items_text, {TITLE_WEIGHT}, {BODY_WEIGHT}), localfirst_places(work_items_text)
    FROM work_items_text
    WHERE work_items_text MATCH ? AND rank MATCH 'bm25({TITLE_WEIGHT}, {BODY_WEIGHT})' ORDER BY rank LIMIT ?
"""
_NEWEST = """
    SELECT rowid, 0.0, localfirst_places(work_items_text) FROM work_items_text
    WHERE work_items_text MATCH ? ORDER BY rowid DESC LIMIT ?
"""


class Term(NamedTuple):
    """A word of the query as FTS5 looks for it, its place in the query, and in how many items it is."""

    place: int
    expression: str
    containing: int


_NOTHING = TextHit(frozenset(), frozenset(), 0.0)


class TextHits(NamedTuple):
    """What was found: hits by local id, the weight of each word of the query, and whether there may be more hits."""

    by_id: dict[int, TextHit]
    weights: list[float]
    more: bool


def register(connection: apsw.Connection) -> None:
    """Gives the connection the function that says which words are in which column of a row."""
    connection.register_fts5_function("localfirst_places", _places)


def _places(row: apsw.FTS5ExtensionApi, /, *_: object) -> str:
    # One character for each word of the expression: 0 nowhere, 1 in the title, 2 in the body, 3 in both.
    return "".join(str(sum(1 << column for column in row.phrase_columns(phrase))) for phrase in range(row.phrase_count))


def hits(connection: apsw.Connection, words: Sequence[str], limit: int) -> TextHits:
    """The items that hold most of the words, at most `limit` by any word and `limit` by all."""
    items = connection.execute("SELECT count(*) FROM work_items_text_docsize").get
    found = [_look_up(connection, place, word) for place, word in enumerate(words)]
    result = TextHits({}, [term_weight(items, term.containing) for term in found], more=False)
    present = sorted((term for term in found if term.containing), key=lambda term: term.containing)
    if not present:
        return result
    rare = present[: rarest_together((term.containing for term in present), MAX_RANKED)]
    sql = _BEST if rare[0].containing <= MAX_RANKED else _NEWEST
    more = _collect(connection.execute(sql, (_any_of(rare), limit)), rare, result.by_id) == limit
    if len(rare) < len(present):
        more |= _collect(connection.execute(_NEWEST, (_all_of(present), limit)), present, result.by_id) == limit
    return result._replace(more=more)


def _look_up(connection: apsw.Connection, place: int, word: str) -> Term:
    expression = f'"{word}"'
    containing = connection.execute(_COUNT, (expression,)).get
    if not containing and len(word) >= SHORTEST_PREFIX:
        expression += " *"  # no item holds the word: those that hold its beginning, "auth" for "authentication"
        containing = connection.execute(_COUNT, (expression,)).get
    return Term(place, expression, containing)


def _any_of(wanted: Sequence[Term]) -> str:
    return " OR ".join(term.expression for term in wanted)


def _all_of(wanted: Sequence[Term]) -> str:
    return " AND ".join(term.expression for term in wanted)


def _collect(rows: Iterable[Any], wanted: Sequence[Term], into: dict[int, TextHit]) -> int:
    """Adds the rows, an item seen before with all that is known of it by now; returns how many rows there were."""
    count = 0
    for local_id, bm25, columns in rows:
        in_title = frozenset(term.place for term, where in zip(wanted, columns, strict=True) if where in "13")
        in_body = frozenset(term.place for term, where in zip(wanted, columns, strict=True) if where in "23")
        seen = into.get(local_id, _NOTHING)
        into[local_id] = TextHit(in_title | seen.in_title, in_body | seen.in_body, max(-bm25, seen.bm25))
        count += 1
    return count
