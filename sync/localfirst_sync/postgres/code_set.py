"""The team's code index in PostgreSQL: chunks and vectors as a set by content, and which file holds which.

Nothing here is numbered or versioned: a chunk's hash says all that it is, so to send it twice is to send it once. What is
missing is asked, never remembered, so an interrupted publication goes on where it stopped. Each batch is one transaction, and
rows go in by hash, so that two laptops that send the same at once do not wait for each other in a circle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row
from psycopg.types import TypeInfo

from localfirst_sync.code_port import SharedChunk, SharedFile
from localfirst_sync.postgres.connection import Connection, writing
from localfirst_sync.postgres.failure import unavailable

INDEX_FROM = 10_000
"""Vectors of a model from which a graph (HNSW) is kept for them; below, looking at all of them is as fast."""

_FETCH = """
    SELECT chunk_hash, embedding FROM localfirst.code_vectors
    WHERE project_id = %s AND model = %s AND chunk_hash = ANY (%b)
"""
_MISSING_CHUNKS = """
    SELECT h FROM pg_catalog.unnest(%(hashes)b::bytea[]) AS h WHERE NOT EXISTS (
        SELECT 1 FROM localfirst.code_chunks AS c WHERE c.project_id = %(project)s AND c.chunk_hash = h
    )
"""
_MISSING_VECTORS = """
    SELECT h FROM pg_catalog.unnest(%(hashes)b::bytea[]) AS h WHERE NOT EXISTS (
        SELECT 1 FROM localfirst.code_vectors AS v WHERE v.project_id = %(project)s AND v.model = %(model)s AND v.chunk_hash = h
    )
"""
# A statement takes what is new as arrays, a value of each column for each row: a temporary table would need a right that
# somebody may have taken away.
_TAKE_CHUNKS = """
    INSERT INTO localfirst.code_chunks (project_id, chunk_hash, text, words)
    SELECT %s, c.chunk_hash, c.text,
        pg_catalog.setweight(pg_catalog.to_tsvector('english'::regconfig, c.symbol_words), 'A')
            || pg_catalog.setweight(pg_catalog.to_tsvector('english'::regconfig, c.body_words), 'D')
    FROM ROWS FROM (
        pg_catalog.unnest(%b::bytea[]), pg_catalog.unnest(%b::text[]), pg_catalog.unnest(%b::text[]),
        pg_catalog.unnest(%b::text[])
    ) AS c (chunk_hash, text, symbol_words, body_words)
    ORDER BY c.chunk_hash ON CONFLICT DO NOTHING
"""
_TAKE_VECTORS = """
    INSERT INTO localfirst.code_vectors (project_id, model, chunk_hash, embedding)
    SELECT %s, %s, v.chunk_hash, v.embedding
    FROM ROWS FROM (pg_catalog.unnest(%b::bytea[]), pg_catalog.unnest(%b::bytea[])) AS v (chunk_hash, embedding)
    ORDER BY v.chunk_hash ON CONFLICT DO NOTHING
"""
_TAKE_SEARCHABLE = """
    INSERT INTO localfirst.code_vectors (project_id, model, chunk_hash, embedding, searchable)
    SELECT %s, %s, v.chunk_hash, v.embedding, v.searchable
    FROM ROWS FROM (
        pg_catalog.unnest(%b::bytea[]), pg_catalog.unnest(%b::bytea[]), pg_catalog.unnest(%b)
    ) AS v (chunk_hash, embedding, searchable)
    ORDER BY v.chunk_hash ON CONFLICT DO NOTHING
"""
_TAKE_FILES = """
    INSERT INTO localfirst.code_files (project_id, repository, path, content_hash, language)
    SELECT %s, %s, f.path, f.content_hash, f.language
    FROM ROWS FROM (
        pg_catalog.unnest(%b::text[]), pg_catalog.unnest(%b::bytea[]), pg_catalog.unnest(%b::text[])
    ) AS f (path, content_hash, language)
"""
_TAKE_PLACES = """
    INSERT INTO localfirst.code_places (project_id, repository, path, start_line, end_line, symbol, kind, chunk_hash)
    SELECT %s, %s, p.path, p.start_line, p.end_line, p.symbol, p.kind, p.chunk_hash
    FROM ROWS FROM (
        pg_catalog.unnest(%b::text[]), pg_catalog.unnest(%b::integer[]), pg_catalog.unnest(%b::integer[]),
        pg_catalog.unnest(%b::text[]), pg_catalog.unnest(%b::text[]), pg_catalog.unnest(%b::bytea[])
    ) AS p (path, start_line, end_line, symbol, kind, chunk_hash)
"""
_DELETE_FILES = "DELETE FROM localfirst.code_files WHERE project_id = %s AND repository = %s AND path = ANY (%s)"
_WITHDRAW = b"DELETE FROM localfirst.code_repositories WHERE project_id = %s AND repository = %s"
_NOTE_REPOSITORY = """
    INSERT INTO localfirst.code_repositories (project_id, repository, name, published_by) VALUES (%s, %s, %s, %s)
    ON CONFLICT (project_id, repository) DO UPDATE
    SET name = excluded.name, published_by = excluded.published_by, published_at = pg_catalog.now()
"""
# A row's lock, since anybody who may connect can take an advisory one and keep it.
_LOCK_REPOSITORY = "SELECT FROM localfirst.code_repositories WHERE project_id = %s AND repository = %s FOR NO KEY UPDATE"
_INDEX_VECTORS = "SELECT localfirst.index_code_vectors(%s::text, %s::text, %s::bigint)"
_HALFVEC = """
    SELECT n.nspname FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
    WHERE a.attrelid = 'localfirst.code_vectors'::regclass AND a.attname = 'searchable' AND NOT a.attisdropped
"""


@contextmanager
def postgres_errors() -> Iterator[None]:
    """Turns psycopg's errors into `UnavailableError`, without secrets."""
    try:
        yield
    except psycopg.Error as error:
        raise unavailable(error) from None


def fetch_vectors(connection: Connection, project_id: str, model: str, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
    """The int8 vectors of those chunks that the server has one of. Raises UnavailableError."""
    with postgres_errors():
        cursor = connection.cursor(binary=True, row_factory=tuple_row)
        return {bytes(h): bytes(v) for h, v in cursor.execute(_FETCH, (project_id, model, list(hashes)))}


def missing_chunks(connection: Connection, project_id: str, hashes: Sequence[bytes]) -> set[bytes]:
    """Those that the server has no text of. Raises UnavailableError."""
    return _missing(connection, _MISSING_CHUNKS, {"project": project_id, "hashes": list(hashes)})


def missing_vectors(connection: Connection, project_id: str, model: str, hashes: Sequence[bytes]) -> set[bytes]:
    """Those that the server has no vector of this model of. Raises UnavailableError."""
    return _missing(connection, _MISSING_VECTORS, {"project": project_id, "model": model, "hashes": list(hashes)})


def _missing(connection: Connection, query: str, parameters: Mapping[str, object]) -> set[bytes]:
    with postgres_errors():
        cursor = connection.cursor(binary=True, row_factory=tuple_row)
        return {bytes(row[0]) for row in cursor.execute(query.encode(), parameters)}


def put_chunks(connection: Connection, project_id: str, chunks: Sequence[SharedChunk]) -> None:
    """Adds chunks; those that are there already stay as they are. Raises UnavailableError."""
    with postgres_errors(), writing(connection):
        _take(connection, _TAKE_CHUNKS, (project_id,), chunks)


def put_vectors(connection: Connection, project_id: str, model: str, vectors: Sequence[tuple[bytes, bytes]]) -> None:
    """Adds (hash, int8 vector) of chunks that the server has. Raises UnavailableError."""
    with postgres_errors():
        home = searchable_schema(connection)
        if home is None:
            with writing(connection):
                _take(connection, _TAKE_VECTORS, (project_id, model), vectors)
            return
        _learn_halfvec(connection, home)
        with writing(connection):
            _take(connection, _TAKE_SEARCHABLE, (project_id, model), list(_with_halves(vectors)))


def note_repository(connection: Connection, project_id: str, repository: str, name: str, by: str | None) -> None:
    """Makes the repository known, and who publishes it. Raises UnavailableError."""
    with postgres_errors(), writing(connection):
        connection.execute(_NOTE_REPOSITORY, (project_id, repository, name, by))


def complete_model(connection: Connection, project_id: str, repository: str) -> str | None:
    """The model that all of the repository's chunks have a vector of on the server, if one is known."""
    query = "SELECT model FROM localfirst.code_repositories WHERE project_id = %s AND repository = %s"
    with postgres_errors():
        row = connection.execute(query, (project_id, repository)).fetchone()
    return str(row[0]) if row and row[0] is not None else None


def note_complete_model(connection: Connection, project_id: str, repository: str, model: str) -> None:
    """Notes that all of the repository's chunks have a vector of this model. Raises UnavailableError."""
    query = "UPDATE localfirst.code_repositories SET model = %s WHERE project_id = %s AND repository = %s"
    with postgres_errors(), writing(connection):
        connection.execute(query, (model, project_id, repository))


def files_of(connection: Connection, project_id: str, repository: str) -> dict[str, bytes]:
    """Path → content hash of the tree as it was last published. Raises UnavailableError."""
    query = "SELECT path, content_hash FROM localfirst.code_files WHERE project_id = %s AND repository = %s"
    with postgres_errors():
        cursor = connection.cursor(binary=True, row_factory=tuple_row)
        return {str(path): bytes(h) for path, h in cursor.execute(query, (project_id, repository))}


def put_files(
    connection: Connection, project_id: str, repository: str, files: Sequence[SharedFile], deleted: Sequence[str]
) -> None:
    """Replaces these files with all their places, and takes the deleted ones away. Raises UnavailableError.

    Every chunk that a place names must be there. Of two laptops that publish the same path the later one stands.
    """
    with postgres_errors(), connection.transaction():
        connection.execute(_LOCK_REPOSITORY, (project_id, repository))
        connection.execute(_DELETE_FILES, (project_id, repository, [*deleted, *(file.path for file in files)]))
        _take(connection, _TAKE_FILES, (project_id, repository), [file[:3] for file in files])
        places = [(file.path, *place) for file in files for place in file.places]
        _take(connection, _TAKE_PLACES, (project_id, repository), places)


def withdraw(connection: Connection, project_id: str, repository: str) -> None:
    """Deletes the repository's row, its files and places with it. Raises UnavailableError."""
    with postgres_errors(), writing(connection):
        connection.execute(_WITHDRAW, (project_id, repository))


def ensure_vector_index(connection: Connection, model: str) -> bool:
    """Keeps a graph (HNSW) for a model that has many vectors; whether there is one. Raises UnavailableError."""
    count = "SELECT pg_catalog.count(*) FROM (SELECT 1 FROM localfirst.code_vectors WHERE model = %s LIMIT %s) AS v"
    with postgres_errors():
        row = connection.execute(count, (model, INDEX_FROM)).fetchone()
        if row is None or row[0] != INDEX_FROM or searchable_schema(connection) is None:
            return False
        if _has_index(connection, model):
            return True
        with connection.transaction():
            # A minute and more for a million vectors; readers go on meanwhile.
            connection.execute("SELECT pg_catalog.set_config('statement_timeout', '0', true)")
            made = connection.execute(_INDEX_VECTORS, (model, _index_name(model), INDEX_FROM)).fetchone()
        return made == (True,)


def searchable_schema(connection: Connection) -> str | None:
    """The schema that pgvector lives in; None where the server cannot search vectors."""
    row = connection.execute(_HALFVEC).fetchone()
    return str(row[0]) if row else None


def _has_index(connection: Connection, model: str) -> bool:
    query = "SELECT pg_catalog.to_regclass(%s::text) IS NOT NULL"
    row = connection.execute(query, (f"localfirst.{_index_name(model)}",)).fetchone()
    return bool(row and row[0])


def _index_name(model: str) -> str:
    return f"code_vectors_near_{hashlib.sha256(model.encode()).hexdigest()[:12]}"


def _with_halves(vectors: Sequence[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes, object]]:
    import numpy as np
    from pgvector import HalfVector

    for chunk_hash, vector in vectors:
        yield chunk_hash, vector, HalfVector(np.frombuffer(vector, np.int8).astype(np.float16))


def _learn_halfvec(connection: Connection, home: str) -> None:
    from pgvector.psycopg.halfvec import register_halfvec_info

    info = TypeInfo.fetch(connection, sql.Identifier(home, "halfvec"))
    assert info is not None
    register_halfvec_info(connection, info)


def _take(connection: Connection, statement: str, first: tuple[str, ...], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        connection.execute(statement.encode(), (*first, *columns))
