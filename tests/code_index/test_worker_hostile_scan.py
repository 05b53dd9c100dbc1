"""A worker in the middle of a scan that a hostile tree holds up: it can be cancelled, ended, and goes on with other trees."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import psutil
import pytest
from waiting import until

from code_index.workers import asked, reached, repository, worker_pid
from localfirst.code_index.jobs import table
from localfirst.code_index.jobs.states import JobState
from localfirst.code_index.jobs.transition import move
from localfirst.code_index.worker import start
from localfirst.settings import Settings

PROMISED_S = 5.0
"""How soon a job's work stops after it was cancelled; and how soon a worker ends."""

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes in the file system")


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Path]:
    """A repository whose `.gitignore` is a pipe, which git waits for; beside it what holds up a matcher that backtracks."""
    root = repository(tmp_path / "hostile", files=3)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (root / ("a" * 230)).write_text("x = 1\n")
    (root / ".localfirstignore").write_text(("*a" * 12 + "b\n" + "**/a*/" * 10 + "b\n") * 50)
    os.mkfifo(root / ".gitignore")
    yield root
    # Whoever still waits for the pipe is let go.
    os.close(os.open(root / ".gitignore", os.O_RDWR | os.O_NONBLOCK))


def scanning(here: Settings, replica: apsw.Connection, root: Path) -> tuple[str, psutil.Process, psutil.Process]:
    """A job whose scan is under way: its id, the worker, and git, which waits for the pipe."""
    job_id = asked(replica, root)
    start.ensure(here)
    worker = psutil.Process(until(lambda: worker_pid(here.replica), 30, "a worker"))

    def waiting_git() -> psutil.Process | None:
        for child in worker.children():
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):  # one that has just ended
                if child.name() == "git" and "ls-files" in child.cmdline():
                    return child
        return None

    git = until(waiting_git, 30, "git to list the tree")
    assert table.find(replica, job_id).status is JobState.RUNNING
    return job_id, worker, git


def test_a_job_is_cancelled_in_the_middle_of_its_scan(here: Settings, replica: apsw.Connection, hostile: Path) -> None:
    job_id, worker, git = scanning(here, replica, hostile)
    move(replica, job_id, JobState.CANCELLED)
    until(lambda: not git.is_running(), PROMISED_S, "git to be ended")
    assert table.find(replica, job_id).status is JobState.CANCELLED
    assert worker.is_running()


def test_a_worker_ends_at_sigterm_in_the_middle_of_a_scan(here: Settings, replica: apsw.Connection, hostile: Path) -> None:
    job_id, worker, git = scanning(here, replica, hostile)
    worker.send_signal(signal.SIGTERM)
    until(lambda: not worker.is_running(), PROMISED_S, "the worker to end")
    assert not git.is_running()
    assert table.find(replica, job_id).status is JobState.RUNNING, "the next worker goes on with it"


def test_other_repositories_do_not_wait_for_it(here: Settings, replica: apsw.Connection, hostile: Path, tmp_path: Path) -> None:
    job_id, _, git = scanning(here, replica, hostile)
    other = asked(replica, repository(tmp_path / "other", files=5))
    assert reached(replica, other, JobState.COMPLETED, 20).files_indexed == 5
    assert git.is_running()
    assert table.find(replica, job_id).status is JobState.RUNNING
