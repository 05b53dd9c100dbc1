"""Whether the tables of the code index agree with each other (for tests and doctor)."""

from __future__ import annotations

import apsw

from localfirst.code_index.store import models
from localfirst.replica.connection import snapshot
from localfirst.search.extension import ensure_loaded

_RULES = {
    "files without a repository": """
        SELECT count(*) FROM code_files WHERE repository_id NOT IN (SELECT repository_id FROM code_repositories)
    """,
    "places without a file": """
        SELECT count(*) FROM code_places
        WHERE file_id NOT IN (SELECT file_id FROM code_files) AND file_id NOT IN (SELECT file_id FROM code_unfinished)
    """,
    "files that are both there and unfinished": """
        SELECT count(*) FROM code_unfinished WHERE file_id IN (SELECT file_id FROM code_files)
    """,
    "places without a chunk": "SELECT count(*) FROM code_places WHERE chunk_id NOT IN (SELECT chunk_id FROM code_chunks)",
    "chunks without a place": """
        SELECT count(*) FROM code_chunks
        WHERE chunk_id NOT IN (SELECT chunk_id FROM code_places) AND chunk_id NOT IN (SELECT chunk_id FROM code_released)
    """,
    "released chunks that do not exist": """
        SELECT count(*) FROM code_released WHERE chunk_id NOT IN (SELECT chunk_id FROM code_chunks)
    """,
    "places without words": "SELECT count(*) FROM code_places WHERE place_id NOT IN (SELECT id FROM code_words_docsize)",
    "words without a place": "SELECT count(*) FROM code_words_docsize WHERE id NOT IN (SELECT place_id FROM code_places)",
    "chunks queued for embedding that do not exist": """
        SELECT count(*) FROM code_unembedded WHERE chunk_id NOT IN (SELECT chunk_id FROM code_chunks)
    """,
    "chunks queued for a model that does not exist": """
        SELECT count(*) FROM code_unembedded WHERE model_id NOT IN (SELECT model_id FROM code_models)
    """,
    "active models beyond one": "SELECT max(count(*) - 1, 0) FROM code_models WHERE active = 1",
}
_WITH_VECTORS = {
    "chunks with neither a vector nor a place in the queue of {model}": """
        SELECT count(*) FROM code_chunks WHERE chunk_id > {backlog} AND chunk_id NOT IN (SELECT rowid FROM {table}_rowids)
        AND chunk_id NOT IN (SELECT chunk_id FROM code_unembedded WHERE model_id = {model_id})
    """,
    "vectors of {model} without a chunk": """
        SELECT count(*) FROM {table}_rowids WHERE rowid NOT IN (SELECT chunk_id FROM code_chunks)
    """,
    "chunks with both a vector and a place in the queue of {model}": """
        SELECT count(*) FROM code_unembedded WHERE model_id = {model_id} AND chunk_id IN (SELECT rowid FROM {table}_rowids)
    """,
}


def check(connection: apsw.Connection) -> list[str]:
    """What does not agree, one sentence each; empty when all is well. Reads everything once: about 1 s per 100 000 chunks."""
    with snapshot(connection):
        wrong = [_reported(connection, name, query) for name, query in _RULES.items()]
        for model in models.kept(connection):
            ensure_loaded(connection)
            backlog = connection.execute("SELECT backlog FROM code_models WHERE model_id = ?", (model.model_id,)).get
            names = {"model": model.model, "model_id": model.model_id, "table": model.table, "backlog": backlog}
            wrong += [
                _reported(connection, name.format(**names), query.format(**names)) for name, query in _WITH_VECTORS.items()
            ]
        return [sentence for sentence in wrong if sentence]


def _reported(connection: apsw.Connection, name: str, query: str) -> str:
    count = connection.execute(query).get
    return f"the code index has {count} {name}" if count else ""
