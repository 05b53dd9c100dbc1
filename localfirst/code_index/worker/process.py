"""The worker's process: takes up jobs, three at a time, shows that it lives, and ends when there is nothing to do.

Threads of this process run the jobs (`job_run`); what takes time is done by the pool of processes that they share. The main
thread looks several times a second for jobs that are new, cancelled or may go on. What ends it unexpectedly is logged, and it
begins again after a pause: its jobs stay as they are meanwhile, and go on. After several times in succession the process ends;
a client that lives, or the next one, starts another.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import apsw
from localfirst_schema import timestamps
from localfirst_schema.errors import UnavailableError
from localfirst_sync.lock import HeldElsewhere

from localfirst.code_index.jobs import table
from localfirst.code_index.jobs.job import Job
from localfirst.code_index.jobs.states import JobState
from localfirst.code_index.worker import lease, obstacle
from localfirst.code_index.worker.job_run import JobRun
from localfirst.code_index.worker.publisher import Publisher
from localfirst.code_index.worker.removal import Removal
from localfirst.replica.connection import connect, immediate
from localfirst.replica.migrate import LATEST, migrate
from localfirst.replica.place import Place
from localfirst.settings import Settings

if TYPE_CHECKING:
    from localfirst.code_index.pipeline.pool import Pool
    from localfirst.embedding.provider import EmbeddingProvider

logger = logging.getLogger("localfirst.worker")

MAX_RUNNING = 3
LOOK_EVERY_S = 0.2
SIGN_OF_LIFE_EVERY_S = 5.0
IDLE_S = 3.0
"""How long the process stays after the last job, for the next one to start at once."""

POOL_IDLE_S = 10.0
"""How long the pool's processes stay while all jobs are blocked."""

RETRY_MAX_S = 30.0
"""The longest wait before a blocked job looks again whether it may go on; it begins at one second and doubles."""

STEADY_S = 20.0
"""A run that lasted so long was no vain try: the next wait begins at one second again."""

TAKE_OVER_S = 2.0
"""How long a starting worker waits for the lease, which a client that asks for it holds for a moment."""

END_S = 10.0

FIRST_PAUSE_S = 0.5
MAX_FAILURES = 4
"""So often in succession the worker begins again, after pauses that double."""

_LIVES = """
    INSERT INTO index_worker (singleton, pid, started_at, renewed_at) VALUES (1, ?1, ?2, ?2)
    ON CONFLICT (singleton) DO UPDATE SET
        started_at = CASE pid WHEN excluded.pid THEN started_at ELSE excluded.started_at END,
        is_to_end = CASE pid WHEN excluded.pid THEN is_to_end ELSE 0 END, pid = excluded.pid, renewed_at = excluded.renewed_at
"""
_RENEW = """
    UPDATE index_jobs
    SET renewed_at = ?1, worked_seconds = worked_seconds + ?2, seconds_left = max(0, seconds_left - ?2)
    WHERE job_id = ?3 AND status = 'running'
"""


def run(settings: Settings) -> None:
    """Works until there is nothing to do, or until SIGTERM; returns at once if another worker lives."""
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    live(settings, ending)


def live(settings: Settings, ending: threading.Event) -> None:
    """The same, until `ending` is set."""
    failures = 0
    while not ending.is_set() and settings.replica.exists():
        began = time.monotonic()
        try:
            with lease.held(settings.replica, TAKE_OVER_S):
                Worker(settings, ending).work()
            # A job that came while the lease was let go found it held, and started nobody: it is this process's.
            if not _is_needed(settings):
                return
        except HeldElsewhere:
            return
        except BaseException:  # nobody interrupts it so: signals set `ending`, and who leaves by SystemExit is a library
            failures = 1 if time.monotonic() - began > STEADY_S else failures + 1
            if failures > MAX_FAILURES:
                raise
            logger.exception("the worker failed; it begins again")
            ending.wait(FIRST_PAUSE_S * 2 ** (failures - 1))


def _is_needed(settings: Settings) -> bool:
    if not settings.replica.exists():
        return False
    connection = connect(settings.replica)
    try:
        return table.has_active(connection)
    finally:
        connection.close()


class Worker:
    """Holds the lease. `ending` is set when the process is to end."""

    def __init__(self, settings: Settings, ending: threading.Event) -> None:
        self._settings = settings
        self._ending = ending
        self._wake = threading.Event()
        self._runs: dict[str, JobRun] = {}
        self._waits: dict[str, float] = {}
        self._not_before: dict[str, float] = {}
        self._loading = threading.Lock()
        self._pool: Pool | None = None
        self._provider: EmbeddingProvider | None = None
        self._renewed = -SIGN_OF_LIFE_EVERY_S
        self._busy_at = time.monotonic()
        self._publisher: Publisher | None = None
        self._is_over = threading.Event()
        self._removal = Removal(settings, self._wake_publisher)

    def work(self) -> None:
        """Until there is nothing to do, the process is to end, or the replica is taken away. Raises LocalfirstError."""
        place = Place(self._settings.replica)
        connection = connect(self._settings.replica)
        try:
            if (found := connection.pragma("user_version")) > LATEST:
                logger.warning("the replica has the schema %s, this worker knows %s; it ends", found, LATEST)
                self._ending.set()
                return
            migrate(connection, self._settings.replica)
            connection.pragma("synchronous", "normal")
            table.prune(connection)
            if self._settings.has_server:
                self._publisher = Publisher(self._settings, self._is_over)
            self._removal.begin()
            while not self._ending.is_set() and place.is_kept():
                if not self._turn(connection) or self._is_to_end(connection):
                    return
                self._wake.wait(LOOK_EVERY_S)
                self._wake.clear()
        finally:
            self._is_over.set()
            with ExitStack() as rest:  # each of them, whatever the one before has met
                rest.callback(connection.close)
                rest.callback(self._show_end, connection)
                rest.callback(self._close_pool)
                rest.callback(self._end)

    def _turn(self, connection: apsw.Connection) -> bool:
        """Looks once at everything; False if there has been nothing to do for a while."""
        jobs = table.active(connection)
        self._take_leave(jobs)
        self._look_at_roots()
        if (reason := obstacle.lack_of_space(self._settings.replica)) is not None:
            for run in self._runs.values():
                run.block(reason)
        else:
            self._start(jobs)
        self._show_life(connection)
        now = time.monotonic()
        if self._runs or self._removal.is_busy() or (self._publisher is not None and self._publisher.is_busy()):
            self._busy_at = now
        elif self._pool is not None and now - self._busy_at > POOL_IDLE_S:
            self._close_pool()
        return bool(jobs) or now - self._busy_at < IDLE_S

    def _is_to_end(self, connection: apsw.Connection) -> bool:
        """Whether a client wants another worker in the place of this one, which does nothing but wait."""
        if self._runs or not connection.execute("SELECT is_to_end FROM index_worker WHERE pid = ?", (os.getpid(),)).get:
            return False
        self._ending.set()
        return True

    def _take_leave(self, jobs: list[Job]) -> None:
        """Ends the runs of jobs that were cancelled, and forgets those that have ended."""
        active = {job.job_id for job in jobs}
        for job_id, run in list(self._runs.items()):
            if not run.is_alive():
                del self._runs[job_id]
                self._delay(run)
                self._wake_publisher()
            elif job_id not in active:
                run.stop()
        for job_id in self._not_before.keys() - active:
            del self._not_before[job_id], self._waits[job_id]

    def _delay(self, run: JobRun) -> None:
        """If the job is to be taken up again, then after a while that grows with every vain try."""
        now = time.monotonic()
        wait = 1.0 if now - run.began > STEADY_S else min(RETRY_MAX_S, 2 * self._waits.get(run.job_id, 0.5))
        self._waits[run.job_id], self._not_before[run.job_id] = wait, now + wait

    def _look_at_roots(self) -> None:
        """A repository that went away or was closed while its job ran fails the job, instead of emptying its index."""
        for run in self._runs.values():
            if (reason := obstacle.loss_of_repository(run.root)) is not None:
                run.fail(reason)

    def _wake_publisher(self) -> None:
        if self._publisher is not None:
            self._publisher.wake()

    def _start(self, jobs: list[Job]) -> None:
        """Takes up what may run: no more than `MAX_RUNNING`, and never two runs in one repository."""
        now = time.monotonic()
        occupied = len(self._runs) + sum(1 for job in jobs if job.status is JobState.RUNNING and job.job_id not in self._runs)
        roots = {run.root for run in self._runs.values()}
        for job in jobs:
            if job.job_id in self._runs or job.root in roots or now < self._not_before.get(job.job_id, 0.0):
                continue
            if job.status is not JobState.RUNNING:
                if occupied >= MAX_RUNNING:
                    continue
                occupied += 1
            self._removal.begin()
            self._runs[job.job_id] = JobRun(self._settings, job, self._the_pool, self._the_provider, self._wake.set)
            roots.add(job.root)

    def _show_life(self, connection: apsw.Connection) -> None:
        now = time.monotonic()
        if now - self._renewed < SIGN_OF_LIFE_EVERY_S:
            return
        at = timestamps.now()
        self._renewed = now
        try:
            with immediate(connection):
                connection.execute(_LIVES, (os.getpid(), at))
                for job_id, run in self._runs.items():
                    connection.execute(_RENEW, (at, run.take_worked(), job_id))
        except UnavailableError as error:  # a full disk, say, which is to be outlived
            logger.warning("the sign of life could not be given: %s", error)

    def _show_end(self, connection: apsw.Connection) -> None:
        try:
            connection.execute("DELETE FROM index_worker WHERE pid = ?", (os.getpid(),))
        except apsw.Error as error:
            logger.info("the end of the worker could not be noted: %s", error)

    def _the_pool(self) -> Pool:
        from localfirst.code_index.pipeline.pool import Pool

        with self._loading:
            if self._pool is None:
                self._pool = Pool()
            return self._pool

    def _the_provider(self) -> EmbeddingProvider:
        from localfirst import embedding

        with self._loading:
            if self._provider is None:
                self._provider = embedding.configured(self._settings)
            return self._provider

    def _close_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _end(self) -> None:
        """Stops the runs at their next transactions; the jobs stay as they are."""
        deadline = time.monotonic() + END_S

        def join(run: JobRun) -> None:
            run.join(max(0.0, deadline - time.monotonic()))

        with ExitStack() as rest:  # each of them, whatever the one before has met; in the reverse order
            for run in self._runs.values():
                rest.callback(join, run)
            rest.callback(self._removal.stop, END_S)
            for run in self._runs.values():
                rest.callback(run.stop)
            if self._publisher is not None:
                rest.callback(self._publisher.stop)
