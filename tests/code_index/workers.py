"""Repositories to index, and looking after the workers that do it: none may outlive its test."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw
import psutil
from waiting import until

from localfirst.code_index.jobs import table
from localfirst.code_index.jobs.job import Job
from localfirst.code_index.jobs.states import JobState
from localfirst.code_index.worker import lease
from localfirst.replica.connection import immediate

WORDS = ("account", "balance", "cache", "cursor", "entry", "filter", "handler", "index", "journal", "node", "outbox", "pool")


def repository(directory: Path, files: int, functions: int = 6, seed: int = 1) -> Path:
    """A directory of Python modules, every one of them different."""
    chance = random.Random(seed)
    for number in range(files):
        folder = directory / chance.choice(WORDS)
        folder.mkdir(parents=True, exist_ok=True)
        body = []
        for one in range(functions):
            first, second = chance.choice(WORDS), chance.choice(WORDS)
            body.append(
                f"def {first}_{second}_{number}_{one}(value: int) -> int:\n"
                f'    """{first.capitalize()} the {second} of {chance.choice(WORDS)} {chance.randrange(10**6)}."""\n'
                f"    total = value * {chance.randrange(1000)}\n"
                f"    for step in range({chance.randrange(50)}):\n"
                f"        total += step % {chance.randrange(1, 9)}\n"
                f"    return total\n"
            )
        (folder / f"module_{number:05}.py").write_text("\n\n".join(body))
    return directory


def rows(replica: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a query finds, as somebody who only looks.

    By the library that the program uses: two copies of SQLite in one process take each other's locks away.
    """
    connection = apsw.Connection(str(replica), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(10_000)
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def worker_pid(replica: Path) -> int | None:
    """The worker that lives."""
    if not replica.exists() or not lease.is_held(replica):
        return None
    found = rows(replica, "SELECT pid FROM index_worker")
    return int(found[0][0]) if found and psutil.pid_exists(found[0][0]) else None


def kill_worker(replica: Path) -> int:
    """SIGKILL to the worker, as soon as there is one; returns its id."""
    pid = until(lambda: worker_pid(replica), 20, "a worker")
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(pid), 10, "the end of the worker")
    return pid


def end_worker(replica: Path) -> None:
    """Ends the worker, also one that is only starting, and waits until nothing of it is left."""
    deadline = time.monotonic() + 30
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 1.5:
        assert time.monotonic() < deadline, "the worker does not end"
        for process in processes(replica):
            quiet_since = time.monotonic()
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        time.sleep(0.05)


def processes(replica: Path) -> list[psutil.Process]:
    """The processes of the worker of this replica, known by the environment that they were given."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if not any(part.startswith("localfirst.code_index.") for part in command):
            continue
        with suppress(psutil.Error, OSError):
            if process.environ().get("LOCALFIRST_REPLICA") == str(replica) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@contextmanager
def no_worker_left(replica: Path) -> Iterator[None]:
    """Whatever happens inside, no worker of this replica lives afterwards."""
    try:
        yield
    finally:
        end_worker(replica)


def asked(replica: apsw.Connection, root: Path) -> str:
    """The id of a job that somebody asked for."""
    with immediate(replica):
        return table.create_or_join(replica, root, root.name, force=False, estimated_seconds=1.0)[0].job_id


def reached(replica: apsw.Connection, job_id: str, status: JobState, seconds: float = 60) -> Job:
    """The job, as soon as it is in this state."""

    def look() -> Job | None:
        job = table.find(replica, job_id)
        assert job.status is status or job.status not in (JobState.FAILED, JobState.CANCELLED), job
        return job if job.status is status else None

    return until(look, seconds, f"a job that is {status}")
