"""One job through the pipeline, in a thread of the worker: takes it up where it stands, and brings it to its end or a pause.

What can go wrong, and what becomes of the job:

    cancelled                            stays cancelled; what was written stays
    the worker is to end                 stays running; the next worker goes on
    no space, no embedding service       blocked, until that is over
    the replica is busy or away          stays running, and is taken up again a little later
    the repository is gone, or closed    failed, with the reason and what was done
    anything unforeseen                  failed; the log has the cause
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
from localfirst_schema.errors import InvalidStateError, LocalfirstError, NotFoundError, UnavailableError
from localfirst_sync.supervised import Supervised

from localfirst.code_index.jobs import file_list, table, words
from localfirst.code_index.jobs.job import Job
from localfirst.code_index.jobs.phase import Phase
from localfirst.code_index.jobs.states import JobState
from localfirst.code_index.jobs.transition import move_within, note
from localfirst.code_index.worker import obstacle
from localfirst.code_index.worker.report import JobReport
from localfirst.embedding.provider import EmbeddingUnavailableError
from localfirst.replica.connection import ReplicaUnreadableError, connect, immediate
from localfirst.settings import Settings

if TYPE_CHECKING:
    from localfirst.code_index.pipeline.plan import Plan
    from localfirst.code_index.pipeline.pool import Pool
    from localfirst.embedding.provider import EmbeddingProvider

logger = logging.getLogger("localfirst.worker")

MAX_FRUITLESS_STARTS = 30
"""A job that was taken up so often without getting anywhere ends the worker each time: it fails instead."""

RETRY_WRITE_S = 2.0
"""How often the state of a job is tried to be written while the disk is full."""

_WORKED = "UPDATE index_jobs SET worked_seconds = worked_seconds + ? WHERE job_id = ?"


class JobRun:
    """A job at work. `pool` and `provider` are called in the run's thread, when they are needed."""

    def __init__(
        self,
        settings: Settings,
        job: Job,
        pool: Callable[[], Pool],
        provider: Callable[[], EmbeddingProvider],
        ended: Callable[[], None],
    ) -> None:
        self.job_id, self.root = job.job_id, job.root
        self._settings = settings
        self._pool, self._provider, self._ended = pool, provider, ended
        self._stop = threading.Event()
        self._obstacle: str | None = None
        self._loss: str | None = None
        self.began = self._counted = time.monotonic()
        # The worker takes the job up again, after a pause that grows.
        self._thread = Supervised(self._live, f"localfirst-job-{job.job_id[:8]}", begins_again=False)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether its thread is still at work."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ends the run at its next transaction; the job stays as it is."""
        self._stop.set()

    def block(self, reason: str) -> None:
        """Ends the run at its next transaction, and blocks the job."""
        self._obstacle = reason
        self._stop.set()

    def fail(self, reason: str) -> None:
        """Ends the run at its next transaction; the job has failed."""
        self._loss = reason
        self._stop.set()

    def take_worked(self) -> float:
        """Seconds of work since this was last asked."""
        before, self._counted = self._counted, time.monotonic()
        return round(self._counted - before, 3)

    def join(self, timeout_s: float) -> None:
        """Waits for its end."""
        self._thread.join(timeout_s)

    def _live(self) -> None:
        connection: apsw.Connection | None = None
        try:
            connection = connect(self._settings.replica)
            connection.pragma("synchronous", "normal")  # all of it can be computed again
            self._run(connection)
        except LocalfirstError as error:
            logger.warning("job %s waits: %s", self.job_id, error)
        except Exception:
            logger.exception("job %s: the state could not be written", self.job_id)
        finally:
            if connection is not None:
                connection.close()
            self._ended()

    def _run(self, connection: apsw.Connection) -> None:
        from localfirst.code_index.pipeline.errors import DiskFullError, RepositoryGoneError

        try:
            if (job := take_up(connection, self.job_id, self._still_blocked)) is None:
                return
            if self._work(connection, job):
                self._write(connection, JobState.COMPLETED, words.done(table.find(connection, self.job_id)))
            elif self._loss is not None:
                self._fail(connection, "RepositoryGoneError", self._loss)
            elif self._obstacle is not None:
                self._write(connection, JobState.BLOCKED, self._obstacle)
        except (DiskFullError, EmbeddingUnavailableError) as error:
            self._write(connection, JobState.BLOCKED, error.message.rstrip("."))
        except RepositoryGoneError as error:
            self._fail(connection, type(error).__name__, error.message)
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            self._fail(
                connection, type(error).__name__, f"{error.filename or self.root} cannot be read any more ({error.strerror})"
            )
        except UnavailableError as error:
            if not isinstance(error.__cause__, apsw.FullError):
                raise  # another process has the replica: a little later it goes on
            self._write(connection, JobState.BLOCKED, "the disk that holds the replica is full")
        except ReplicaUnreadableError:
            raise  # its sessions rebuild it
        except LocalfirstError as error:
            self._fail(connection, error.name, error.message)
        except Exception as error:
            logger.exception("job %s failed", self.job_id)
            self._fail(connection, type(error).__name__, "an internal error ended the job; the program's log has its cause")

    def _work(self, connection: apsw.Connection, job: Job) -> bool:
        """The phases in order, from wherever the job stands; False if it was stopped."""
        from localfirst.code_index.pipeline.files import index_files
        from localfirst.code_index.pipeline.finish import finish
        from localfirst.code_index.pipeline.plan import plan
        from localfirst.code_index.scan import ScanStoppedError

        report = JobReport(connection, job, self._stop)
        try:
            todo = plan(connection, Path(job.root), job.name, force=job.force_reindex, should_stop=self._stop.is_set)
        except ScanStoppedError:
            return False
        if self._stop.is_set():
            return False
        if job.is_listed:
            todo = _rest(connection, job, todo)
        else:
            paths = [*todo.to_read, *todo.to_delete]
            file_list.take(connection, job.job_id, paths, todo.scanned, todo.unchanged, todo.skipped)
        report.begin(Phase.CHUNKING)
        if not index_files(connection, self._pool(), todo, report):
            return False
        report.begin(Phase.EMBEDDING)
        if not self._embed(connection, report, todo.repository_id):
            return False
        report.begin(Phase.WRITING)
        return finish(connection, todo, report)

    def _embed(self, connection: apsw.Connection, report: JobReport, repository_id: int) -> bool:
        from localfirst.code_index.pipeline.vectors import embed_chunks
        from localfirst.code_index.shared.server import shared_index

        shared = shared_index(self._settings, connection)
        try:
            return embed_chunks(connection, self._pool(), self._provider(), report, shared, repository_id=repository_id)
        finally:
            if shared is not None:
                shared.close()

    def _still_blocked(self, job: Job) -> str | None:
        if (reason := obstacle.lack_of_space(self._settings.replica)) is not None:
            return reason
        return obstacle.lack_of_service(self._provider()) if job.phase is Phase.EMBEDDING else None

    def _fail(self, connection: apsw.Connection, error_type: str, reason: str) -> None:
        job = table.find(connection, self.job_id)
        detail = f"{reason.rstrip('.')}; done before: {words.done(job)}; what is in the index stays"
        self._write(connection, JobState.FAILED, detail, error_type)

    def _write(self, connection: apsw.Connection, to: JobState, detail: str, error_type: str | None = None) -> None:
        """Writes the state, however long the disk is full; a job that was cancelled meanwhile stays that."""
        while True:
            try:
                with immediate(connection):
                    connection.execute(_WORKED, (self.take_worked(), self.job_id))
                    move_within(connection, self.job_id, to, detail, error_type)
            except (InvalidStateError, NotFoundError):
                return
            except UnavailableError as error:
                logger.warning("job %s cannot be marked as %s yet: %s", self.job_id, to.value, error)
                if self._stop.wait(RETRY_WRITE_S):
                    raise
            else:
                return


def take_up(connection: apsw.Connection, job_id: str, still_blocked: Callable[[Job], str | None]) -> Job | None:
    """The job, now running; None if it is not to be run (any more, or yet).

    Args:
        still_blocked: the reason why a job that was blocked has to wait on, if there is one.
    """
    job = table.find(connection, job_id)
    if job.status is JobState.BLOCKED and still_blocked(job) is not None:
        return None
    with immediate(connection):
        job = table.find(connection, job_id)
        match job.status:
            case JobState.PENDING | JobState.BLOCKED:
                move_within(connection, job_id, JobState.RUNNING)
            case JobState.RUNNING if job.fruitless_starts >= MAX_FRUITLESS_STARTS:
                detail = f"the worker ended {job.fruitless_starts} times at this job without getting any further"
                move_within(connection, job_id, JobState.FAILED, detail, "WorkerDied")
                return None
            case JobState.RUNNING:
                note(connection, job_id, "resumed", f"{job.phase}, {job.files_done} of {job.files_total or '?'} files done")
            case _:
                return None
        connection.execute(
            "UPDATE index_jobs SET starts = starts + 1, fruitless_starts = fruitless_starts + 1 WHERE job_id = ?", (job_id,)
        )
    return table.find(connection, job_id)


def _rest(connection: apsw.Connection, job: Job, todo: Plan) -> Plan:
    """What is left of the list; what changed since it was taken is for the next job."""
    left = file_list.left(connection, job.job_id)
    rest = todo.only(left)
    needless = left.difference(rest.to_read, rest.to_delete)
    if needless:
        with immediate(connection):
            struck = file_list.strike(connection, job.job_id, needless)
            connection.execute(
                "UPDATE index_jobs SET files_done = files_done + ?, files_unchanged = files_unchanged + ? WHERE job_id = ?",
                (struck, struck, job.job_id),
            )
    return rest
