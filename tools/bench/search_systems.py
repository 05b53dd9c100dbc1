"""The ways of searching that `search_quality.py` compares: each gives (path, first line, last line), best first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw

from localfirst.code_index.pipeline.files import index_files
from localfirst.code_index.pipeline.finish import finish
from localfirst.code_index.pipeline.plan import plan
from localfirst.code_index.pipeline.pool import Pool
from localfirst.code_index.pipeline.vectors import embed_chunks
from localfirst.code_index.search import candidates, full_text, ranking
from localfirst.code_index.search.candidates import Stems, Wanted
from localfirst.code_index.search.meaning import MeaningIndex
from localfirst.code_index.search.query import understood
from localfirst.code_index.search.scope import Scope
from localfirst.code_index.search.search import BY_MEANING, BY_WORDS, CodeSearch
from localfirst.embedding import static, static_code
from localfirst.replica.opening import open_replica

Hit = tuple[str, int, int]
System = Callable[[str], list[Hit]]

ASKED = 30
"""Chunks, so that ten different files are among them."""


class _Silent:
    def should_stop(self) -> bool:
        return False

    def files_done(self, connection: apsw.Connection, done: object) -> None: ...
    def chunks_queued(self, count: int) -> None: ...
    def chunks_done(self, connection: apsw.Connection, done: object) -> None: ...


def index(root: Path, replica: Path, pool: Pool) -> apsw.Connection:
    """A new replica with the index of a tree."""
    connection = open_replica(replica, None)
    todo = plan(connection, root, root.name, force=False)
    index_files(connection, pool, todo, _Silent())
    embed_chunks(connection, pool, static_code.load(), _Silent())
    finish(connection, todo, _Silent())
    return connection


def ours(connection: apsw.Connection) -> dict[str, System]:
    """The whole, and its parts."""
    search = CodeSearch(connection, lambda model: static_code.load())
    meaning = MeaningIndex(lambda model: static_code.load())
    stems = Stems(connection)

    def hits(places: Sequence[candidates.Place]) -> list[Hit]:
        return [(place.path, place.start_line, place.end_line) for place in places[:ASKED]]

    def seen(query: str, by_words: bool, by_meaning: bool) -> tuple[list[candidates.Place], list[ranking.Candidate], Any]:
        asked = understood(query)
        wanted = Wanted(asked.terms, stems)
        terms = full_text.looked_up(connection, wanted.words)
        compared = meaning.compare(connection, query)
        ids = dict.fromkeys(full_text.best(connection, terms, Scope(), BY_WORDS)) if by_words else {}
        if by_meaning and compared is not None:
            ids |= dict.fromkeys(candidates.near(connection, compared, Scope(), BY_MEANING))
        places = candidates.read(connection, ids, Scope())
        cosines = compared.of([place.chunk_id for place in places]) if compared is not None else [0.0] * len(places)
        counted = [candidates.counted(place, wanted, cosine) for place, cosine in zip(places, cosines, strict=True)]
        return places, counted, {term.word: term.weight for term in terms}

    def ordered(places: list[candidates.Place], scores: list[float]) -> list[Hit]:
        order = sorted(range(len(places)), key=lambda place: -scores[place])
        return hits([places[place] for place in order])

    def words(query: str) -> list[Hit]:
        places, counted, weights = seen(query, by_words=True, by_meaning=False)
        return ordered(places, [ranking.bm25f(candidate, weights) for candidate in counted])

    def vectors(query: str) -> list[Hit]:
        places, counted, _ = seen(query, by_words=False, by_meaning=True)
        return ordered(places, [candidate.cosine for candidate in counted])

    def fused(query: str) -> list[Hit]:
        places, counted, weights = seen(query, by_words=True, by_meaning=True)
        return ordered(places, ranking.fused(counted, weights))

    def full(query: str) -> list[Hit]:
        found = search.find(connection, query, Scope(), ASKED).found
        return hits([one.place for one in found])

    return {"BM25, split and stemmed": words, "vectors": vectors, "fused": fused, "full": full}


def plain_bm25(connection: apsw.Connection) -> System:
    """FTS5's BM25 over the same chunks, words as they are written."""
    memory = apsw.Connection(":memory:")
    memory.execute("CREATE VIRTUAL TABLE plain USING fts5 (body, content = '', tokenize = \"unicode61 tokenchars '_'\")")
    places = candidates.read(
        connection, [place for (place,) in connection.execute("SELECT place_id FROM code_places")], Scope()
    )
    with memory:
        memory.executemany("INSERT INTO plain (rowid, body) VALUES (?, ?)", [(place.place_id, place.text) for place in places])
    by_id = {place.place_id: place for place in places}

    def search(query: str) -> list[Hit]:
        expression = " OR ".join(f'"{word}"' for word in dict.fromkeys(re.findall(r"\w+", query.lower())))
        rows = memory.execute("SELECT rowid FROM plain WHERE plain MATCH ? ORDER BY rank LIMIT ?", (expression, ASKED))
        return [(by_id[row].path, by_id[row].start_line, by_id[row].end_line) for (row,) in rows]

    return search


def semble(root: Path, connection: apsw.Connection) -> dict[str, System]:
    """semble with the same token vectors: on its own chunks, asked for 10 and for 30; its ranking on our chunks and vectors."""
    import numpy as np
    import semble.index.index as semble_index
    from model2vec import StaticModel
    from semble.index.bm25 import BM25
    from semble.index.create import create_index_from_path
    from semble.index.dense import SelectableBasicBackend
    from semble.index.sparse import enrich_for_bm25
    from semble.tokens import tokenize
    from semble.types import Chunk, ContentType
    from vicinity.backends.basic import BasicArgs

    semble_index.save_search_stats = lambda *_, **__: None  # it writes statistics into the home directory
    tokenizer, table = static.read_files()
    model = StaticModel(np.asarray(table, np.float32), tokenizer, normalize=True, max_length=None)
    content = (ContentType.CODE,)
    words, dense, chunks, manifest = create_index_from_path(root, model, content, display_root=root)
    own = semble_index.SembleIndex(model, words, dense, chunks, "x", root=root, content=content, manifest=manifest)

    places = candidates.read(
        connection, [place for (place,) in connection.execute("SELECT place_id FROM code_places")], Scope()
    )
    same = [Chunk(place.text, place.path, place.start_line, place.end_line, place.language) for place in places]
    same_words, names = BM25.empty(), [f"{number}" for number in range(len(same))]
    for name, chunk in zip(names, same, strict=True):
        same_words.add_document(name, tokenize(enrich_for_bm25(chunk)))
    same_words.set_doc_order(names)
    provider = static_code.load()
    vectors = provider.embed([f"{place.symbol or ''}\n{place.text}" for place in places])
    encoded = _AsModel(provider)
    on_ours = semble_index.SembleIndex(
        encoded, same_words, SelectableBasicBackend(vectors, BasicArgs()), same, "x", root=root, content=content, manifest={}
    )

    def asked(searched: Any, count: int) -> System:
        return lambda query: [
            (found.chunk.file_path, found.chunk.start_line, found.chunk.end_line)
            for found in searched.search(query, top_k=count)
        ]

    return {
        "semble (10 results)": asked(own, 10),
        "semble (30 results)": asked(own, ASKED),
        "semble's ranking, our chunks and vectors": asked(on_ours, ASKED),
    }


class _AsModel:
    """Our provider as semble asks a model."""

    def __init__(self, provider: static_code.CodeEmbedding) -> None:
        self._provider = provider

    def encode(self, texts: list[str], **_: object) -> Any:
        return self._provider.embed(texts)
