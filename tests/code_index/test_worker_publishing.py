"""What a job has indexed reaches the team's server, now or when it is back; no job waits for it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from waiting import until

from code_index.workers import no_worker_left, processes, repository, rows
from localfirst import settings
from localfirst.code_index.jobs import table
from localfirst.code_index.worker import start
from localfirst.replica.connection import connect, immediate
from localfirst.replica.opening import open_replica
from localfirst.settings import Settings

Project = Callable[[str], Settings]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The settings of a project that reconciles with the given server."""

    def made(url: str) -> Settings:
        for name in ("DATA", "STATE", "CACHE", "CONFIG"):
            monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
        monkeypatch.setenv("LOCALFIRST_REPLICA", str(tmp_path / "replica.sqlite3"))
        monkeypatch.setenv("LOCALFIRST_DATABASE_URL", url)
        monkeypatch.setenv("LOCALFIRST_PROJECT", "team/board")
        (tmp_path / "project").mkdir(exist_ok=True)
        found = settings.load(tmp_path / "project")
        open_replica(found.replica, found.project).close()
        return found

    return made


def code(directory: Path) -> Path:
    """A repository that has a name which the team shares."""
    root = repository(directory, files=12)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    subprocess.run(["git", "-C", str(root), "remote", "add", "origin", "https://example.org/team/code.git"], check=True)
    return root


def indexed(here: Settings, root: Path) -> None:
    """Asks for a job, and waits for its end."""
    connection = connect(here.replica)
    try:
        with immediate(connection):
            job, _ = table.create_or_join(connection, root, root.name, force=False, estimated_seconds=1.0)

        def is_done() -> bool:
            start.ensure(here)  # as clients do, time and again: the worker before may just be ending
            return table.find(connection, job.job_id).status == "completed"

        until(is_done, 60, "the end of the job")
    finally:
        connection.close()


def files_on(url: str) -> int:
    with psycopg.connect(url) as server:
        found = server.execute("SELECT count(*) FROM localfirst.code_files").fetchone()
    assert found is not None
    return int(found[0])


def unsent(here: Settings) -> int:
    return int(rows(here.replica, "SELECT count(*) FROM index_jobs WHERE to_publish = 1")[0][0])


def test_an_index_reaches_the_server_after_its_job(project: Project, database_url: str, tmp_path: Path) -> None:
    here = project(database_url)
    with no_worker_left(here.replica):
        indexed(here, code(tmp_path / "code"))
        until(lambda: files_on(database_url) == 12, 30, "the index on the server")
        until(lambda: unsent(here) == 0, 10, "the note of it")


def test_a_job_does_not_wait_for_a_server_that_is_away_and_the_next_worker_sends_what_it_left(
    project: Project, database_url: str, tmp_path: Path
) -> None:
    root = code(tmp_path / "code")
    away = project("postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=1")
    with no_worker_left(away.replica):
        indexed(away, root)
        assert unsent(away) == 1
    assert processes(away.replica) == []
    back = project(database_url)
    with no_worker_left(back.replica):
        indexed(back, repository(tmp_path / "another", files=1))
        until(lambda: files_on(database_url) >= 12, 30, "the index on the server")
        until(lambda: unsent(back) == 0, 10, "the note of it")
