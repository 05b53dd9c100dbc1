"""Places with all that the ranking wants to know of them: read from the store, and their words counted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import apsw

from localfirst.code_index.search.ranking import Candidate
from localfirst.code_index.search.scope import Scope
from localfirst.code_index.store.compression import unpack
from localfirst.code_index.words import identifiers_in, parts

if TYPE_CHECKING:
    from localfirst.code_index.search.meaning import Meaning

PLACES_OF_A_CHUNK = 3
"""A text that stands in very many files (a licence, an empty `__init__`) must not crowd out the rest."""

_COLUMNS = """
    p.place_id, p.chunk_id, p.start_line, p.end_line, p.symbol, p.kind, f.file_id, f.path, f.language, f.repository_id, c.text
"""
_BY_PLACE = f"""
    SELECT {_COLUMNS} FROM json_each(?) AS j CROSS JOIN code_places AS p ON p.place_id = j.value
    JOIN code_files AS f USING (file_id) JOIN code_chunks AS c USING (chunk_id) WHERE {{scope}}
"""
_OF_CHUNKS = """
    SELECT place_id FROM (
        SELECT p.place_id, row_number() OVER (PARTITION BY p.chunk_id ORDER BY p.place_id) AS nth
        FROM json_each(?) AS j CROSS JOIN code_places AS p ON p.chunk_id = j.value JOIN code_files AS f USING (file_id)
        WHERE {scope}
    ) WHERE nth <= ?
"""
_CHUNKS_WITHIN = """
    SELECT DISTINCT p.chunk_id FROM code_files AS f CROSS JOIN code_places AS p USING (file_id) WHERE {scope}
"""
_REMEMBERED = 100_000


class Place(NamedTuple):
    """A chunk where it stands."""

    place_id: int
    chunk_id: int
    start_line: int
    end_line: int
    symbol: str | None
    kind: str
    file_id: int
    path: str
    language: str
    repository_id: int
    text: str


class Stems:
    """Identifiers as FTS5's tokenizer of `code_words` knows their words; belongs to one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._tokenizer = connection.fts5_tokenizer("porter", ["unicode61", "remove_diacritics", "2"])
        self._known: dict[str, tuple[str, ...]] = {}

    def of(self, identifier: str) -> tuple[str, ...]:
        """The stems of an identifier: of the whole, and of its parts."""
        stems = self._known.get(identifier)
        if stems is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            words = " ".join(parts(identifier)).encode("utf-8", "replace")
            found = self._tokenizer(words, apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False, include_colocated=False)
            stems = self._known[identifier] = tuple(stem for stem in found if isinstance(stem, str))
        return stems


class Wanted:
    """The words of one query, counted in texts: each identifier is looked at once in a search, however often it stands."""

    def __init__(self, words: Iterable[str], stems: Stems) -> None:
        self._stems = stems
        self._words: dict[str, str] = {}
        for word in words:
            for stem in stems.of(word)[:1]:
                self._words.setdefault(stem, word)
        self._seen: set[str] = set()
        self._asked: dict[str, list[str]] = {}

    @property
    def words(self) -> list[str]:
        """The words to look for, of one stem only the first."""
        return list(self._words.values())

    def count(self, text: str, field: int, into: dict[str, list[int]]) -> int:
        """Adds how often each word is in the text; returns the text's length in identifiers."""
        identifiers = identifiers_in(text)
        distinct = set(identifiers)
        for identifier in distinct - self._seen:
            asked = [self._words[stem] for stem in self._stems.of(identifier) if stem in self._words]
            if asked:
                self._asked[identifier] = asked
        self._seen |= distinct
        for identifier in distinct & self._asked.keys():
            times = identifiers.count(identifier)
            for word in self._asked[identifier]:
                into.setdefault(word, [0, 0, 0])[field] += times
        return len(identifiers)


def read(connection: apsw.Connection, place_ids: Iterable[int], scope: Scope) -> list[Place]:
    """The places that (still) exist, within the scope."""
    where, values = scope.where()
    rows = connection.execute(_BY_PLACE.format(scope=where), (f"[{','.join(map(str, place_ids))}]", *values))
    return [_place(*row) for row in rows]


def _place(
    place_id: int,
    chunk_id: int,
    start_line: int,
    end_line: int,
    symbol: str | None,
    kind: str,
    file_id: int,
    path: str,
    language: str,
    repository_id: int,
    packed: bytes,
) -> Place:
    return Place(place_id, chunk_id, start_line, end_line, symbol, kind, file_id, path, language, repository_id, unpack(packed))


def places_of(connection: apsw.Connection, chunk_ids: Sequence[int], scope: Scope) -> list[int]:
    """Where these chunks stand, within the scope."""
    where, values = scope.where()
    rows = connection.execute(
        _OF_CHUNKS.format(scope=where), (f"[{','.join(map(str, chunk_ids))}]", *values, PLACES_OF_A_CHUNK)
    )
    return [place_id for (place_id,) in rows]


def near(connection: apsw.Connection, meaning: Meaning, scope: Scope, limit: int) -> list[int]:
    """The places whose chunks are nearest in meaning, within the scope."""
    chunk_ids = meaning.nearest(limit)
    found = places_of(connection, chunk_ids, scope)
    if scope.is_everything or len(chunk_ids) < limit or len(found) * 4 >= limit:
        return found
    where, values = scope.where()
    inside = [chunk_id for (chunk_id,) in connection.execute(_CHUNKS_WITHIN.format(scope=where), tuple(values))]
    return places_of(connection, meaning.nearest_among(inside, limit), scope)


def counted(place: Place, wanted: Wanted, cosine: float, definition: re.Pattern[str] | None = None) -> Candidate:
    """A place as the ranking sees it; `definition` is what defines the searched name."""
    frequencies: dict[str, list[int]] = {}
    lengths = [
        wanted.count(text, field, frequencies) for field, text in enumerate((place.symbol or "", place.path, place.text))
    ]
    return Candidate(
        place_id=place.place_id,
        file_id=place.file_id,
        path=place.path,
        symbol=place.symbol,
        kind=place.kind,
        frequencies={word: (found[0], found[1], found[2]) for word, found in frequencies.items()},
        lengths=(lengths[0], lengths[1], lengths[2]),
        cosine=cosine,
        defines=definition is not None and definition.search(place.text) is not None,
    )
