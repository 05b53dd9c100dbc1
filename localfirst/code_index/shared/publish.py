"""Sends to the server what it lacks of a repository: chunks, their vectors, and then the files that hold them.

A file is listed on the server only when its chunks are there, so what is listed can be searched, and a publication that was
interrupted goes on with the files that are not listed yet. The tree on the server is the one that was published last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import apsw

from localfirst.code_index.chunk import Chunk
from localfirst.code_index.shared.key import is_own, is_spelling, shared_key
from localfirst.code_index.store import models, repositories
from localfirst.code_index.store.compression import unpack
from localfirst.code_index.words import words_of
from localfirst.replica.connection import snapshot
from localfirst.search.extension import ensure_loaded

if TYPE_CHECKING:
    from localfirst_sync.code_port import CodeServer, SharedChunk, SharedFile

    from localfirst.code_index.store.model import Model

FILES = 200
"""Per transaction on the server."""

HASHES = 5_000
"""Asked for at a time."""

_FILES = "SELECT path, file_id, content_hash FROM code_files WHERE repository_id = ?"
_FILE = "SELECT path, content_hash, language FROM code_files WHERE file_id = ?"
_PLACES = """
    SELECT p.start_line, p.end_line, p.symbol, p.kind, c.chunk_hash, c.chunk_id, c.text
    FROM code_places AS p JOIN code_chunks AS c USING (chunk_id) WHERE p.file_id = ? ORDER BY p.start_line, p.place_id
"""
_CHUNKS = """
    SELECT DISTINCT c.chunk_id, c.chunk_hash FROM code_files AS f
    JOIN code_places AS p USING (file_id) JOIN code_chunks AS c USING (chunk_id) WHERE f.repository_id = ?
"""
_IS_WAITING = """
    SELECT EXISTS (
        SELECT 1 FROM code_files AS f JOIN code_places AS p USING (file_id)
        JOIN code_unembedded AS u ON u.model_id = ?2 AND u.chunk_id = p.chunk_id WHERE f.repository_id = ?1
    )
"""
_KNOWN_AS = """
    SELECT shared_key, (SELECT count(*) FROM code_repositories AS o WHERE o.shared_key = r.shared_key)
    FROM code_repositories AS r WHERE repository_id = ?
"""
_SHARED_KEY = "UPDATE code_repositories SET shared_key = ?2 WHERE repository_id = ?1"

_Item = TypeVar("_Item")


class _Held(NamedTuple):
    """A chunk as the replica holds it."""

    chunk_id: int
    symbol: str | None
    text: bytes


def publish(replica: apsw.Connection, server: CodeServer, replica_id: str, root: Path, by: str | None = None) -> int:
    """Brings the server's tree of this repository level with the replica's; how many files were sent.

    Nothing happens for a root that was never indexed. Raises UnavailableError while the server is away.
    """
    repository = repositories.find(replica, root)
    if repository is None:
        return 0
    key = shared_key(repository, replica_id)
    _rename(replica, server, replica_id, repository.repository_id, key)
    model = next((kept for kept in models.kept(replica) if kept.active == models.ACTIVE), None)
    server.note_repository(key, repository.name, by)
    there = server.files_of(key)
    here = {path: (file_id, digest) for path, file_id, digest in replica.execute(_FILES, (repository.repository_id,))}
    changed = [file_id for path, (file_id, digest) in here.items() if there.get(path) != digest]
    for file_ids in _batches(changed, FILES):
        _send_files(replica, server, key, file_ids, model)
    for paths in _batches([path for path in there if path not in here], HASHES):
        server.put_files(key, [], paths)
    if model is not None:
        _complete(replica, server, key, repository.repository_id, model)
        server.ensure_vector_index(model.model)
    return len(changed)


def _rename(replica: apsw.Connection, server: CodeServer, replica_id: str, repository_id: int, key: str) -> None:
    """Notes the repository's name on the server; what this replica had published of it under another one is taken off first.

    A name that several repositories had (they overwrote one another) goes with the last of them that gets its own.
    """
    known_as, having_it = replica.execute(_KNOWN_AS, (repository_id,)).fetchall()[0]
    if known_as == key:
        return
    if known_as is not None and having_it == 1 and (is_own(str(known_as), replica_id) or is_spelling(str(known_as), key)):
        server.withdraw(str(known_as))
    replica.execute(_SHARED_KEY, (repository_id, key))


def _send_files(replica: apsw.Connection, server: CodeServer, key: str, file_ids: Sequence[int], model: Model | None) -> None:
    held: dict[bytes, _Held] = {}
    with snapshot(replica):
        files = [file for file_id in file_ids if (file := _shared_file(replica, file_id, held)) is not None]
    missing = server.missing_chunks(list(held))
    server.put_chunks([_shared_chunk(digest, held[digest]) for digest in sorted(missing)])
    if model is not None:
        _send_vectors(replica, server, model, {digest: chunk.chunk_id for digest, chunk in held.items()})
    server.put_files(key, files, [])


def _shared_file(replica: apsw.Connection, file_id: int, held: dict[bytes, _Held]) -> SharedFile | None:
    """The file as it is now, None if it is gone meanwhile; its chunks are added to `held`."""
    from localfirst_sync.code_port import SharedFile, SharedPlace

    row = replica.execute(_FILE, (file_id,)).fetchone()
    if row is None:
        return None
    places = []
    for start, end, symbol, kind, digest, chunk_id, text in replica.execute(_PLACES, (file_id,)):
        places.append(SharedPlace(start, end, symbol, kind, digest))
        held[digest] = _Held(chunk_id, symbol, text)
    path, content_hash, language = row
    return SharedFile(path, content_hash, language, places)


def _shared_chunk(digest: bytes, held: _Held) -> SharedChunk:
    from localfirst_sync.code_port import SharedChunk

    text = unpack(held.text)
    words = words_of("", Chunk(start_line=1, end_line=1, text=text, symbol=held.symbol))
    return SharedChunk(digest, text, words.symbol, words.body)


def _send_vectors(replica: apsw.Connection, server: CodeServer, model: Model, chunk_ids: dict[bytes, int]) -> None:
    missing = server.missing_vectors(model.model, list(chunk_ids))
    ensure_loaded(replica)
    query = f"SELECT embedding FROM {model.table} WHERE rowid = ?"
    found = ((digest, replica.execute(query, (chunk_ids[digest],)).get) for digest in sorted(missing))
    server.put_vectors(model.model, [(digest, vector) for digest, vector in found if vector is not None])


def _complete(replica: apsw.Connection, server: CodeServer, key: str, repository_id: int, model: Model) -> None:
    """Sends what is missing of a model that the repository was not published with yet."""
    if server.complete_model(key) == model.model:
        return
    if replica.execute(_IS_WAITING, (repository_id, model.model_id)).get:
        return  # the rest is still to be embedded; the next publication sends it
    chunks: list[tuple[Any, ...]] = replica.execute(_CHUNKS, (repository_id,)).fetchall()
    for batch in _batches(chunks, HASHES):
        _send_vectors(replica, server, model, {digest: chunk_id for chunk_id, digest in batch})
    server.note_complete_model(key, model.model)


def _batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
