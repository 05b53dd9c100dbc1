"""Files with their places and words: what a search finds of a file is of one moment, since it is written in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import apsw
from msgspec.structs import astuple

from localfirst.code_index.store import chunks, full_text, left_out
from localfirst.code_index.store.cut_file import CutFile, Piece, Seen

REMOVED_AT_ONCE = 200
"""So many files at the most are taken out in one transaction."""

_FILE = "SELECT file_id FROM code_files WHERE repository_id = ? AND path = ?"
_HASHES = "SELECT path, content_hash FROM code_files WHERE repository_id = ?"
_PLACES = "SELECT place_id, chunk_id, symbol, kind, start_line, end_line FROM code_places WHERE file_id = ? ORDER BY place_id"
_LAST_FILE = """
    SELECT max(coalesce((SELECT max(file_id) FROM code_files), 0), coalesce((SELECT max(file_id) FROM code_unfinished), 0))
"""
_KNOWN_HASHES = """
    SELECT c.chunk_hash FROM code_files AS f JOIN code_places AS p USING (file_id) JOIN code_chunks AS c USING (chunk_id)
    WHERE f.repository_id = ? AND f.path = ?
"""
_LAST_PLACE = "SELECT coalesce(max(place_id), 0) FROM code_places"
_PUT_FILE = """
    INSERT OR REPLACE INTO code_files (file_id, repository_id, path, size, mtime_ns, inode, seen_ns, content_hash, language)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_TOUCH = "UPDATE code_files SET size = ?, mtime_ns = ?, inode = ?, seen_ns = ? WHERE repository_id = ? AND path = ?"
_ADD_PLACE = (
    "INSERT INTO code_places (place_id, file_id, chunk_id, start_line, end_line, symbol, kind) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_MOVE_PLACE = "UPDATE code_places SET start_line = ?, end_line = ? WHERE place_id = ?"
_DELETE_PLACE = "DELETE FROM code_places WHERE place_id = ?"


def content_hashes(connection: apsw.Connection, repository_id: int) -> dict[str, bytes]:
    """Path → hash of the content that was indexed."""
    return dict(connection.execute(_HASHES, (repository_id,)))


def write(connection: apsw.Connection, repository_id: int, files: Sequence[CutFile], *, words_changed: bool) -> None:
    """Brings the store to these files.

    Args:
        files: each path once.
        words_changed: the words of what stayed the same are other ones than before (see `repositories.CUTTING`).
    """
    ids = chunks.ids_of(connection, {piece.chunk_hash: piece.packed for file in files for piece in file.pieces})
    batch = _Batch(connection)
    for file in files:
        batch.add(repository_id, file, ids, words_changed)
    batch.write()
    left_out.forget(connection, repository_id, [file.path for file in files])


def touch(connection: apsw.Connection, repository_id: int, seen: Iterable[tuple[str, Seen]]) -> None:
    """Notes how files look whose content is what it was."""
    connection.executemany(_TOUCH, [(*astuple(look), repository_id, path) for path, look in seen])


def remove(connection: apsw.Connection, repository_id: int, paths: Iterable[str]) -> int:
    """Forgets files; their chunks are released. Returns how many the store knew."""
    removed = 0
    for path in paths:
        left_out.forget(connection, repository_id, [path])
        file_id = connection.execute(_FILE, (repository_id, path)).get
        if file_id is None:
            continue
        removed += 1
        _remove_places(connection, [(place[0], place[1]) for place in connection.execute(_PLACES, (file_id,))])
        connection.execute("DELETE FROM code_files WHERE file_id = ?", (file_id,))
    return removed


def place_counts(connection: apsw.Connection, repository_id: int, paths: Sequence[str]) -> list[int]:
    """How many places each of these files has: what its removal costs."""
    count = "SELECT count(*) FROM code_places WHERE file_id = (" + _FILE + ")"
    return [int(connection.execute(count, (repository_id, path)).get or 0) for path in paths]


def removable_together(
    connection: apsw.Connection, repository_id: int, paths: Sequence[str], limit: int
) -> tuple[Sequence[str], int]:
    """The first of these files whose removal one transaction of `limit` units holds (one at least), and its units."""
    weight = together = 0
    for count in place_counts(connection, repository_id, paths[:REMOVED_AT_ONCE]):
        if together and weight + count > limit:
            break
        together += 1
        weight += 1 + count
    return paths[:together], weight


def known_hashes(connection: apsw.Connection, repository_id: int, path: str) -> set[bytes]:
    """The chunks of a file as the store has it."""
    return {chunk_hash for (chunk_hash,) in connection.execute(_KNOWN_HASHES, (repository_id, path))}


def next_id(connection: apsw.Connection) -> int:
    """A file id that nothing has."""
    return 1 + int(connection.execute(_LAST_FILE).get)


def put(connection: apsw.Connection, repository_id: int, file_id: int, file: CutFile) -> None:
    """Writes a file's own row."""
    connection.execute(_PUT_FILE, _row(repository_id, file_id, file))


def forget(connection: apsw.Connection, repository_id: int, path: str) -> int | None:
    """Takes a file's own row away, and leaves its places; returns its id."""
    file_id: int | None = connection.execute(_FILE, (repository_id, path)).get
    connection.execute("DELETE FROM code_files WHERE file_id = ?", (file_id,))
    return file_id


def add_places(connection: apsw.Connection, file_id: int, pieces: Sequence[Piece]) -> None:
    """Writes places of a file, beside those it has."""
    ids = chunks.ids_of(connection, {piece.chunk_hash: piece.packed for piece in pieces})
    batch = _Batch(connection)
    for piece in pieces:
        batch.add_place(file_id, ids[piece.chunk_hash], piece)
    batch.write()


def remove_places(connection: apsw.Connection, file_id: int, limit: int) -> int:
    """Takes up to `limit` places of a file away; returns how many there were."""
    places = [(place[0], place[1]) for place in connection.execute(f"{_PLACES} LIMIT ?", (file_id, limit))]
    _remove_places(connection, places)
    return len(places)


def _row(repository_id: int, file_id: int, file: CutFile) -> tuple[object, ...]:
    return (file_id, repository_id, file.path, *astuple(file.seen), file.content_hash, file.language)


def _remove_places(connection: apsw.Connection, places: Sequence[tuple[int, int]]) -> None:
    full_text.remove(connection, [place_id for place_id, _ in places])
    connection.executemany(_DELETE_PLACE, [(place_id,) for place_id, _ in places])
    chunks.release(connection, {chunk_id for _, chunk_id in places})


class _Batch:
    """Rows of several files, collected so that each table is written at once."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._next_file = next_id(connection)
        self._next_place = 1 + int(connection.execute(_LAST_PLACE).get)
        self._files: list[tuple[object, ...]] = []
        self._places: list[tuple[object, ...]] = []
        self._words: list[tuple[int, str, str, str]] = []
        self._moved: list[tuple[int, int, int]] = []
        self._removed: list[tuple[int, int]] = []

    def add(self, repository_id: int, file: CutFile, ids: dict[bytes, int], words_changed: bool) -> None:
        old: dict[tuple[object, ...], list[tuple[int, int, int]]] = defaultdict(list)
        file_id = self._connection.execute(_FILE, (repository_id, file.path)).get
        if file_id is None:
            file_id = self._next_file
            self._next_file += 1
        else:
            for place_id, chunk_id, symbol, kind, start, end in self._connection.execute(_PLACES, (file_id,)):
                old[chunk_id, symbol, kind].append((place_id, start, end))
        self._files.append(_row(repository_id, file_id, file))
        for piece in file.pieces:
            chunk_id = ids[piece.chunk_hash]
            same = old.get((chunk_id, piece.symbol, piece.kind))
            if same and not words_changed:
                self._keep(same.pop(0), piece)
            else:
                self.add_place(file_id, chunk_id, piece)
        self._removed += [(place[0], key[0]) for key, places in old.items() for place in places]  # type: ignore[misc]  # the columns

    def write(self) -> None:
        # Old places first: their ids are never those of new ones, but their words must not be found beside the new.
        _remove_places(self._connection, self._removed)
        self._connection.executemany(_PUT_FILE, self._files)
        self._connection.executemany(_ADD_PLACE, self._places)
        self._connection.executemany(_MOVE_PLACE, self._moved)
        full_text.add(self._connection, self._words)

    def _keep(self, place: tuple[int, int, int], piece: Piece) -> None:
        place_id, start, end = place
        if (start, end) != (piece.start_line, piece.end_line):
            self._moved.append((piece.start_line, piece.end_line, place_id))

    def add_place(self, file_id: int, chunk_id: int, piece: Piece) -> None:
        place_id = self._next_place
        self._next_place += 1
        self._places.append((place_id, file_id, chunk_id, piece.start_line, piece.end_line, piece.symbol, piece.kind))
        self._words.append((place_id, piece.symbol_words, piece.path_words, piece.body_words))
