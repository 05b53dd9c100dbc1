"""A job as a value: one row of `index_jobs`."""

from __future__ import annotations

from typing import Any, NamedTuple

from localfirst.code_index.jobs.phase import Phase
from localfirst.code_index.jobs.states import JobState


class Job(NamedTuple):
    """The columns of the table, in an order of their own; see 0002_code_index.sql."""

    job_id: str
    root: str
    name: str
    force_reindex: bool
    status: JobState
    phase: Phase
    is_listed: bool
    progress_percentage: float
    files_scanned: int
    files_total: int | None
    files_done: int
    files_indexed: int
    files_unchanged: int
    files_skipped: int
    files_deleted: int
    chunks_created: int
    chunks_to_embed: int | None
    chunks_embedded: int
    estimated_seconds: float
    seconds_left: float | None
    worked_seconds: float
    starts: int
    fruitless_starts: int
    created_at: str
    started_at: str | None
    renewed_at: str | None
    ended_at: str | None
    blocked_reason: str | None
    error_type: str | None
    error_message: str | None


COLUMNS = ", ".join(Job._fields)


def as_job(row: tuple[Any, ...]) -> Job:
    """A row that was selected with `COLUMNS`."""
    job = Job(*row)
    return job._replace(
        force_reindex=bool(job.force_reindex),
        status=JobState(job.status),
        phase=Phase(job.phase),
        is_listed=bool(job.is_listed),
    )
