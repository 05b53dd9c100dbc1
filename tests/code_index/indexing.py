"""A replica whose code index can be filled, looked at, and compared with another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw

from localfirst.code_index.file_name import as_text
from localfirst.code_index.pipeline.files import index_files
from localfirst.code_index.pipeline.finish import finish
from localfirst.code_index.pipeline.plan import Plan, plan
from localfirst.code_index.pipeline.pool import Pool
from localfirst.code_index.pipeline.report import Done, Embedded
from localfirst.code_index.pipeline.vectors import SharedVectors, embed_chunks
from localfirst.code_index.store import models
from localfirst.code_index.store.compression import unpack
from localfirst.embedding.provider import EmbeddingProvider
from localfirst.embedding.static_code import load as load_for_code
from localfirst.replica.opening import open_replica
from localfirst.search.extension import ensure_loaded


class Record:
    """A progress that remembers what it was called with, and may ask to stop."""

    def __init__(self, stop_when: Callable[[Record], bool] = lambda record: False) -> None:
        self.done: list[Done] = []
        self.embedded = self.fetched = 0
        self._stop_when = stop_when

    @property
    def paths(self) -> list[str]:
        return sorted(path for done in self.done for path in done.paths)

    def total(self, name: str) -> int:
        return sum(getattr(done, name) for done in self.done)

    @property
    def skipped(self) -> dict[str, str]:
        return {skipped.path: skipped.rule.value for done in self.done for skipped in done.skipped}

    def should_stop(self) -> bool:
        return self._stop_when(self)

    def files_done(self, connection: apsw.Connection, done: Done) -> None:
        assert connection.in_transaction
        self.done.append(done)

    def chunks_queued(self, count: int) -> None:
        pass

    def chunks_done(self, connection: apsw.Connection, done: Embedded) -> None:
        assert connection.in_transaction
        self.embedded += done.chunks
        self.fetched += done.fetched


class Indexed:
    """A replica with a code index."""

    def __init__(self, path: Path, pool: Pool) -> None:
        self.connection = open_replica(path, None)
        self.pool = pool

    def plan(self, root: Path, *, force: bool = False) -> Plan:
        return plan(self.connection, root, root.name, force=force)

    def run(
        self,
        root: Path,
        *,
        force: bool = False,
        record: Record | None = None,
        provider: EmbeddingProvider | None = None,
        shared: SharedVectors | None = None,
    ) -> Record:
        """A whole run, which must not be stopped."""
        record = record or Record()
        todo = self.plan(root, force=force)
        assert index_files(self.connection, self.pool, todo, record)
        assert embed_chunks(
            self.connection, self.pool, provider or load_for_code(), record, shared, repository_id=todo.repository_id
        )
        assert finish(self.connection, todo, record)
        return record

    def count(self, table: str) -> int:
        ensure_loaded(self.connection)
        return int(self.connection.execute(f"SELECT count(*) FROM {table}").get)

    def counts(self) -> dict[str, int]:
        """Rows of each table that holds content."""
        tables = [
            "code_files",
            "code_unfinished",
            "code_left_out",
            "code_places",
            "code_chunks",
            "code_words_docsize",
            "code_unembedded",
            "code_released",
        ]
        tables += [f"{model.table}_rowids" for model in models.kept(self.connection)]
        return {table: self.count(table) for table in tables}

    def paths(self) -> list[str]:
        return [path for (path,) in self.connection.execute("SELECT path FROM code_files ORDER BY path")]

    def places(self, path: str) -> list[tuple[Any, ...]]:
        query = "SELECT place_id, start_line, symbol FROM code_places JOIN code_files USING (file_id) WHERE path = ? ORDER BY 2"
        return list(self.connection.execute(query, (path,)))

    def contents(self, root: Path) -> set[tuple[Any, ...]]:
        """Everything a search could find of a repository, without the ids that the order of writing decides."""
        ensure_loaded(self.connection)
        [model] = [model for model in models.kept(self.connection) if model.active == models.ACTIVE]
        vectors = dict(self.connection.execute(f"SELECT rowid, embedding FROM {model.table}"))
        words = self._words()
        query = """
            SELECT f.path, f.content_hash, f.language, p.start_line, p.end_line, p.symbol, p.kind, c.chunk_hash, c.text,
                c.chunk_id, p.place_id
            FROM code_repositories AS r JOIN code_files AS f USING (repository_id) JOIN code_places AS p USING (file_id)
            JOIN code_chunks AS c USING (chunk_id) WHERE r.root = ?
        """
        found = set()
        for *place, text, chunk_id, place_id in self.connection.execute(query, (as_text(str(root)),)):
            found.add((*place, unpack(text), vectors[chunk_id], words[place_id]))
        return found

    def _words(self) -> dict[int, tuple[Any, ...]]:
        """Place id → its terms with column and offset, as full text has them."""
        self.connection.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.words USING fts5vocab(main, code_words, instance)")
        words: dict[int, list[Any]] = {}
        for term, doc, column, offset in self.connection.execute("SELECT term, doc, col, offset FROM temp.words"):
            words.setdefault(doc, []).append((column, offset, term))
        return {doc: tuple(sorted(terms)) for doc, terms in words.items()}


def function(name: str, lines: int = 6, word: str = "value") -> str:
    """A Python function that is a chunk of its own."""
    body = "".join(f"    {word}_{line} = {name}_{line} + {line}\n" for line in range(lines))
    return f"def {name}(argument):\n    {name!r}\n{body}    return {word}_0\n"


def module(names: Sequence[str], lines: int = 25) -> str:
    """A Python module with these functions."""
    return "\n\n".join(function(name, lines) for name in names)


def write(root: Path, files: dict[str, str]) -> None:
    """Writes files, with their folders."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
