"""What goes wrong in a run: killed processes, full disks, services that are away. Nothing is left half done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing
import pytest
from waiting import until

from code_index.indexing import Indexed, Record, function, module, write
from localfirst.code_index.pipeline import compute
from localfirst.code_index.pipeline.errors import DiskFullError
from localfirst.code_index.pipeline.files import index_files
from localfirst.code_index.pipeline.finish import finish
from localfirst.code_index.pipeline.messages import CutFiles, FilesCut, LeftOut
from localfirst.code_index.pipeline.pool import Pool, PoolUnavailableError
from localfirst.code_index.pipeline.vectors import embed_chunks
from localfirst.code_index.store import files, models, pace, vectors
from localfirst.code_index.store.consistency import check
from localfirst.embedding.provider import EmbeddingProvider, EmbeddingUnavailableError
from localfirst.replica.connection import connect, immediate

CRASHING = """
import localfirst.code_index.chunking as chunking, os, signal
cut = chunking.cut
def crashing(path, content):
    if b"kills its reader" in content:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"confuses its reader" in content:
        raise RecursionError("too deep")
    return cut(path, content)
chunking.cut = crashing
"""

RUN_UNTIL_KILLED = """
import os, signal, sys
from pathlib import Path
from code_index.indexing import Indexed, Record
from localfirst.code_index.pipeline.files import index_files
from localfirst.code_index.pipeline.pool import Pool
replica, root, enough = sys.argv[1:]
pool = Pool(2)
indexed = Indexed(Path(replica), pool)
def reported(record):
    if len(record.paths) >= int(enough):
        print(*pool.pids(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return False
index_files(indexed.connection, pool, indexed.plan(Path(root)), Record(reported))
"""


class Toy:
    """An embedding provider of its own kind: letters counted. It may be away, and tells what it was asked for."""

    is_remote = True

    def __init__(self, model: str = "toy", dimensions: int = 16) -> None:
        self.model, self.dimensions = model, dimensions
        self.is_away = False
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> np.typing.NDArray[np.float32]:
        if self.is_away:
            raise EmbeddingUnavailableError("the service is away; try again later.")
        self.texts += texts
        rows = [[text.count(chr(97 + part)) + 1 for part in range(self.dimensions)] for text in texts]
        found = np.array(rows, np.float32)
        unit: np.typing.NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
        return unit


def many(count: int) -> dict[str, str]:
    return {f"m{number % 7}/{number:03}.py": module([f"f{number}", f"g{number}"]) for number in range(count)}


def test_a_file_that_kills_its_reader_is_left_out_and_the_others_are_not(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "faults").mkdir()
    (tmp_path / "faults" / "sitecustomize.py").write_text(CRASHING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "faults"))
    write(root, {**many(12), "bad.py": "# kills its reader\n", "odd.py": "# confuses its reader\n"})
    with Pool(2) as pool:
        indexed = Indexed(tmp_path / "replica", pool)
        record = indexed.run(root)
        assert record.skipped == {"bad.py": "failed", "odd.py": "failed"}
        assert len(indexed.paths()) == 12
        assert sorted(record.paths) == sorted({*many(12), "bad.py", "odd.py"})
        assert check(indexed.connection) == []
        assert indexed.plan(root).to_read == () or "bad.py" not in indexed.plan(root).to_read or is_young(root / "bad.py")
        indexed.connection.close()


def is_young(path: Path) -> bool:
    """Whether `stat` cannot tell yet that the file did not change."""
    return time.time() - path.stat().st_mtime < 60


def test_processes_that_cannot_start_are_no_fault_of_the_files(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, many(6))
    (tmp_path / "faults").mkdir()
    (tmp_path / "faults" / "sitecustomize.py").write_text("raise SystemExit(1)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "faults"))
    with Pool(1) as pool:
        indexed = Indexed(tmp_path / "replica", pool)
        with pytest.raises(PoolUnavailableError, match="cannot be started"):
            indexed.run(root)
        assert indexed.counts()["code_left_out"] == 0
        indexed.connection.close()


def test_processes_killed_from_outside_are_replaced(indexed: Indexed, root: Path, fresh: Callable[[], Indexed]) -> None:
    write(root, many(60))
    with Pool(2) as pool:
        indexed.pool = pool
        killed: list[int] = []

        def kill_now_and_then(record: Record) -> bool:
            if len(killed) < 3 and len(record.paths) >= 12 * (len(killed) + 1):
                for pid in [pid for pid in pool.pids() if pid not in killed][:1]:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
            return False

        record = indexed.run(root, record=Record(kill_now_and_then))
    assert len(killed) >= 2
    assert record.skipped == {}
    other = fresh()
    other.run(root)
    assert indexed.contents(root) == other.contents(root)


def test_after_a_kill_of_everything_the_rest_is_done_and_the_processes_are_gone(
    indexed: Indexed, root: Path, fresh: Callable[[], Indexed]
) -> None:
    files = many(80)
    write(root, files)
    indexed.run(root, force=True)
    write(root, {name: text.replace("argument", "parameter") for name, text in files.items()})
    replica = indexed.connection.filename
    command = [sys.executable, "-c", RUN_UNTIL_KILLED, replica, str(root), "25"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    killed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    children = [int(pid) for pid in killed.stdout.split()]
    assert children
    until(lambda: not any(is_alive(pid) for pid in children), 30, "the end of the computing processes")
    assert check(indexed.connection) == []
    done_twice = Record()
    indexed.run(root, record=done_twice)
    assert done_twice.total("indexed") <= 80 - 25
    other = fresh()
    other.run(root)
    assert indexed.contents(root) == other.contents(root)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_stopped_run_goes_on_with_what_is_left(indexed: Indexed, root: Path) -> None:
    write(root, many(60))
    plan = indexed.plan(root)
    record = Record(stop_when=lambda record: len(record.paths) >= 10)
    assert not index_files(indexed.connection, indexed.pool, plan, record)
    assert 10 <= len(record.paths) < 60
    assert indexed.paths() == record.paths
    assert check(indexed.connection) == []
    rest = plan.only(set(plan.to_read) - set(record.paths))
    again = Record()
    assert index_files(indexed.connection, indexed.pool, rest, again)
    assert sorted([*record.paths, *again.paths]) == sorted(many(60))


def test_what_a_job_notes_is_written_with_the_files_or_not_at_all(indexed: Indexed, root: Path) -> None:
    write(root, many(20))

    class Failing(Record):
        def files_done(self, connection: object, done: object) -> None:
            raise RuntimeError("the job's own write failed")

    with pytest.raises(RuntimeError, match="own write"):
        index_files(indexed.connection, indexed.pool, indexed.plan(root), Failing())
    assert set(indexed.counts().values()) == {0}


def test_a_full_disk_stops_the_run_and_leaves_no_half_file(indexed: Indexed, root: Path) -> None:
    write(root, many(60))
    plan = indexed.plan(root)
    pages = indexed.connection.pragma("page_count")
    indexed.connection.pragma("max_page_count", pages + 8)
    with pytest.raises(DiskFullError):
        index_files(indexed.connection, indexed.pool, plan, Record())
    assert check(indexed.connection) == []
    indexed.connection.pragma("max_page_count", 1_000_000)
    indexed.run(root)
    assert len(indexed.paths()) == 60


def test_a_file_that_cannot_be_read_keeps_what_the_index_has(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, {"a.py": "x = 1\n"})

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    answer = compute.answer(CutFiles(os.fsencode(root), [("a.py", b"")]))
    assert isinstance(answer, FilesCut)
    [outcome] = answer.outcomes
    assert isinstance(outcome, LeftOut)
    assert (outcome.skipped.rule, outcome.keeps_old) == ("unreadable", True)
    assert outcome.seen is not None


def test_while_the_service_is_away_vectors_wait(indexed: Indexed, root: Path) -> None:
    write(root, many(10))
    toy = Toy()
    toy.is_away = True
    with pytest.raises(EmbeddingUnavailableError):
        indexed.run(root, provider=toy)
    assert indexed.count("code_unembedded") == indexed.count("code_chunks") > 0
    toy.is_away = False
    indexed.run(root, provider=toy)
    assert indexed.count("code_unembedded") == 0
    assert check(indexed.connection) == []


def test_a_new_model_takes_over_when_it_is_complete(indexed: Indexed, root: Path) -> None:
    write(root, many(10))
    indexed.run(root, provider=Toy("old", 16))
    new = Toy("new", 24)
    record = Record(stop_when=lambda record: record.embedded > 0)
    assert not embed_chunks(indexed.connection, indexed.pool, new, record) or record.embedded == len(new.texts)
    new.is_away = True
    write(root, {"more.py": module(["more"])})
    with pytest.raises(EmbeddingUnavailableError):
        indexed.run(root, provider=new)
    assert active(indexed) == "old"
    assert check(indexed.connection) == []
    new.is_away = False
    indexed.run(root, provider=new)
    assert active(indexed) == "new"
    assert [model.model for model in models.kept(indexed.connection)] == ["new"]
    assert indexed.count("code_models") == 1
    assert "code_vectors_1" not in {name for (name,) in indexed.connection.execute("SELECT name FROM sqlite_schema")}
    assert check(indexed.connection) == []
    assert len(new.texts) == len(set(new.texts)) == indexed.count("code_chunks")


def active(indexed: Indexed) -> str:
    return str(indexed.connection.execute("SELECT model FROM code_models WHERE active = 1").get)


def test_going_back_to_the_old_model_costs_nothing(indexed: Indexed, root: Path) -> None:
    write(root, many(10))
    old, new = Toy("old"), Toy("new")
    indexed.run(root, provider=old)
    new.is_away = True
    with pytest.raises(EmbeddingUnavailableError):
        indexed.run(root, provider=new)
    texts = len(old.texts)
    indexed.run(root, provider=old)
    assert len(old.texts) == texts
    assert indexed.count("code_models") == 1
    assert check(indexed.connection) == []


def test_vectors_that_the_team_has_are_not_computed_again(indexed: Indexed, root: Path) -> None:
    write(root, many(10))

    class Half:
        def __init__(self) -> None:
            self.asked: list[bytes] = []

        def fetch(self, model: str, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
            assert model == "toy"
            self.asked += hashes
            return {chunk_hash: bytes([1] * 16) for chunk_hash in hashes[::2]}

    toy, half = Toy(), Half()
    record = indexed.run(root, provider=toy, shared=half)
    assert len(half.asked) == indexed.count("code_chunks")
    assert record.fetched == len(half.asked[::2])
    assert len(toy.texts) == len(half.asked) - record.fetched
    assert check(indexed.connection) == []


def test_runs_at_the_same_time_embed_no_chunk_twice(indexed: Indexed, tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("one", "two", "three")]
    for root in roots:
        write(root, {**many(25), f"{root.name}.py": module([root.name])})
    toy = Toy()
    failures: list[BaseException] = []

    def run(root: Path) -> None:
        own = Indexed.__new__(Indexed)
        own.connection, own.pool = connect(Path(indexed.connection.filename)), indexed.pool
        try:
            own.run(root, provider=toy)
        except BaseException as error:
            failures.append(error)
        finally:
            own.connection.close()

    threads = [threading.Thread(target=run, args=(root,)) for root in roots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    assert len(toy.texts) == len(set(toy.texts)) == indexed.count("code_chunks")
    assert check(indexed.connection) == []
    assert not indexed.pool.claimed


def test_room_that_deleted_vectors_leave_is_closed(indexed: Indexed, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "BLOCK", 16)
    provider: EmbeddingProvider = Toy()
    write(root, many(80))
    indexed.run(root, provider=provider)
    for path in sorted(root.rglob("*.py"))[::2]:
        path.unlink()
    todo = indexed.plan(root)
    assert index_files(indexed.connection, indexed.pool, todo, Record())
    [model] = models.kept(indexed.connection)
    assert vectors.holes(indexed.connection, model) > vectors.MAX_HOLES
    before = indexed.contents(root)
    assert finish(indexed.connection, todo, Record())
    assert vectors.holes(indexed.connection, model) <= vectors.MAX_HOLES
    assert indexed.contents(root) == before
    assert check(indexed.connection) == []


def test_the_check_can_fail(indexed: Indexed, root: Path) -> None:
    write(root, {"a.py": function("first")})
    indexed.run(root)
    indexed.connection.execute("DELETE FROM code_chunks")
    wrong = " ".join(check(indexed.connection))
    assert "places without a chunk" in wrong
    assert "without a chunk" in wrong


@pytest.fixture
def small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is large begins at six chunks, and a transaction holds eight."""
    monkeypatch.setattr(files, "LARGE", 6)
    monkeypatch.setattr(pace, "MOST", pace.LEAST)


@pytest.mark.usefixtures("small_transactions")
def test_a_large_file_appears_at_once_or_not_at_all(indexed: Indexed, root: Path, fresh: Callable[[], Indexed]) -> None:
    write(root, {"large.py": module([f"f{number}" for number in range(60)]), "small.py": module(["small"])})
    stopped = Record(stop_when=lambda record: indexed.count("code_unfinished") > 0 and indexed.count("code_places") > 8)
    assert not index_files(indexed.connection, indexed.pool, indexed.plan(root), stopped)
    assert "large.py" not in indexed.paths()
    assert check(indexed.connection) == []
    indexed.run(root)
    assert len(indexed.places("large.py")) == 60
    assert indexed.count("code_unfinished") == 0
    assert check(indexed.connection) == []
    write(root, {"large.py": module([f"g{number}" for number in range(70)])})
    indexed.run(root)
    other = fresh()
    other.run(root)
    assert indexed.contents(root) == other.contents(root)
    assert indexed.counts() == other.counts()


@pytest.mark.usefixtures("small_transactions")
def test_a_large_file_that_is_deleted_leaves_nothing(indexed: Indexed, root: Path) -> None:
    write(root, {"large.py": module([f"f{number}" for number in range(40)])})
    indexed.run(root)
    (root / "large.py").unlink()
    assert indexed.run(root).total("deleted") == 1
    assert set(indexed.counts().values()) == {0}


@pytest.mark.usefixtures("small_transactions")
def test_of_a_large_file_a_small_change_is_written_as_one(indexed: Indexed, root: Path) -> None:
    names = [f"f{number}" for number in range(40)]
    write(root, {"large.py": module(names)})
    indexed.run(root)
    before = {place[0] for place in indexed.places("large.py")}
    write(root, {"large.py": module(["new", *names])})
    assert indexed.run(root).embedded == 1
    assert len(before & {place[0] for place in indexed.places("large.py")}) == 40
    assert check(indexed.connection) == []


def test_people_write_all_the_while(indexed: Indexed, root: Path) -> None:
    write(root, many(60))
    is_over = threading.Event()
    written: list[int] = []
    failures: list[BaseException] = []

    def work() -> None:
        connection = connect(Path(indexed.connection.filename))
        try:
            connection.execute("CREATE TABLE notes (note TEXT)")
            while not is_over.wait(0.01):
                with immediate(connection):
                    connection.execute("INSERT INTO notes (note) VALUES ('written meanwhile')")
                written.append(1)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    person = threading.Thread(target=work)
    person.start()
    indexed.run(root)
    is_over.set()
    person.join()
    assert failures == []
    assert indexed.count("notes") == len(written) > 0
    assert check(indexed.connection) == []
