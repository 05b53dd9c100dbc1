"""The one place where a job's state changes: along `states.TRANSITIONS`, with an event, in one transaction."""

from __future__ import annotations

from typing import Any

import apsw
from localfirst_schema import timestamps
from localfirst_schema.errors import InvalidStateError, NotFoundError

from localfirst.code_index.jobs.job import COLUMNS, Job, as_job
from localfirst.code_index.jobs.phase import Phase
from localfirst.code_index.jobs.states import FINAL, TRANSITIONS, JobState
from localfirst.replica.connection import immediate

_SELECT = f"SELECT {COLUMNS} FROM index_jobs WHERE job_id = ?"
_IS_NOTED = "SELECT EXISTS (SELECT 1 FROM index_job_events WHERE job_id = ? AND event = ? AND detail = ?)"
_INSERT_EVENT = "INSERT INTO index_job_events (job_id, at, event, detail) VALUES (?, ?, ?, ?)"

NOT_SHARED = "not_shared"
"""The event of a job whose index could not be sent to the team's server."""


def move(connection: apsw.Connection, job_id: str, to: JobState, detail: str = "", error_type: str | None = None) -> Job:
    """Brings a job into another state and returns it.

    Args:
        detail: why, for people: the reason of a job that is blocked, the message of one that failed.
        error_type: of a job that failed.

    Raises NotFoundError, InvalidStateError where no transition leads there.
    """
    with immediate(connection):
        return move_within(connection, job_id, to, detail, error_type)


def move_within(connection: apsw.Connection, job_id: str, to: JobState, detail: str = "", error_type: str | None = None) -> Job:
    """The same inside a transaction of the caller's, which has begun as a writer."""
    row = connection.execute(_SELECT, (job_id,)).fetchone()
    if row is None:
        raise unknown(job_id)
    before = as_job(row)
    if to not in TRANSITIONS[before.status]:
        raise _refused(before, to)
    now = timestamps.now()
    values: dict[str, str | int | float | None] = {
        "status": to,
        "renewed_at": now,
        "blocked_reason": detail if to is JobState.BLOCKED else None,
    }
    if to is JobState.RUNNING and before.started_at is None:
        values["started_at"] = now
    if to is JobState.COMPLETED:
        values |= {"phase": Phase.COMPLETE, "progress_percentage": 100.0, "to_publish": 1}
    if to is JobState.FAILED:
        values |= {"error_type": error_type, "error_message": detail}
    if to in FINAL:
        values |= {"ended_at": now, "seconds_left": None}
        connection.execute("DELETE FROM index_job_files WHERE job_id = ?", (job_id,))
    sets = ", ".join(f"{name} = ?" for name in values)
    connection.execute(f"UPDATE index_jobs SET {sets} WHERE job_id = ?", (*values.values(), job_id))
    note(connection, job_id, to.value, detail)
    after: Any = connection.execute(_SELECT, (job_id,)).fetchone()
    return as_job(after)


def note(connection: apsw.Connection, job_id: str, event: str, detail: str = "") -> None:
    """An event in the life of a job, inside a transaction of the caller's."""
    connection.execute(_INSERT_EVENT, (job_id, timestamps.now(), event, detail))


def note_not_shared(connection: apsw.Connection, job_id: str, why: str) -> None:
    """That the team's server has not got what a job has indexed, inside a transaction of the caller's; reported once."""
    if not connection.execute(_IS_NOTED, (job_id, NOT_SHARED, why)).get:
        note(connection, job_id, NOT_SHARED, why)


def unknown(job_id: str) -> NotFoundError:
    """The error for an id that no job has."""
    return NotFoundError(
        f"there is no indexing job {job_id}; list_indexing_jobs shows those of the last seven days.",
        entity="indexing_job",
        id=job_id,
    )


def _refused(job: Job, to: JobState) -> InvalidStateError:
    if job.status in FINAL:
        sentence = f"the job {job.job_id} is {job.status.value} already and cannot be {to.value}; nothing is left to be done."
    else:
        sentence = f"the job {job.job_id} is {job.status.value} and cannot become {to.value}; look at its status again."
    return InvalidStateError(sentence, job_id=job.job_id, status=job.status.value, wanted=to.value)
