"""Files with their places and words: what a search finds of a file is of one moment, since it is written in one transaction.

Work trees of one repository share the places of a file that has one content in them (one `file_id`). What is written into one
tree leaves the places of the others alone; places go with the last file that has them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import apsw
from msgspec.structs import astuple

from localfirst.code_index.store import chunks, full_text, left_out
from localfirst.code_index.store.cut_file import CutFile, Piece, Seen

LARGE = 200
"""Chunks that a transaction of 20 ms holds."""

REMOVED_AT_ONCE = 200
"""So many files at the most are taken out in one transaction."""

_FILE = "SELECT file_id, content_hash FROM code_files WHERE repository_id = ? AND path = ?"
_IN_ANOTHER_TREE = "EXISTS (SELECT 1 FROM code_files AS o WHERE o.file_id = f.file_id AND o.repository_id <> f.repository_id)"
_IS_SHARED = f"SELECT EXISTS (SELECT 1 FROM code_files AS f WHERE repository_id = ? AND path = ? AND {_IN_ANOTHER_TREE})"
_HAS_FILE = "SELECT EXISTS (SELECT 1 FROM code_files WHERE file_id = ?)"
_TWIN = "SELECT file_id, language FROM code_files WHERE repository_id = ? AND path = ? AND content_hash = ?"
_HASHES = "SELECT path, content_hash FROM code_files WHERE repository_id = ?"
_PLACES = "SELECT place_id, chunk_id, symbol, kind, start_line, end_line FROM code_places WHERE file_id = ? ORDER BY place_id"
_LAST_FILE = """
    SELECT max(coalesce((SELECT max(file_id) FROM code_files), 0), coalesce((SELECT max(file_id) FROM code_unfinished), 0))
"""
_OWN_COUNT = f"""
    SELECT (SELECT count(*) FROM code_places AS p WHERE p.file_id = f.file_id) FROM code_files AS f
    WHERE f.repository_id = ? AND f.path = ? AND NOT {_IN_ANOTHER_TREE}
"""
_OWN_HASHES = f"""
    SELECT c.chunk_hash FROM code_files AS f JOIN code_places AS p USING (file_id) JOIN code_chunks AS c USING (chunk_id)
    WHERE f.repository_id = ? AND f.path = ? AND NOT {_IN_ANOTHER_TREE}
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
_UNFINISHED = "INSERT OR IGNORE INTO code_unfinished (file_id) VALUES (?)"
_DELETE_PLACE = "DELETE FROM code_places WHERE place_id = ?"


def content_hashes(connection: apsw.Connection, repository_ids: Iterable[int]) -> dict[str, bytes]:
    """Path → hashes of the contents that were indexed, one after the other."""
    found: dict[str, set[bytes]] = defaultdict(set)
    for repository_id in repository_ids:
        for path, digest in connection.execute(_HASHES, (repository_id,)):
            found[path].add(digest)
    return {path: b"".join(digests) for path, digests in found.items()}


def write(
    connection: apsw.Connection,
    repository_id: int,
    files: Sequence[CutFile],
    *,
    words_changed: bool,
    siblings: Sequence[int] = (),
) -> None:
    """Brings the store to these files.

    Args:
        files: each path once.
        words_changed: the words of what stayed the same are other ones than before (see `repositories.CUTTING`).
        siblings: trees with which places are shared.
    """
    if siblings:  # of two that are indexed at once, one may have written it meanwhile
        files = [
            file for file in files if not link(connection, repository_id, siblings, file.path, file.content_hash, file.seen)
        ]
    ids = chunks.ids_of(connection, {piece.chunk_hash: piece.packed for file in files for piece in file.pieces})
    batch = _Batch(connection)
    for file in files:
        batch.add(repository_id, file, ids, words_changed)
    batch.write()
    left_out.forget(connection, repository_id, [file.path for file in files])


def touch(connection: apsw.Connection, repository_id: int, seen: Iterable[tuple[str, Seen]]) -> None:
    """Notes how files look whose content is what it was."""
    connection.executemany(_TOUCH, [(*astuple(look), repository_id, path) for path, look in seen])


def confirm(
    connection: apsw.Connection,
    repository_id: int,
    siblings: Sequence[int],
    path: str,
    digest: bytes,
    seen: Seen,
    *,
    recut: bool,
) -> bool:
    """Notes how a file looks that has a content which the store knows; False if the store knows it no more.

    Args:
        recut: what this tree had of it counts only if a sibling has it too.
    """
    row = _known(connection, repository_id, path)
    if row is not None and row[1] == digest and not recut:
        touch(connection, repository_id, [(path, seen)])
        return True
    return link(connection, repository_id, siblings, path, digest, seen)


def link(
    connection: apsw.Connection, repository_id: int, siblings: Sequence[int], path: str, digest: bytes, seen: Seen
) -> bool:
    """Gives a file the places that a sibling has of this content; whether there are any."""
    for sibling in siblings:
        twin = connection.execute(_TWIN, (sibling, path, digest)).fetchone()
        if twin is None:
            continue
        file_id, language = twin
        before = _known(connection, repository_id, path)
        connection.execute(_PUT_FILE, (file_id, repository_id, path, *astuple(seen), digest, language))
        left_out.forget(connection, repository_id, [path])
        if before is not None:
            _clear_if_nobodys(connection, before[0])
        return True
    return False


def remove(connection: apsw.Connection, repository_id: int, paths: Iterable[str]) -> int:
    """Forgets files; chunks that no other tree holds are released. Returns how many the store knew."""
    removed = 0
    for path in paths:
        left_out.forget(connection, repository_id, [path])
        file_id = forget(connection, repository_id, path)
        if file_id is None:
            continue
        removed += 1
        _clear_if_nobodys(connection, file_id)
    return removed


def has_file(connection: apsw.Connection, file_id: int) -> bool:
    """Whether a file of any tree has this id."""
    return bool(connection.execute(_HAS_FILE, (file_id,)).get)


def place_counts(connection: apsw.Connection, repository_id: int, paths: Sequence[str]) -> list[int]:
    """How many places each of these files has for itself: what its removal costs."""
    return [int(connection.execute(_OWN_COUNT, (repository_id, path)).get or 0) for path in paths]


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
    """The chunks of the places that a file has for itself."""
    return {chunk_hash for (chunk_hash,) in connection.execute(_OWN_HASHES, (repository_id, path))}


def next_id(connection: apsw.Connection) -> int:
    """A file id that nothing has."""
    return 1 + int(connection.execute(_LAST_FILE).get)


def put(connection: apsw.Connection, repository_id: int, file_id: int, file: CutFile) -> None:
    """Writes a file's own row."""
    connection.execute(_PUT_FILE, _row(repository_id, file_id, file))


def share(connection: apsw.Connection, repository_id: int, file_id: int, file: CutFile) -> None:
    """Lets the trees that share this file's places, of the content that it still has, have those under this id."""
    row = _known(connection, repository_id, file.path)
    if row is not None and row[1] == file.content_hash:
        connection.execute("UPDATE code_files SET file_id = ? WHERE file_id = ?", (file_id, row[0]))


def forget(connection: apsw.Connection, repository_id: int, path: str) -> int | None:
    """Takes a file's own row away, and leaves its places; returns its id."""
    row = _known(connection, repository_id, path)
    connection.execute("DELETE FROM code_files WHERE repository_id = ? AND path = ?", (repository_id, path))
    return row[0] if row is not None else None


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


def _known(connection: apsw.Connection, repository_id: int, path: str) -> tuple[int, bytes] | None:
    """A file's id, and the hash of its content."""
    row = connection.execute(_FILE, (repository_id, path)).fetchone()
    return (int(row[0]), bytes(row[1])) if row is not None else None


def _clear_if_nobodys(connection: apsw.Connection, file_id: int) -> None:
    """Takes the places away that no file has any more; where they are many, the end of the run does."""
    if has_file(connection, file_id):
        return
    places = [(place[0], place[1]) for place in connection.execute(f"{_PLACES} LIMIT ?", (file_id, LARGE + 1))]
    if len(places) > LARGE:
        leave(connection, file_id)
    else:
        _remove_places(connection, places)


def leave(connection: apsw.Connection, file_id: int) -> None:
    """Notes that the places of this id are nobody's, to be cleared later."""
    connection.execute(_UNFINISHED, (file_id,))


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
        row = _known(self._connection, repository_id, file.path)
        # Another content is no business of the trees that share this one.
        if row is None or (row[1] != file.content_hash and self._is_shared(repository_id, file.path)):
            file_id = self._next_file
            self._next_file += 1
        else:
            file_id = row[0]
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

    def _is_shared(self, repository_id: int, path: str) -> bool:
        return bool(self._connection.execute(_IS_SHARED, (repository_id, path)).get)

    def _keep(self, place: tuple[int, int, int], piece: Piece) -> None:
        place_id, start, end = place
        if (start, end) != (piece.start_line, piece.end_line):
            self._moved.append((piece.start_line, piece.end_line, place_id))

    def add_place(self, file_id: int, chunk_id: int, piece: Piece) -> None:
        place_id = self._next_place
        self._next_place += 1
        self._places.append((place_id, file_id, chunk_id, piece.start_line, piece.end_line, piece.symbol, piece.kind))
        self._words.append((place_id, piece.symbol_words, piece.path_words, piece.body_words))
