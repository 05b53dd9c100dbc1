"""Taking a repository out of the index again: files, places, words, chunks that nobody else names, vectors, and its row.

It goes in the short transactions of every writer here, so a kill in between leaves an index that agrees with itself and lacks a
part of the repository; forgetting it again, or indexing it, goes on from there. `guard` is called in each transaction, and may
raise to end the work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import apsw

from localfirst.code_index.jobs.states import IS_ACTIVE
from localfirst.code_index.store import chunks, files, full_text, large_file, models, repositories
from localfirst.code_index.store.pace import Pace
from localfirst.code_index.store.transaction import prepare, writing

SWEPT_AT_ONCE = 64
DROPPED_AT_ONCE = 1000

_PATHS = "SELECT path FROM code_files WHERE repository_id = ? ORDER BY path LIMIT ?"
_ROWS = (
    "DELETE FROM code_left_out WHERE repository_id = ?",
    "DELETE FROM code_repositories WHERE repository_id = ?",
)
_RETIRE_MODELS = f"""
    UPDATE code_models SET active = -1
    WHERE NOT EXISTS (SELECT 1 FROM code_chunks) AND NOT EXISTS (SELECT 1 FROM index_jobs WHERE {IS_ACTIVE})
"""
_CHUNKS = "SELECT count(*) FROM code_chunks"


class Forgotten(NamedTuple):
    """How much was taken out; `chunks` are those that no other repository holds."""

    files: int
    chunks: int


def forget(connection: apsw.Connection, repository_id: int, guard: Callable[[], None]) -> Forgotten:
    """Takes the repository out of the store, so that its words are nowhere in the file."""
    forgotten = take_out(connection, repository_id, guard)
    _forget_words(connection)
    return forgotten


def take_out(connection: apsw.Connection, repository_id: int, guard: Callable[[], None]) -> Forgotten:
    """Lets nothing of the repository be found. What only another repository's run may clear is left to that."""
    prepare(connection)
    before = int(connection.execute(_CHUNKS).get)
    with writing(connection):
        guard()
        repositories.note_leaving(connection, repository_id)
    removed = _remove_files(connection, repository_id, guard)
    with writing(connection):
        guard()
        for sql in _ROWS:
            connection.execute(sql, (repository_id,))
    _sweep(connection)
    if not connection.execute("SELECT EXISTS (SELECT 1 FROM code_repositories)").get:
        _drop_models(connection)
    return Forgotten(removed, max(0, before - int(connection.execute(_CHUNKS).get)))


def _remove_files(connection: apsw.Connection, repository_id: int, guard: Callable[[], None]) -> int:
    pace = Pace(first=32)
    removed = 0
    while paths := [str(path) for (path,) in connection.execute(_PATHS, (repository_id, files.REMOVED_AT_ONCE))]:
        batch, weight = files.removable_together(connection, repository_id, paths, pace.amount)
        with writing(connection), pace.measuring(weight):
            guard()
            large = None
            if len(batch) == 1 and weight > files.LARGE:
                large = large_file.retire(connection, repository_id, batch[0])
            else:
                files.remove(connection, repository_id, batch)
        removed += len(batch)
        if large is not None:
            _clear(connection, large)
    return removed


def _clear(connection: apsw.Connection, file_id: int) -> None:
    """This one alone: other files without a row may be those that a worker is writing at the moment."""
    has_more = True
    while has_more:
        with writing(connection):
            has_more = large_file.clear_one(connection, file_id, SWEPT_AT_ONCE)


def _sweep(connection: apsw.Connection) -> None:
    while chunks.any_released(connection):
        with writing(connection):
            chunks.sweep(connection, SWEPT_AT_ONCE)


def _drop_models(connection: apsw.Connection) -> None:
    """With the last repository the models go too: the next index begins with the one that is configured then."""
    with writing(connection):
        connection.execute(_RETIRE_MODELS)
    while (model := models.retired(connection)) is not None:
        has_more = True
        while has_more:
            with writing(connection):
                has_more = models.drop(connection, model, DROPPED_AT_ONCE)


def _forget_words(connection: apsw.Connection) -> None:
    """Deleted words stay in full text's segments until those are merged: so they are, all of them, in steps."""
    with writing(connection):
        full_text.begin_merging_all(connection)
    has_more = True
    while has_more:
        with writing(connection):
            has_more = full_text.merge(connection)
