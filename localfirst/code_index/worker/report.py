"""What a run of the pipeline tells its job: counters, the file list and progress, in the transactions that write the index.

So a job's row never says more than the index holds, nor less: whatever kills the process, the next one goes on exactly
where the last transaction ended.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import apsw
from localfirst_schema import timestamps

from localfirst.code_index.jobs import file_list
from localfirst.code_index.jobs.phase import BEGINS_AT, Phase, percentage
from localfirst.code_index.jobs.states import JobState
from localfirst.replica.connection import immediate

if TYPE_CHECKING:
    from localfirst.code_index.jobs.job import Job
    from localfirst.code_index.pipeline.report import Done, Embedded

MIN_SHARE_FOR_RATE = 2.0
"""Per cent that this run must have moved before its own pace says more than the estimate."""

_FILES = """
    UPDATE index_jobs SET files_done = files_done + ?, files_indexed = files_indexed + ?, files_unchanged = files_unchanged + ?,
        files_deleted = files_deleted + ?, files_skipped = files_skipped + ?, chunks_created = chunks_created + ?,
        fruitless_starts = 0
    WHERE job_id = ? RETURNING status, files_done, files_total
"""
_CHUNKS = """
    UPDATE index_jobs SET chunks_embedded = chunks_embedded + ?, fruitless_starts = 0
    WHERE job_id = ? RETURNING status, chunks_embedded, chunks_to_embed
"""
_PROGRESS = """
    UPDATE index_jobs SET progress_percentage = max(progress_percentage, ?), seconds_left = ?, renewed_at = ? WHERE job_id = ?
"""


class JobReport:
    """`localfirst.code_index.pipeline.report.Report` for one run of one job."""

    def __init__(self, connection: apsw.Connection, job: Job, stop: threading.Event) -> None:
        self._connection = connection
        self._job = job
        self._stop = stop
        self._began = time.monotonic()
        self._first = self._last = job.progress_percentage

    def should_stop(self) -> bool:
        """Whether somebody wants the run to end: the user, the worker, or the system."""
        return self._stop.is_set()

    def begin(self, phase: Phase) -> None:
        """The earlier phases are finished."""
        with immediate(self._connection):
            sql = "UPDATE index_jobs SET phase = ? WHERE job_id = ? RETURNING status"
            self._heed(self._connection.execute(sql, (phase, self._job.job_id)).get)
            self._progress(self._connection, BEGINS_AT[phase])

    def files_done(self, connection: apsw.Connection, done: Done) -> None:
        """Files that are in the index as they are on the disk, in the transaction that writes them."""
        struck = file_list.strike(connection, self._job.job_id, done.paths)
        file_list.add_skipped(connection, self._job.job_id, done.skipped)
        counts = (struck, done.indexed, done.unchanged, done.deleted, len(done.skipped), done.chunks, self._job.job_id)
        row: Any = connection.execute(_FILES, counts).fetchone()
        status, files_done, total = row
        self._heed(status)
        self._progress(connection, percentage(Phase.CHUNKING, files_done, total))

    def chunks_queued(self, count: int) -> None:
        """How many chunks are to be embedded from now on."""
        with immediate(self._connection):
            self._connection.execute(
                "UPDATE index_jobs SET chunks_to_embed = chunks_embedded + ? WHERE job_id = ?", (count, self._job.job_id)
            )

    def chunks_done(self, connection: apsw.Connection, done: Embedded) -> None:
        """Chunks that have their vector, in the transaction that writes it."""
        counts = (done.chunks, self._job.job_id)
        row: Any = connection.execute(_CHUNKS, counts).fetchone()
        status, embedded, total = row
        self._heed(status)
        self._progress(connection, percentage(Phase.EMBEDDING, embedded, total))

    def _heed(self, status: str | None) -> None:
        """A job that is not running any more has been cancelled: what is in this transaction stays, and is the last."""
        if status != JobState.RUNNING:
            self._stop.set()

    def _progress(self, connection: apsw.Connection, reached: float) -> None:
        self._last = max(self._last, reached)
        connection.execute(_PROGRESS, (self._last, self._seconds_left(), timestamps.now(), self._job.job_id))

    def _seconds_left(self) -> float:
        """At this run's own pace, or as it was estimated while there is none."""
        moved = self._last - self._first
        if moved < MIN_SHARE_FOR_RATE:
            return round(self._job.estimated_seconds * (100 - self._last) / 100, 1)
        return round((time.monotonic() - self._began) * (100 - self._last) / moved, 1)
