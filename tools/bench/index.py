"""How fast a repository is indexed, beside the floor of the same work, and what it costs others meanwhile.

    .venv/bin/python tools/bench/index.py [--repository DIR | --files 15000 --lines 3000000] [--directory DIR]

The floor does in the same run what the engine has to do, without what makes it an engine: two processes that read, hash, cut
and embed, one that inserts in large transactions; nothing is resumable, nobody else may write, nothing is looked up. Before the
engine and beside it, a process updates a work item twenty times a second.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec
from measure import figure, table, timed
from place import own_folder

from localfirst.code_index.pipeline import compute
from localfirst.code_index.pipeline.files import index_files
from localfirst.code_index.pipeline.finish import finish
from localfirst.code_index.pipeline.messages import CutFiles, EmbedChunks, FilesCut, decode_answer, encode
from localfirst.code_index.pipeline.plan import plan
from localfirst.code_index.pipeline.pool import Pool
from localfirst.code_index.pipeline.report import Done, Embedded
from localfirst.code_index.pipeline.vectors import embed_chunks
from localfirst.code_index.scan import scan
from localfirst.code_index.store import full_text, models
from localfirst.code_index.store.consistency import check
from localfirst.code_index.store.cut_file import CutFile
from localfirst.code_index.store.differences import content_hash
from localfirst.code_index.store.transaction import prepare
from localfirst.code_index.worker.__main__ import NICENESS
from localfirst.embedding.static_code import load as load_for_code
from localfirst.replica.opening import open_replica
from localfirst.search.extension import ensure_loaded

PROCESSES = 2
IDLE_S = 5.0

FLOOR_FILES, FLOOR_CHUNKS = 64, 1024
"""Per task of the floor."""

FLOOR_TRANSACTION = 4096
"""Chunks per transaction of the floor."""


class Meter:
    """A report that only counts."""

    def __init__(self) -> None:
        self.files = self.chunks = self.embedded = 0

    def should_stop(self) -> bool:
        return False

    def files_done(self, connection: apsw.Connection, done: Done) -> None:
        self.files += done.indexed
        self.chunks += done.chunks

    def chunks_queued(self, count: int) -> None:
        pass

    def chunks_done(self, connection: apsw.Connection, done: Embedded) -> None:
        self.embedded += done.chunks


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repository", type=Path, help="an existing tree, which is copied (default: one is generated)")
    parser.add_argument("--files", type=int, default=15_000)
    parser.add_argument("--lines", type=int, default=3_000_000)
    parser.add_argument("--directory", type=Path, default=Path(), help="where files are made (default: here)")
    parser.add_argument("--only", default="floor,engine")
    parser.add_argument("--writer", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.writer:
        update_until_reported(arguments.writer)
        return
    with own_folder(arguments.directory) as folder:
        root = (
            copy(folder, arguments.repository) if arguments.repository else generate(folder, arguments.files, arguments.lines)
        )
        parts = arguments.only.split(",")
        floor_rows = measure_floor(folder, root) if "floor" in parts else {}
        rows = measure_engine(folder, root, floor_rows) if "engine" in parts else {}
        print(table(f"Indexing {root.name}", ("what", "value"), [*floor_rows.items(), *rows.items()]))


def generate(folder: Path, files: int, lines: int) -> Path:
    """The large repository."""
    program = Path(__file__).parents[1] / "generate_repository.py"
    root = folder / "repository"
    subprocess.run([sys.executable, program, "--files", str(files), "--lines", str(lines), "--seed", "1", root], check=True)
    for path in root.rglob("*"):  # what was written just now has to be read again by the next run
        os.utime(path, (time.time() - 60, time.time() - 60), follow_symlinks=False)
    return root


def copy(folder: Path, repository: Path) -> Path:
    """The tree with its times; files are changed in it."""
    return Path(shutil.copytree(repository, folder / repository.name, symlinks=True))


# The floor.


def measure_floor(folder: Path, root: Path) -> dict[str, Any]:
    """Seconds of each stage alone, and of all of them together."""
    rows: dict[str, Any] = {}
    begin = time.perf_counter()
    paths = [file.path for file in scan(root).files]
    rows["floor: scan, s"] = round(time.perf_counter() - begin, 2)
    rows["floor: read and hash, s"] = round(timed(lambda: [content_hash((root / path).read_bytes()) for path in paths]), 2)
    parts = [paths[start : start + FLOOR_FILES] for start in range(0, len(paths), FLOOR_FILES)]
    tasks = [encode(CutFiles(os.fsencode(root), [(path, b"") for path in part])) for part in parts]
    connection = open_replica(folder / "floor.sqlite3", None)
    prepare(connection)
    connection.pragma("wal_autocheckpoint", 10_000)
    ensure_loaded(connection)
    begin = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        inserter = Inserter(connection)
        for answer in pool.imap_unordered(compute_frame, tasks):
            inserter.add(decode_answer(answer))
        inserter.flush()
        rows["floor: read, hash, cut, insert: full text, s"] = round(time.perf_counter() - begin, 2)
        second = time.perf_counter()
        for rowids, answer in pool.imap_unordered(embed_frame, inserter.unembedded()):
            inserter.add_vectors(rowids, decode_answer(answer).vectors)
        inserter.flush()
        rows["floor: embed, insert, s"] = round(time.perf_counter() - second, 2)
    rows["floor: all, s"] = round(time.perf_counter() - begin + rows["floor: scan, s"], 2)
    connection.close()
    return rows


def compute_frame(frame: bytes) -> bytes:
    """In a process of the floor."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return encode(compute.cut_files(msgspec.msgpack.decode(frame, type=CutFiles)))


def embed_frame(task: tuple[list[int], bytes]) -> tuple[list[int], bytes]:
    """In a process of the floor."""
    return task[0], encode(compute.embed_chunks(msgspec.msgpack.decode(task[1], type=EmbedChunks)))


class Inserter:
    """Rows into the tables, many at a time, as if nothing were there yet."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._provider = load_for_code()
        models.add(connection, self._provider.model, self._provider.dimensions)
        found = models.find(connection, self._provider.model)
        assert found is not None
        self._model = found
        self._ids: dict[bytes, int] = {}
        self._files: list[Any] = []
        self._chunks: list[Any] = []
        self._places: list[Any] = []
        self._words: list[Any] = []
        self._vectors: list[Any] = []
        self._file_id = self._place_id = 0

    def add(self, answer: Any) -> None:
        assert isinstance(answer, FilesCut)
        for file in answer.outcomes:
            if isinstance(file, CutFile):
                self._add_file(file)
        if len(self._places) >= FLOOR_TRANSACTION:
            self.flush()

    def _add_file(self, file: CutFile) -> None:
        self._file_id += 1
        self._files.append((self._file_id, file.path, *msgspec.structs.astuple(file.seen), file.content_hash, file.language))
        for piece in file.pieces:
            chunk_id = self._ids.setdefault(piece.chunk_hash, len(self._ids) + 1)
            if chunk_id == len(self._ids):
                self._chunks.append((chunk_id, piece.chunk_hash, piece.packed))
            self._place_id += 1
            place = (self._place_id, self._file_id, chunk_id, piece.start_line, piece.end_line, piece.symbol, piece.kind)
            self._places.append(place)
            self._words.append((self._place_id, piece.symbol_words, piece.path_words, piece.body_words))

    def flush(self) -> None:
        with self._connection:
            many = self._connection.executemany
            many("INSERT INTO code_files VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?)", self._files)
            many("INSERT OR IGNORE INTO code_chunks VALUES (?, ?, ?)", self._chunks)
            many("INSERT INTO code_places VALUES (?, ?, ?, ?, ?, ?, ?)", self._places)
            full_text.add(self._connection, self._words)
            many(f"INSERT INTO {self._model.table} (rowid, embedding) VALUES (?, vec_int8(?))", self._vectors)
        for rows in (self._files, self._chunks, self._places, self._words, self._vectors):
            rows.clear()

    def unembedded(self) -> Iterator[tuple[list[int], bytes]]:
        query = """
            SELECT c.chunk_id, p.symbol, p.kind, c.text FROM code_chunks AS c JOIN code_places AS p USING (chunk_id)
            GROUP BY c.chunk_id ORDER BY c.chunk_id
        """
        rows: list[Any] = self._connection.execute(query).fetchall()
        for start in range(0, len(rows), FLOOR_CHUNKS):
            part = rows[start : start + FLOOR_CHUNKS]
            yield [row[0] for row in part], encode(EmbedChunks(self._provider.model, [row[1:] for row in part]))

    def add_vectors(self, rowids: list[int], vectors: list[bytes]) -> None:
        self._vectors += zip(rowids, vectors, strict=True)
        if len(self._vectors) >= FLOOR_TRANSACTION:
            self.flush()


# The engine.


def measure_engine(folder: Path, root: Path, floor: dict[str, Any]) -> dict[str, Any]:
    """A whole run, a run without changes, a run after one change; what they cost."""
    replica = folder / "engine.sqlite3"
    connection = open_replica(replica, None)
    alone = start_updating(replica)
    time.sleep(IDLE_S)
    before = latencies(alone)
    writer = start_updating(replica)
    rows: dict[str, Any] = {}
    meter = Meter()
    os.nice(NICENESS)  # as the worker's process
    with Pool(PROCESSES) as pool:
        memory = Memory(pool)
        begin = time.perf_counter()
        todo = plan(connection, root, root.name)
        rows["engine: scan and plan, s"] = round(time.perf_counter() - begin, 2)
        index_files(connection, pool, todo, meter)
        rows["engine: full text searchable after, s"] = round(time.perf_counter() - begin, 2)
        embed_chunks(connection, pool, load_for_code(), meter, repository_id=todo.repository_id)
        rows["engine: vectors after, s"] = round(time.perf_counter() - begin, 2)
        finish(connection, todo, meter)
        total = time.perf_counter() - begin
        rows["engine: all, s"] = round(total, 2)
        if floor:
            rows["ratio floor : engine"] = round(floor["floor: all, s"] / total, 2)
        rows["full text : all"] = round(rows["engine: full text searchable after, s"] / total, 2)
        rows["memory of all processes at its peak, MB (shared pages counted once)"] = round(memory.stop())
        updates = latencies(writer)
        rows["update of a work item before, ms"] = str(figure(before, 1000))
        rows["update of a work item meanwhile, ms"] = str(figure(updates, 1000))
        rows["files, chunks, embedded"] = f"{meter.files:,}, {meter.chunks:,}, {meter.embedded:,}"
        rows["bytes per 1,000 chunks"] = f"{size(connection) / meter.chunks * 1000:,.0f}"
        rows["  of which"] = sizes(connection, meter.chunks)
        again = figure([timed(lambda: whole(connection, pool, root)) for _ in range(5)])
        rows["nothing changed, s"] = str(again)
        changed = [change(root, number) for number in range(5)]
        rows["one changed file, s"] = str(figure([after(act, connection, pool, root) for act in changed]))
    rows["check"] = check(connection) or "agrees"
    connection.close()
    return rows


def whole(connection: apsw.Connection, pool: Pool, root: Path) -> None:
    """A run from its plan to its end."""
    meter = Meter()
    todo = plan(connection, root, root.name)
    index_files(connection, pool, todo, meter)
    embed_chunks(connection, pool, load_for_code(), meter, repository_id=todo.repository_id)
    finish(connection, todo, meter)


def after(act: Callable[[], None], connection: apsw.Connection, pool: Pool, root: Path) -> float:
    """Seconds of a run after a change."""
    act()
    return timed(lambda: whole(connection, pool, root))


def change(root: Path, number: int) -> Callable[[], None]:
    """Adds functions to one of the tree's files."""
    path = root / sorted(file.path for file in scan(root).files if file.path.endswith(".py"))[number]

    def act() -> None:
        with path.open("a") as file:
            file.write("\n\n".join(f"def added_{number}_{part}(x):\n    return x + {part}\n" for part in range(10)))

    return act


def size(connection: apsw.Connection) -> int:
    """Bytes in use."""
    return int((connection.pragma("page_count") - connection.pragma("freelist_count")) * connection.pragma("page_size"))


def sizes(connection: apsw.Connection, chunks: int) -> str:
    """Bytes per 1,000 chunks of each group of tables."""
    groups = {"text": "code_chunks", "full text": "code_words%", "vectors": "code_vectors%", "places": "code_places%"}
    query = "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name LIKE ? OR name LIKE 'sqlite_autoindex_' || ?"
    return ", ".join(
        f"{name} {connection.execute(query, (pattern, pattern)).get / chunks * 1000:,.0f}" for name, pattern in groups.items()
    )


class Memory(threading.Thread):
    """Looks at the processes' memory twice a second; pages that several share are counted once."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(daemon=True)
        self._pool = pool
        self._peak = 0.0
        self._is_over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._is_over.wait(0.5):
            self._peak = max(self._peak, sum(map(_proportional_mb, [os.getpid(), *self._pool.pids()])))

    def stop(self) -> float:
        self._is_over.set()
        self.join()
        return self._peak


def _proportional_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def update_until_reported(replica: Path) -> None:
    """In a process of its own: updates a work item until its input ends, then prints the latencies."""
    from localfirst.client.session import Session
    from localfirst.operations.registry import BY_NAME
    from localfirst.settings import load

    environment = {"LOCALFIRST_REPLICA": str(replica), "LOCALFIRST_CLIENT": "bench"}
    session = Session(load(replica.parent, environment))
    create, update = BY_NAME["create_work_item"], BY_NAME["update_work_item"]
    item = create.run(session, create.arguments.model_validate({"item_type": "task", "title": "Measured"}))
    samples: list[float] = []
    reported = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        reported.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    print("ready", flush=True)
    while not reported.wait(0.05):
        begin = time.perf_counter()
        changed = {"id": item["id"], "version": item["version"], "title": f"Measured {len(samples)}"}
        item = update.run(session, update.arguments.model_validate(changed))
        samples.append(time.perf_counter() - begin)
    session.close()
    print(*samples, flush=True)


def start_updating(replica: Path) -> subprocess.Popen[bytes]:
    """A process that updates a work item, when it has begun."""
    command = [sys.executable, __file__, "--writer", str(replica)]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    return writer


def latencies(writer: subprocess.Popen[bytes]) -> list[float]:
    """What the updating process has measured."""
    out, _ = writer.communicate()
    return [float(sample) for sample in out.split()]


if __name__ == "__main__":
    main()
