"""How fast code is found, and what the quantised vectors lose, over indexes of several sizes.

    .venv/bin/python tools/bench/search_code.py [--sizes 60000,200000,1000000] [--queries 200] [--directory DIR]

The chunks are those of the installed packages; beyond their number, copies with other names for their variables and vectors
turned a little. Latency is the whole of a search (`CodeSearch.find`) in a warm process, beside two floors in turn with it:
FTS5's own query of the same words, and one pass over the vectors' bytes. Recall compares the ten nearest with those of the
exact float vectors.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import numpy as np
from measure import figure, table
from place import own_folder

from localfirst.code_index.chunk import CHUNKER, Chunk, chunk_hash
from localfirst.code_index.chunking import cut
from localfirst.code_index.search import quantised
from localfirst.code_index.search.meaning import file_path
from localfirst.code_index.search.query import understood
from localfirst.code_index.search.scope import Scope
from localfirst.code_index.search.search import CodeSearch
from localfirst.code_index.skipped import Skipped
from localfirst.code_index.store import full_text, models
from localfirst.code_index.store.compression import pack
from localfirst.code_index.words import embedding_text, words_of
from localfirst.embedding import static_code
from localfirst.replica.connection import immediate
from localfirst.replica.opening import open_replica
from localfirst.search.extension import ensure_loaded

BATCH = 4_000
CHUNKS_OF_A_FILE = 10
TURNED = 0.35
"""How far a copy's vector is turned from the original: about as far as two functions that do similar things."""

_COLD = """
import sys, time
begin = time.perf_counter()
from pathlib import Path
from localfirst.replica.connection import connect
from localfirst.code_index.search.scope import Scope
from localfirst.code_index.search.search import CodeSearch
from localfirst.embedding import static_code
connection = connect(Path(sys.argv[1]))
found = CodeSearch(connection, lambda model: static_code.load()).find(connection, sys.argv[2], Scope(), 10)
assert found.by_meaning and found.found
print(time.perf_counter() - begin)
"""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="60000,200000,1000000")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--directory", default=".")
    arguments = parser.parse_args()
    with own_folder(arguments.directory) as folder:
        rows: list[tuple[object, ...]] = []
        first: list[tuple[object, ...]] = []
        base = list(chunks_of_packages())
        vectors = static_code.load().embed([embedding_text(chunk) for _, chunk in base])
        for size in map(int, arguments.sizes.split(",")):
            replica = folder / f"{size}.sqlite3"
            exact = filled(replica, size, base, vectors)
            queries = questions(base, arguments.queries)
            rows += [(f"{size:,}", *row) for row in latencies(replica, queries)]
            first.append((f"{size:,}", *first_search(replica), *recall(replica, exact, queries), *memory()))
            del exact
            for path in folder.glob(f"{size}.*"):
                path.unlink()
    print(table("Latency, milliseconds", ("chunks", "what", "median (spread)"), rows))
    headings = ("chunks", "cold, no vector file", "cold", "recall@10", "process's own memory, MB", "shared, MB")
    print(table("First search (seconds), recall, memory", headings, first))


def chunks_of_packages() -> Iterator[tuple[str, Chunk]]:
    """The chunks of the standard library and the installed packages."""
    for kind in ("stdlib", "purelib"):
        base = Path(sysconfig.get_paths()[kind])
        for file in sorted(base.rglob("*.py")):
            if "site-packages" in file.parts and kind == "stdlib":
                continue
            found = cut(str(file.relative_to(base)), file.read_bytes())
            if not isinstance(found, Skipped):
                yield from ((str(file.relative_to(base)), chunk) for chunk in found.chunks)


def filled(path: Path, size: int, base: list[tuple[str, Chunk]], vectors: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A replica with an index of `size` chunks; returns their exact vectors, by chunk id from 1."""
    connection = open_replica(path, None)
    connection.pragma("synchronous", "off")
    ensure_loaded(connection)
    with immediate(connection):
        repository = "INSERT INTO code_repositories (repository_id, root, name, chunker, indexed_at) VALUES (1, ?, ?, ?, ?)"
        connection.execute(repository, ("/bench", "bench", CHUNKER, "2026"))
        models.add(connection, static_code.MODEL, vectors.shape[1])
    [model] = models.kept(connection)
    rnd = np.random.default_rng(1)
    exact = np.empty((size, vectors.shape[1]), np.float32)
    for begin in range(0, size, BATCH):
        end = min(begin + BATCH, size)
        numbers = range(begin, end)
        rows = np.arange(begin, end) % len(base)
        part = vectors[rows]
        if begin >= len(base):
            part = part + rnd.normal(0, TURNED / np.sqrt(part.shape[1]), part.shape).astype(np.float32)
            part /= np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-9)
        exact[begin:end] = part
        packed = quantised(part)
        with immediate(connection):
            _write(connection, numbers, base)
            connection.executemany(
                f"INSERT INTO {model.table} (rowid, embedding) VALUES (?, vec_int8(?))",
                [(number + 1, packed[place].tobytes()) for place, number in enumerate(numbers)],
            )
    with immediate(connection):
        connection.execute("INSERT INTO code_words (code_words) VALUES ('optimize')")
        connection.execute("UPDATE code_models SET generation = 1, active = 1, backlog = 0")
    connection.close()
    return exact


def _write(connection: apsw.Connection, numbers: range, base: list[tuple[str, Chunk]]) -> None:
    files, chunks, places, words = [], [], [], []
    for number in numbers:
        copy, place = divmod(number, len(base))
        path, chunk = base[place]
        if copy:
            path = f"copy{copy}/{path}"
            text = re.sub(r"\b(self|value|name|data|result|key|item)\b", rf"\1_{copy}", chunk.text)
            chunk = Chunk(chunk.start_line, chunk.end_line, text + f"\n# {copy}", chunk.symbol, chunk.kind)
        if number % CHUNKS_OF_A_FILE == 0:
            files.append((number // CHUNKS_OF_A_FILE + 1, f"{path}.{number}", b"", "python"))
        chunks.append((number + 1, chunk_hash(chunk, f"python {number}"), pack(chunk.text)))
        file_id = number // CHUNKS_OF_A_FILE + 1
        places.append((number + 1, file_id, number + 1, chunk.start_line, chunk.end_line, chunk.symbol, chunk.kind))
        words.append((number + 1, *words_of(path, chunk)))
    connection.executemany("INSERT INTO code_files VALUES (?, 1, ?, 0, 0, 0, 0, ?, ?)", files)
    connection.executemany("INSERT INTO code_chunks VALUES (?, ?, ?)", chunks)
    connection.executemany("INSERT INTO code_places VALUES (?, ?, ?, ?, ?, ?, ?)", places)
    full_text.add(connection, words)


def questions(base: list[tuple[str, Chunk]], count: int) -> list[str]:
    """Sentences of docstrings, names, and a few words of a function, in turn."""
    rnd = random.Random(3)
    found: list[str] = []
    while len(found) < count:
        _, chunk = rnd.choice(base)
        sentence = re.search(r'"""([A-Z][^"\n]{20,160})', chunk.text)
        if len(found) % 3 == 0 and sentence is not None:
            found.append(sentence[1])
        elif len(found) % 3 == 1 and chunk.symbol:
            found.append(chunk.symbol)
        elif len(found) % 3 == 2 and (names := re.findall(r"[a-z_]{4,}", chunk.text)):
            found.append(" ".join(rnd.sample(names, min(4, len(names)))))
    return found


def _all_rows(connection: apsw.Connection, query: str, *values: str) -> list[Any]:
    return connection.execute(query, values).fetchall()


def latencies(path: Path, queries: list[str]) -> list[tuple[object, ...]]:
    """Each query once by the whole search, by FTS5 alone, and one pass over the vectors' bytes, in turn."""
    connection = open_replica(path, None)
    search = CodeSearch(connection, lambda model: static_code.load())
    bare = "SELECT rowid FROM code_words WHERE code_words MATCH ? ORDER BY rank LIMIT 10"
    search.find(connection, queries[0], Scope(), 10)
    vectors = file_path(connection, 1)
    assert vectors is not None, "the replica is a file"
    mapped = np.memmap(vectors, np.int64, "r")
    samples: dict[str, list[float]] = {"search": [], "FTS5 alone, the same words": [], "a pass over the vector file": []}
    for query in queries:
        expression = " OR ".join(f'"{word}"' for word in understood(query).terms) or '"x"'
        actions: tuple[Callable[[], object], ...] = (
            partial(search.find, connection, query, Scope(), 10),
            partial(_all_rows, connection, bare, expression),
            mapped.sum,
        )
        for values, action in zip(samples.values(), actions, strict=True):
            begin = time.perf_counter()
            action()
            values.append(time.perf_counter() - begin)
    connection.close()
    return [(name, str(figure(values, 1e3))) for name, values in samples.items()]


def first_search(path: Path) -> tuple[str, str]:
    """Seconds from the first import to the answer in a new process: without the vector file, and with it."""
    for file in path.parent.glob(f"{path.name}-vectors-*"):
        file.unlink()
    times = []
    for _ in range(2):
        command = [sys.executable, "-c", _COLD, str(path), "open a file and read its lines"]
        times.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()[:5])
    return times[0], times[1]


def recall(path: Path, exact: np.ndarray[Any, Any], queries: list[str]) -> tuple[str]:
    """The share of the ten nearest by float vectors that are among the ten nearest by the file's."""
    from localfirst.code_index.search.meaning import MeaningIndex

    connection = open_replica(path, None)
    index = MeaningIndex(lambda model: static_code.load())
    shares = []
    for query in queries:
        meaning = index.compare(connection, query)
        if meaning is None:
            continue
        cosines = exact @ static_code.load().embed([query])[0]
        tenth = np.partition(cosines, -10)[-10]
        found = np.array(meaning.nearest(10)) - 1
        shares.append(float((cosines[found] >= tenth - 1e-6).mean()))
    connection.close()
    return (f"{np.mean(shares):.4f}",)


def memory() -> tuple[str, str]:
    """Of this process, with the exact vectors that only the benchmark has."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except OSError:
        return "", ""
    sizes = {name: int(rest.split()[0]) / 1024 for name, rest in (line.split(":", 1) for line in lines[1:])}
    own = sizes["Private_Clean"] + sizes["Private_Dirty"]
    return f"{own:.0f}", f"{sizes['Shared_Clean'] + sizes['Shared_Dirty']:.0f}"


if __name__ == "__main__":
    main()
