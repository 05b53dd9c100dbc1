"""The words of the places. FTS5 collects them in segments; those are merged a little at a time (see `merge`)."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

MERGE_PAGES = 64
"""Pages of 4 KB per step of merging: 2 to 5 ms."""

_INSERT = "INSERT INTO code_words (rowid, symbol, path, body) VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM code_words WHERE rowid = ?"
_MERGE = "INSERT INTO code_words (code_words, rank) VALUES ('merge', ?)"


def add(connection: apsw.Connection, rows: Iterable[tuple[int, str, str, str]]) -> None:
    """Rows of place id and the three columns of `words.Words`."""
    connection.executemany(_INSERT, rows)


def remove(connection: apsw.Connection, place_ids: Iterable[int]) -> None:
    """Forgets places."""
    connection.executemany(_DELETE, [(place_id,) for place_id in place_ids])


def begin_merging_all(connection: apsw.Connection) -> None:
    """Marks all segments to become one, by the steps of `merge` that follow: what was deleted is gone from the file then."""
    connection.execute(_MERGE, (-MERGE_PAGES,))


def merge(connection: apsw.Connection) -> bool:
    """One step of merging segments where there are many of a size; whether there may be more to do."""
    before = connection.total_changes()
    connection.execute(_MERGE, (MERGE_PAGES,))
    return bool(connection.total_changes() - before >= 2)  # FTS5's documented sign that it did something
