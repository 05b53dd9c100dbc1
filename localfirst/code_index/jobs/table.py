"""Finding jobs, creating one, and forgetting those of the past."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
from localfirst_schema import timestamps

from localfirst.code_index.jobs.job import COLUMNS, Job, as_job
from localfirst.code_index.jobs.phase import Phase
from localfirst.code_index.jobs.states import IS_ACTIVE, JobState
from localfirst.code_index.jobs.transition import NOT_SHARED, note, unknown
from localfirst.replica.connection import immediate, snapshot, sqlite_errors

KEPT_DAYS = 7
"""How long a job is remembered after its end, with its events."""

_ACTIVE_ONE = f"SELECT {COLUMNS} FROM index_jobs WHERE root = ? AND {IS_ACTIVE}"
_ALL_ACTIVE = f"""
    SELECT {COLUMNS} FROM index_jobs WHERE {IS_ACTIVE}
    ORDER BY CASE status WHEN 'running' THEN 0 WHEN 'blocked' THEN 1 ELSE 2 END, created_at, job_id
"""
_INSERT = """
    INSERT INTO index_jobs (job_id, root, name, force_reindex, status, phase, estimated_seconds, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_NOT_SHARED = """
    SELECT e.detail FROM index_jobs AS j JOIN index_job_events AS e USING (job_id)
    WHERE j.job_id = ? AND j.to_publish = 1 AND e.event = ? ORDER BY e.event_id DESC LIMIT 1
"""
_PAGE = f"SELECT {COLUMNS} FROM index_jobs WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR root = ?2)"


def find(connection: apsw.Connection, job_id: str) -> Job:
    """The job of this id. Raises NotFoundError."""
    with sqlite_errors():
        row = connection.execute(f"SELECT {COLUMNS} FROM index_jobs WHERE job_id = ?", (job_id,)).fetchone()
    if row is None:
        raise unknown(job_id)
    return as_job(row)


def create_or_join(
    connection: apsw.Connection, root: Path, name: str, *, force: bool, estimated_seconds: float
) -> tuple[Job, bool]:
    """A new pending job for the repository, or the one that is active; and whether it is new.

    Belongs in a transaction that has begun as a writer, so that of two processes that ask at once one finds the other's.
    """
    if (row := connection.execute(_ACTIVE_ONE, (str(root),)).fetchone()) is not None:
        return as_job(row), False
    job_id = str(uuid.uuid4())
    connection.execute(
        _INSERT,
        (job_id, str(root), name, force, JobState.PENDING, Phase.SCANNING, estimated_seconds, timestamps.now()),
    )
    note(connection, job_id, "created")
    return find(connection, job_id), True


def active(connection: apsw.Connection) -> list[Job]:
    """The jobs that are not final: running ones first, then blocked, then pending, each the oldest first."""
    with sqlite_errors():
        return [as_job(row) for row in connection.execute(_ALL_ACTIVE)]


def active_of(connection: apsw.Connection, root: str) -> Job | None:
    """The job of a repository that is not final."""
    row = connection.execute(_ACTIVE_ONE, (root,)).fetchone()
    return as_job(row) if row is not None else None


def has_active(connection: apsw.Connection) -> bool:
    """Whether a worker is needed."""
    with sqlite_errors():
        return bool(connection.execute(f"SELECT EXISTS (SELECT 1 FROM index_jobs WHERE {IS_ACTIVE})").get)


def ask_worker_to_end(connection: apsw.Connection) -> bool:
    """Asks the worker to end if all it has are blocked jobs; whether it was asked. Inside a transaction of the caller's.

    The next one has the settings of whoever starts it: perhaps the service that was waited for has another name by now.
    """
    connection.execute(
        "UPDATE index_worker SET is_to_end = 1 WHERE EXISTS (SELECT 1 FROM index_jobs WHERE status = 'blocked')"
        " AND NOT EXISTS (SELECT 1 FROM index_jobs WHERE status = 'running')"
    )
    return connection.changes() > 0


def page(connection: apsw.Connection, status: str | None, root: str | None, limit: int, offset: int) -> tuple[list[Job], int]:
    """Jobs, the newest first, and how many there are in all."""
    with snapshot(connection):
        rows = connection.execute(
            f"{_PAGE} ORDER BY created_at DESC, job_id LIMIT ?3 OFFSET ?4", (status, root, limit, offset)
        ).fetchall()
        total = connection.execute(f"SELECT count(*) FROM ({_PAGE})", (status, root)).get
    return [as_job(row) for row in rows], int(total)


def events(connection: apsw.Connection, job_id: str) -> list[tuple[str, str, str]]:
    """What happened to a job, oldest first: when, what, and why or where."""
    sql = "SELECT at, event, detail FROM index_job_events WHERE job_id = ? ORDER BY event_id"
    with sqlite_errors():
        return [(str(at), str(event), str(detail)) for at, event, detail in connection.execute(sql, (job_id,))]


def why_not_shared(connection: apsw.Connection, job_id: str) -> str | None:
    """Why the team's server has not got what a job has indexed; None where it has, or nobody has failed to send it."""
    found = connection.execute(_NOT_SHARED, (job_id, NOT_SHARED)).get
    return str(found) if found is not None else None


def prune(connection: apsw.Connection) -> int:
    """Forgets the jobs that ended more than `KEPT_DAYS` ago, and returns how many."""
    before = timestamps.from_datetime(datetime.now(UTC) - timedelta(days=KEPT_DAYS))
    with immediate(connection):
        return _delete(connection, "ended_at < ?", before)


def forget(connection: apsw.Connection, root: str) -> int:
    """Forgets the ended jobs of a repository, inside a transaction of the caller's; returns how many."""
    return _delete(connection, "root = ? AND ended_at IS NOT NULL", root)


def _delete(connection: apsw.Connection, condition: str, value: str) -> int:
    which = f"SELECT job_id FROM index_jobs WHERE {condition}"
    for table in ("index_job_files", "index_job_skipped", "index_job_events"):
        connection.execute(f"DELETE FROM {table} WHERE job_id IN ({which})", (value,))
    connection.execute(f"DELETE FROM index_jobs WHERE {condition}", (value,))
    return connection.changes()
