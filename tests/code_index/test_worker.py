"""The worker's process: the only one, gone when idle, and patient with what is in its way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import numpy as np
import psutil
import pytest
from localfirst_sync.lock import HeldElsewhere
from waiting import until

from code_index.workers import asked, processes, reached, repository, worker_pid
from localfirst import embedding, settings
from localfirst.code_index.jobs import table, words
from localfirst.code_index.jobs.job import Job
from localfirst.code_index.jobs.states import JobState
from localfirst.code_index.jobs.transition import move
from localfirst.code_index.worker import job_run, keeper, lease, obstacle, process, start
from localfirst.embedding.provider import EmbeddingUnavailableError
from localfirst.replica.connection import connect
from localfirst.settings import Settings

if TYPE_CHECKING:
    from localfirst.embedding.provider import Vectors

Usage = namedtuple("Usage", "total used free")


@contextmanager
def worker_inside(here: Settings) -> Iterator[threading.Event]:
    """A worker in a thread of the test, which may then put things in its way."""
    ending = threading.Event()

    def work() -> None:
        with lease.held(here.replica, 1.0):
            process.Worker(here, ending).work()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield ending
    finally:
        ending.set()
        thread.join(30)
        assert not thread.is_alive()


# One process


def test_two_workers_can_never_run(here: Settings, replica: apsw.Connection) -> None:
    with lease.held(here.replica, 0.0):
        assert lease.is_held(here.replica)
        with pytest.raises(HeldElsewhere), lease.held(here.replica, 0.0):
            pass
        asked(replica, here.root)
        command = [sys.executable, "-m", "localfirst.code_index.worker", str(here.root)]
        subprocess.run(command, check=True, env={**os.environ, "LOCALFIRST_REPLICA": str(here.replica)})
        until(lambda: not processes(here.replica), 20, "the second worker to give up")
        assert [job.status for job in table.active(replica)] == [JobState.PENDING], "it touched nothing"


def test_many_that_start_at_once_leave_one(here: Settings, replica: apsw.Connection, tmp_path: Path) -> None:
    job_id = asked(replica, repository(tmp_path / "code", files=300))
    command = [sys.executable, "-m", "localfirst.code_index.worker", str(here.root)]
    starting = [subprocess.Popen(command) for _ in range(5)]
    for one in starting:
        one.wait()
    done = reached(replica, job_id, JobState.COMPLETED)
    assert done.starts == 1
    assert done.files_indexed == 300


def test_the_worker_is_detached_and_polite(here: Settings, replica: apsw.Connection, tmp_path: Path) -> None:
    asked(replica, repository(tmp_path / "code", files=200))
    start.ensure(here)
    worker = psutil.Process(until(lambda: worker_pid(here.replica), 20, "a worker"))
    assert worker.nice() >= 5
    assert worker.cwd() == "/"
    assert os.getsid(worker.pid) != os.getsid(0)
    assert worker.pid not in {child.pid for child in psutil.Process().children(recursive=True)}
    assert {Path(f"/proc/{worker.pid}/fd/{n}").readlink() for n in range(3)} == {Path(os.devnull)}
    start.ensure(here)
    assert len([p for p in processes(here.replica) if "localfirst.code_index.worker" in p.cmdline()]) == 1


def test_it_ends_when_the_queue_is_empty_and_lets_go_of_the_lease(
    here: Settings, replica: apsw.Connection, tmp_path: Path
) -> None:
    job_id = asked(replica, repository(tmp_path / "code", files=3))
    start.ensure(here)
    reached(replica, job_id, JobState.COMPLETED)
    until(lambda: not processes(here.replica), 30, "the end of every process")
    assert not lease.is_held(here.replica)
    assert replica.execute("SELECT count(*) FROM index_worker").get == 0


def test_it_ends_when_its_replica_is_taken_away(here: Settings, replica: apsw.Connection, tmp_path: Path) -> None:
    asked(replica, repository(tmp_path / "code", files=1500))
    start.ensure(here)
    until(lambda: worker_pid(here.replica), 20, "a worker")
    here.replica.rename(tmp_path / "elsewhere.sqlite3")
    until(lambda: not processes(here.replica), 30, "the end of every process")
    assert not here.replica.exists(), "it makes no new one"


def test_its_files_are_the_users_alone(here: Settings, replica: apsw.Connection, tmp_path: Path) -> None:
    job_id = asked(replica, repository(tmp_path / "code", files=3))
    start.ensure(here)
    reached(replica, job_id, JobState.COMPLETED)
    assert lease.lock_path(here.replica).stat().st_mode & 0o777 == 0o600


def test_the_keeper_starts_a_worker_for_a_job_that_nobody_works_on(
    here: Settings, replica: apsw.Connection, tmp_path: Path
) -> None:
    job_id = asked(replica, repository(tmp_path / "code", files=3))
    kept = keeper.keep(here)
    reached(replica, job_id, JobState.COMPLETED)
    kept.stop()


def test_the_keeper_starts_nothing_without_a_job_and_creates_no_replica(here: Settings, tmp_path: Path) -> None:
    keeper.look(here)
    assert processes(here.replica) == []
    here.replica.rename(tmp_path / "elsewhere.sqlite3")
    keeper.look(here)
    assert not here.replica.exists()


def test_a_worker_that_dies_again_and_again_at_a_job_gives_it_up(
    here: Settings, replica: apsw.Connection, tmp_path: Path
) -> None:
    job_id = asked(replica, repository(tmp_path / "code", files=3))
    move(replica, job_id, JobState.RUNNING)
    replica.execute("UPDATE index_jobs SET fruitless_starts = ?", (job_run.MAX_FRUITLESS_STARTS,))
    start.ensure(here)
    failed = until(lambda: (job := table.find(replica, job_id)).status is JobState.FAILED and job, 30, "the end of the job")
    assert failed.error_type == "WorkerDied"


def test_sigterm_ends_it_between_two_transactions_and_the_job_stays(
    here: Settings, replica: apsw.Connection, tmp_path: Path
) -> None:
    job_id = asked(replica, repository(tmp_path / "code", files=1500))
    start.ensure(here)
    until(lambda: table.find(replica, job_id).files_indexed > 0, 60, "a job at work")
    pid = until(lambda: worker_pid(here.replica), 20, "a worker")
    os.kill(pid, signal.SIGTERM)
    until(lambda: not processes(here.replica), 20, "the end of every process")
    job = table.find(replica, job_id)
    assert job.status is JobState.RUNNING
    left = replica.execute("SELECT count(*) FROM index_job_files").get
    assert job.files_done + left == 1500
    assert replica.execute("SELECT count(*) FROM code_files").get == job.files_indexed


# What is in its way


def test_too_little_space_blocks_a_job_and_it_goes_on_by_itself(
    here: Settings, replica: apsw.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [10**12]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, free[0]))
    job_id = asked(replica, repository(tmp_path / "code", files=600))
    with worker_inside(here):
        until(lambda: table.find(replica, job_id).files_indexed > 0, 60, "a job at work")
        free[0] = obstacle.MIN_FREE_BYTES - 1
        blocked = reached(replica, job_id, JobState.BLOCKED, 10)
        assert blocked.blocked_reason is not None
        assert "free" in blocked.blocked_reason
        assert blocked.files_indexed < 600
        free[0] = 10**12
        done = reached(replica, job_id, JobState.COMPLETED)
    assert done.files_indexed == 600
    events = [event for _, event, _ in table.events(replica, job_id)]
    assert events == ["created", "running", "blocked", "running", "completed"]


class Service:
    """An embedding service that can be switched off."""

    model, dimensions, is_remote = "a-service", 8, True

    def __init__(self) -> None:
        self.is_on = True

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not self.is_on:
            raise EmbeddingUnavailableError("the embedding service does not answer.")
        vectors = np.array([[hash((text, n)) % 1000 for n in range(8)] for text in texts], dtype=np.float32)
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def test_an_embedding_service_that_is_away_blocks_a_job_and_text_is_searchable_meanwhile(
    here: Settings, replica: apsw.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service()
    service.is_on = False
    monkeypatch.setattr(embedding, "configured", lambda _: service)
    job_id = asked(replica, repository(tmp_path / "code", files=20))
    with worker_inside(here):
        blocked = reached(replica, job_id, JobState.BLOCKED)
        assert blocked.blocked_reason == "the embedding service does not answer"
        assert blocked.phase == "Embedding"
        assert blocked.files_indexed == 20
        assert replica.execute("SELECT count(*) FROM code_words WHERE code_words MATCH 'def'").get > 0
        starts = blocked.starts
        time.sleep(2)
        assert table.find(replica, job_id).starts == starts, "it asks the service, and does not begin in vain"
        service.is_on = True
        done = reached(replica, job_id, JobState.COMPLETED)
    assert done.files_indexed == 20
    assert done.chunks_embedded == done.chunks_to_embed


def test_a_blocked_job_can_be_cancelled(
    here: Settings, replica: apsw.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service()
    service.is_on = False
    monkeypatch.setattr(embedding, "configured", lambda _: service)
    job_id = asked(replica, repository(tmp_path / "code", files=3))
    with worker_inside(here):
        reached(replica, job_id, JobState.BLOCKED)
        move(replica, job_id, JobState.CANCELLED)
        service.is_on = True
        time.sleep(2.5)
    assert table.find(replica, job_id).status is JobState.CANCELLED


def lost(here: Settings, replica: apsw.Connection, root: Path, lose: Callable[[], object]) -> Job:
    """The job that fails because its repository is lost while it is at work."""
    job_id = asked(replica, root)
    start.ensure(here)
    until(lambda: table.find(replica, job_id).files_indexed > 0, 60, "a job at work")
    lose()
    return until(lambda: (job := table.find(replica, job_id)).status is JobState.FAILED and job, 30, "the end of the job")


def test_a_repository_that_goes_away_at_work_fails_the_job_with_what_was_done(
    here: Settings, replica: apsw.Connection, tmp_path: Path
) -> None:
    root = repository(tmp_path / "code", files=1500)
    failed = lost(here, replica, root, lambda: root.rename(tmp_path / "elsewhere"))
    assert failed.error_type == "RepositoryGoneError"
    assert failed.error_message is not None
    assert str(root) in failed.error_message
    assert words.done(failed) in failed.error_message
    assert 0 < failed.files_indexed < 1500


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_permission_that_is_lost_at_work_fails_the_job(here: Settings, replica: apsw.Connection, tmp_path: Path) -> None:
    root = repository(tmp_path / "code", files=1500)
    failed = lost(here, replica, root, lambda: root.chmod(0o000))
    root.chmod(0o700)
    assert "permission denied" in str(failed.error_message).lower()


def test_an_error_that_nobody_foresaw_fails_the_job_and_the_others_go_on(
    here: Settings, replica: apsw.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> Service:
        raise ZeroDivisionError

    monkeypatch.setattr(embedding, "configured", broken)
    job_id = asked(replica, repository(tmp_path / "code", files=3))
    with worker_inside(here):
        failed = until(lambda: (job := table.find(replica, job_id)).status is JobState.FAILED and job, 30, "the failure")
        assert failed.error_type == "ZeroDivisionError"
        assert "3 files indexed" in str(failed.error_message)
        monkeypatch.setattr(embedding, "configured", lambda _: Service())
        again = asked(replica, tmp_path / "code")
        assert reached(replica, again, JobState.COMPLETED).files_unchanged == 3


def test_a_job_that_came_while_the_worker_let_go_of_the_lease_is_not_left_alone(
    here: Settings, replica: apsw.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = repository(tmp_path / "code", files=3)
    jobs: list[str] = []
    work = process.Worker.work

    def work_and_then(self: process.Worker) -> None:
        work(self)
        if not jobs:  # nothing more to do, the lease is still held: here comes one, and its client sees a worker
            jobs.append(asked(replica, root))

    monkeypatch.setattr(process.Worker, "work", work_and_then)
    monkeypatch.setattr(process, "IDLE_S", 0.1)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    process.run(here)
    assert table.find(replica, jobs[0]).status is JobState.COMPLETED


def test_a_worker_that_only_waits_makes_room_for_one_with_the_settings_of_today(
    here: Settings, replica: apsw.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALFIRST_EMBEDDING", "ollama:nothing")
    monkeypatch.setenv("LOCALFIRST_EMBEDDING_URL", "http://127.0.0.1:1")
    job_id = asked(replica, repository(tmp_path / "code", files=3))
    start.ensure(here)
    reached(replica, job_id, JobState.BLOCKED)
    waiting = worker_pid(here.replica)
    monkeypatch.delenv("LOCALFIRST_EMBEDDING")
    monkeypatch.delenv("LOCALFIRST_EMBEDDING_URL")
    kept = keeper.keep(settings.load(here.root))
    reached(replica, job_id, JobState.COMPLETED)
    kept.stop()
    assert worker_pid(here.replica) != waiting


def test_a_worker_at_work_is_not_asked_to_make_room(replica: apsw.Connection) -> None:
    replica.execute("INSERT INTO index_worker (singleton, pid, started_at, renewed_at) VALUES (1, 1, '', '')")
    blocked, running = asked(replica, Path("/one")), asked(replica, Path("/two"))
    for job_id in (blocked, running):
        move(replica, job_id, JobState.RUNNING)
    move(replica, blocked, JobState.BLOCKED, "no service")
    assert not table.ask_worker_to_end(replica)
    move(replica, running, JobState.COMPLETED)
    assert table.ask_worker_to_end(replica)


def test_a_disk_that_is_full_does_not_end_the_worker(
    here: Settings, replica: apsw.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = asked(replica, repository(tmp_path / "code", files=300))
    is_full = [False]

    def opened(path: Path) -> apsw.Connection:
        connection = connect(path)
        if is_full[0]:
            connection.pragma("max_page_count", connection.pragma("page_count") + 20)
        return connection

    monkeypatch.setattr(job_run, "connect", opened)
    is_full[0] = True
    with worker_inside(here):
        blocked = reached(replica, job_id, JobState.BLOCKED)
        assert "full" in str(blocked.blocked_reason)
        is_full[0] = False
        done = reached(replica, job_id, JobState.COMPLETED)
    assert done.files_indexed == 300
