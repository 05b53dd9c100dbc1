"""A worker takes out what is left of removed work trees, and survives its end in the middle of one."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import psutil
import psycopg
import pytest
from waiting import until

from code_index.test_work_trees import committed, git, hits_at, work_tree
from code_index.workers import no_worker_left, processes, repository
from localfirst import settings
from localfirst.code_index.jobs import table
from localfirst.code_index.store import repositories
from localfirst.code_index.store.consistency import check
from localfirst.code_index.worker import start
from localfirst.replica.connection import connect, immediate
from localfirst.replica.opening import open_replica
from localfirst.settings import Settings

_PLACES = """
    SELECT r.root, f.path, f.content_hash, p.start_line, p.end_line, p.symbol, c.chunk_hash
    FROM code_repositories AS r JOIN code_files AS f USING (repository_id) JOIN code_places AS p USING (file_id)
    JOIN code_chunks AS c USING (chunk_id)
"""
_WITHOUT_VECTOR = "SELECT count(*) FROM code_unembedded"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], Settings]:
    def made(url: str | None) -> Settings:
        for name in ("DATA", "STATE", "CACHE", "CONFIG"):
            monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
        monkeypatch.setenv("LOCALFIRST_REPLICA", str(tmp_path / "replica.sqlite3"))
        monkeypatch.setenv("LOCALFIRST_PROJECT", "team/board")
        if url is None:
            monkeypatch.delenv("LOCALFIRST_DATABASE_URL", raising=False)
        else:
            monkeypatch.setenv("LOCALFIRST_DATABASE_URL", url)
        (tmp_path / "project").mkdir(exist_ok=True)
        found = settings.load(tmp_path / "project")
        open_replica(found.replica, found.project).close()
        return found

    return made


@pytest.fixture
def here(project: Callable[[str | None], Settings]) -> Iterator[Settings]:
    found = project(None)
    with no_worker_left(found.replica):
        yield found


@pytest.fixture
def replica(here: Settings) -> Iterator[apsw.Connection]:
    connection = connect(here.replica)
    yield connection
    connection.close()


@pytest.fixture
def main(tmp_path: Path) -> Path:
    return committed(repository((tmp_path / "code").resolve(), files=300), {})


def ask(replica: apsw.Connection, root: Path) -> str:
    with immediate(replica):
        name = repositories.usual_name(replica, root)
        return table.create_or_join(replica, root, name, force=False, estimated_seconds=1.0)[0].job_id


def indexed(here: Settings, replica: apsw.Connection, root: Path) -> None:
    """Asks for a job, and waits for its end."""
    job_id = ask(replica, root)

    def is_done() -> bool:
        start.ensure(here)
        return table.find(replica, job_id).status == "completed"

    until(is_done, 90, "the end of the job")


def content(replica: apsw.Connection) -> Counter[Any]:
    return Counter(replica.execute(_PLACES))


def kill_all(replica: Path) -> None:
    for process in processes(replica):
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    until(lambda: not processes(replica), 20, "the end of everything")


def started(here: Settings) -> bool:
    """Whether there is a worker: as one was just killed, another is started without the pause of clients."""
    start._started_at.clear()
    start.ensure(here)
    return bool(processes(here.replica))


def roots(replica: apsw.Connection) -> set[str]:
    return {one.root for one in repositories.every(replica)}


def test_a_search_has_a_worker_take_out_what_is_left(
    here: Settings, replica: apsw.Connection, main: Path, tmp_path: Path
) -> None:
    indexed(here, replica, main)
    before = content(replica)
    tree = work_tree(main, (tmp_path / "feature").resolve())
    (tree / "only.py").write_text("def kingfisher(bird):\n    return bird\n")
    indexed(here, replica, tree)
    assert {one.name for one in repositories.every(replica)} == {main.name}, "they are one repository"
    until(lambda: not processes(here.replica), 30, "the worker to have nothing to do")
    git(main, "worktree", "remove", "--force", str(tree))
    assert "kingfisher" not in {symbol for *_, symbol in hits_at(here, main, replica, "kingfisher")}
    until(lambda: roots(replica) == {str(main)}, 30, "the worker to take it out")
    until(lambda: not replica.execute("SELECT EXISTS (SELECT 1 FROM code_released)").get, 30, "its chunks to go")
    assert content(replica) == before
    assert check(replica) == []


def test_a_job_takes_along_what_is_left_of_a_removed_tree(
    here: Settings, replica: apsw.Connection, main: Path, tmp_path: Path
) -> None:
    indexed(here, replica, main)
    tree = work_tree(main, (tmp_path / "feature").resolve())
    indexed(here, replica, tree)
    shutil.rmtree(tree)
    indexed(here, replica, main)
    until(lambda: roots(replica) == {str(main)}, 30, "the worker to take it out")


@pytest.mark.parametrize("seed", [3, 4])
def test_kills_in_the_middle_of_a_work_tree_leave_the_same_index(
    here: Settings, replica: apsw.Connection, main: Path, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    indexed(here, replica, main)
    tree = work_tree(main, (tmp_path / "feature").resolve())
    for number, path in enumerate(sorted(tree.rglob("*.py"))):
        if number % 3 == 0:
            path.write_text(path.read_text() + f"\n\ndef added_{number}(value: int) -> int:\n    return value + {number}\n")
    of_main = Counter({place: count for place, count in content(replica).items() if place[0] == str(main)})
    job_id = ask(replica, tree)
    for _ in range(3):
        until(lambda: started(here), 20, "a worker")
        time.sleep(chance.uniform(0.1, 1.5))
        kill_all(here.replica)
    start._started_at.clear()

    def is_done() -> bool:
        start.ensure(here)
        return table.find(replica, job_id).status == "completed"

    until(is_done, 90, "the end of the job")
    assert check(replica) == []
    assert replica.execute(_WITHOUT_VECTOR).get == 0
    found = content(replica)
    assert Counter({place: count for place, count in found.items() if place[0] == str(main)}) == of_main
    with immediate(replica):  # the same tree by a run that nobody disturbs and that shares with nobody
        replica.execute("UPDATE code_repositories SET chunker = 'older'")
    indexed(here, replica, tree)
    assert content(replica) == found


@pytest.mark.parametrize("seed", [5])
def test_kills_in_the_middle_of_a_removal_leave_nothing_and_show_nothing(
    here: Settings, replica: apsw.Connection, main: Path, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    indexed(here, replica, main)
    before = content(replica)
    tree = work_tree(main, (tmp_path / "feature").resolve())
    for path in tree.rglob("*.py"):
        path.write_text(path.read_text().replace("value", "kingfisher"))
    indexed(here, replica, tree)
    until(lambda: not processes(here.replica), 30, "the worker to have nothing to do")
    shutil.rmtree(tree)
    for _ in range(3):
        found = hits_at(here, main, replica, "kingfisher")
        assert {root for root, *_ in found} <= {str(main)}
        if roots(replica) != {str(main)}:
            until(lambda: started(here), 20, "a worker")
            time.sleep(chance.uniform(0.2, 0.8))
        kill_all(here.replica)

    def is_out() -> bool:
        start._started_at.clear()
        hits_at(here, main, replica, "kingfisher")
        return roots(replica) == {str(main)}

    until(is_out, 60, "the worker to take it out")
    indexed(here, replica, main)  # sweeps what a kill after the last file had left
    assert content(replica) == before
    assert check(replica) == []
    assert replica.execute("SELECT count(*) FROM code_released").get == 0


def test_on_the_server_work_trees_are_one_and_what_is_removed_is_replaced(
    project: Callable[[str | None], Settings], database_url: str, tmp_path: Path
) -> None:
    here = project(database_url)
    main = committed((tmp_path / "code").resolve(), {"a.py": "def cellist(player):\n    return player\n"})
    tree = work_tree(main, (tmp_path / "feature").resolve())
    (tree / "b.py").write_text("def kingfisher(bird):\n    return bird\n")
    replica = connect(here.replica)

    def on_server() -> tuple[int, list[str]]:
        with psycopg.connect(database_url) as server:
            names = server.execute("SELECT repository FROM localfirst.code_repositories").fetchall()
            paths = server.execute("SELECT path FROM localfirst.code_files ORDER BY path").fetchall()
        return len(names), [path for (path,) in paths]

    try:
        with no_worker_left(here.replica):
            for root, expected in ((main, ["a.py"]), (tree, ["a.py", "b.py"])):
                indexed(here, replica, root)
                until(lambda expected=expected: on_server() == (1, expected), 30, "the tree on the server")  # type: ignore[misc]  # of the loop
            git(main, "worktree", "remove", "--force", str(tree))
            until(lambda: not processes(here.replica), 30, "the worker to have nothing to do")
            hits_at(here, main, replica, "kingfisher")
            until(lambda: on_server() == (1, ["a.py"]), 30, "the tree that is left on the server")
    finally:
        replica.close()
