"""Searching the team's code index in PostgreSQL: full text and, with pgvector, the nearest vectors, as candidates to rank."""

from __future__ import annotations

from psycopg import sql

from localfirst_sync.code_port import Candidate
from localfirst_sync.postgres.code_set import postgres_errors, searchable_schema
from localfirst_sync.postgres.connection import Connection

CANDIDATES = 200
"""So many chunks from each side go into the ranking."""

_BY_WORDS = """
    SELECT c.chunk_hash, pg_catalog.ts_rank(c.words, q) AS words, NULL::float8 AS cosine
    FROM localfirst.code_chunks AS c, pg_catalog.to_tsquery('english'::regconfig, %(words)s) AS q
    WHERE c.project_id = %(project)s AND c.words @@ q ORDER BY words DESC LIMIT %(candidates)s
"""
_NEAREST = """
    SELECT chunk_hash, NULL::float4 AS words,
        1 - (searchable::{home}.halfvec({dimensions}) OPERATOR({home}.<=>) {vector}) AS cosine
    FROM localfirst.code_vectors
    WHERE project_id = %(project)s AND model = {model} AND {home}.vector_dims(searchable) = {dimensions}
    ORDER BY searchable::{home}.halfvec({dimensions}) OPERATOR({home}.<=>) {vector} LIMIT %(candidates)s
"""
_PLACES = """
    SELECT p.repository, p.path, p.start_line, p.end_line, p.symbol, p.kind, f.language, c.text, found.words, found.cosine,
        found.chunk_hash
    FROM (
        SELECT chunk_hash, pg_catalog.max(words) AS words, pg_catalog.max(cosine) AS cosine
        FROM ({sides}) AS side GROUP BY chunk_hash
    ) AS found
    JOIN localfirst.code_chunks AS c ON c.project_id = %(project)s AND c.chunk_hash = found.chunk_hash
    JOIN localfirst.code_places AS p ON p.project_id = %(project)s AND p.chunk_hash = found.chunk_hash
    JOIN localfirst.code_files AS f ON f.project_id = p.project_id AND f.repository = p.repository AND f.path = p.path
    WHERE (%(repository)s::text IS NULL OR p.repository = %(repository)s)
        AND (%(language)s::text IS NULL OR f.language = %(language)s)
"""
_SETTINGS = """
    SELECT pg_catalog.set_config('hnsw.ef_search', %s, true), pg_catalog.set_config('statement_timeout', '5000', true)
"""


def candidates(
    connection: Connection,
    project_id: str,
    *,
    words: list[str],
    model: str | None,
    vector: bytes | None,
    repository: str | None = None,
    language: str | None = None,
) -> list[Candidate]:
    """The places of the best chunks by words (any of them, letters and digits only) and by an int8 vector of `model`.

    Raises UnavailableError.
    """
    with postgres_errors():
        sides: list[sql.Composable] = []
        if words:
            sides.append(sql.SQL(f"({_BY_WORDS})"))
        home = searchable_schema(connection)
        if home is not None and model is not None and vector is not None:
            sides.append(sql.SQL(f"({_NEAREST})").format(
                home=sql.Identifier(home), dimensions=sql.Literal(len(vector)), model=sql.Literal(model),
                vector=_halfvec(vector, home),
            ))  # fmt: skip
        if not sides:
            return []
        query = sql.SQL(_PLACES).format(sides=sql.SQL(" UNION ALL ").join(sides))
        parameters = {
            "project": project_id, "words": " | ".join(words), "candidates": CANDIDATES,
            "repository": repository, "language": language,
        }  # fmt: skip
        with connection.transaction():
            # As many as are asked for, also where other projects' vectors lie between; and never long.
            connection.execute(_SETTINGS, (str(CANDIDATES),))
            rows = connection.execute(query, parameters).fetchall()
        return [Candidate(*row) for row in rows]  # type: ignore[arg-type]  # the query's columns


def _halfvec(vector: bytes, home: str) -> sql.Composable:
    parts = ",".join(str(part - 256 if part > 127 else part) for part in vector)
    return sql.SQL("{}::{}.halfvec").format(sql.Literal(f"[{parts}]"), sql.Identifier(home))
