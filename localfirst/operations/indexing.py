"""Indexing repositories: jobs that a worker of their own carries out (`localfirst.code_index.jobs`, `.worker`)."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
from localfirst_schema.arguments import IndexingStatusOf, IndexRepository, ListIndexingJobs, OneIndexingJob, StartIndexing
from localfirst_schema.errors import InvalidStateError, UnavailableError
from localfirst_schema.results import (
    IndexingCancelled,
    IndexingJobs,
    IndexingStarted,
    IndexingStatus,
    RepositoryIndexed,
)

from localfirst.client.follow_up import FOLLOW_UP_FAILED, tried
from localfirst.client.ports import Reader
from localfirst.code_index.file_name import displayed
from localfirst.code_index.jobs import estimate, file_list, table, words
from localfirst.code_index.jobs.job import Job
from localfirst.code_index.jobs.states import FINAL, JobState
from localfirst.code_index.jobs.target import known_root, repository_root
from localfirst.code_index.jobs.transition import move_within
from localfirst.code_index.skipped import TROUBLES
from localfirst.code_index.store import repositories
from localfirst.code_index.worker import start as worker
from localfirst.operations.operation import Operation
from localfirst.replica.connection import connect, immediate

logger = logging.getLogger("localfirst")

SMALL_S = 60.0
"""What is estimated to take longer is not waited for."""

WAIT_S = 50.0
"""The longest wait: many clients give a call up after a minute."""

LOOK_EVERY_S = 0.1

SKIPPED_NAMED = 200
"""Files that a rule left out, named at most at a time; `skipped_by_rule` counts all."""


def start_indexing(session: Reader, arguments: StartIndexing) -> dict[str, Any]:
    """Notes the job, and sees to it that a worker is there; returns without waiting for it."""
    root = repository_root(arguments.repo_path)
    seconds = estimate.duration_s(session.replica, root, force=arguments.force_reindex)
    with session.act(is_shared=False) as act:
        job, is_new, is_to_change = _note(act.connection, root, arguments, seconds)
        act.answer = answer = _started(job, arguments, is_new=is_new)
    return answer | {"warnings": _ensured(session, is_to_change=is_to_change)}


def _ensured(session: Reader, *, is_to_change: bool) -> list[str]:
    """Sees to it that a worker is there for a job that is noted. Returns warnings: without one the next client starts it."""
    warnings: list[str] = []
    tried(lambda: (worker.ensure_another if is_to_change else worker.ensure)(session.settings), None, warnings)
    return warnings


def _note(
    connection: apsw.Connection, root: Path, arguments: StartIndexing | IndexRepository, seconds: float
) -> tuple[Job, bool, bool]:
    """The job, whether it is new, and whether another worker is to be started in place of one that only waits."""
    name = arguments.name or repositories.usual_name(connection, root)
    job, is_new = table.create_or_join(connection, root, name, force=arguments.force_reindex, estimated_seconds=seconds)
    return job, is_new, table.ask_worker_to_end(connection)


def _started(job: Job, arguments: StartIndexing, *, is_new: bool) -> dict[str, Any]:
    if is_new:
        sentence = "the job was created; get_indexing_status tells how far it is, cancel_indexing_background stops it."
    else:
        sentence = f"a job for this repository is {job.status.value} already: this is its id, no second one was created."
        if arguments.force_reindex and not job.force_reindex:
            sentence += " It reads only what changed; ask again after its end to have every file read."
    return {
        "success": True,
        "warnings": [],
        "job_id": job.job_id,
        "status": job.status.value,
        "message": sentence,
        "estimated_duration_seconds": job.estimated_seconds,
    }


def status(session: Reader, arguments: IndexingStatusOf) -> dict[str, Any]:
    """How far a job is. Jobs are in the replica alone: where it cannot even be read, raises the error that says why."""
    session.require_index()
    job = table.find(session.replica, arguments.job_id)
    if job.status not in FINAL and not session.is_replica_away:
        worker.ensure(session.settings)
    skipped = {
        "skipped_by_rule": _by_rule(session.replica, job),
        "skipped_files": _skipped_files(session.replica, job, arguments.skipped_rule),
    }
    return _present(session.replica, job) | skipped | _source(session)


def _skipped_files(connection: apsw.Connection, job: Job, rule: str | None) -> list[dict[str, str]]:
    if rule is None:
        return []
    found = file_list.skipped_files(connection, job.job_id, [rule], SKIPPED_NAMED)
    return [{"file_path": displayed(one.path), "rule": one.rule.value, "detail": one.detail} for one in found]


def _source(session: Reader) -> dict[str, Any]:
    """The common fields of a result about jobs: the server knows nothing of them, so it makes none older."""
    if session.is_replica_away:
        return session.of_replica()
    return {"success": True, "warnings": [], "data_source": "sqlite_cache"}


def cancel(session: Reader, arguments: OneIndexingJob) -> dict[str, Any]:
    """Cancels a job: at once for everybody who asks; the worker stops at its next transaction."""
    with session.act(is_shared=False) as act:
        job = move_within(act.connection, arguments.job_id, JobState.CANCELLED)
        sentence = f"the job was cancelled; {words.done(job)}, and what is in the index stays."
        answer = {"success": True, "warnings": [], "job_id": job.job_id, "status": job.status.value, "message": sentence}
        act.answer = answer
    return answer


def list_jobs(session: Reader, arguments: ListIndexingJobs) -> dict[str, Any]:
    """A page of jobs."""
    root = known_root(arguments.repo_path) if arguments.repo_path is not None else None
    jobs, total = table.page(session.replica, arguments.status, root, arguments.limit, arguments.offset)
    if not session.is_replica_away and table.has_active(session.replica):
        worker.ensure(session.settings)
    return {"jobs": [_present(session.replica, job) for job in jobs], "total_count": total} | _source(session)


def index_repository(session: Reader, arguments: IndexRepository) -> dict[str, Any]:
    """Has a repository indexed and waits for it, unless that takes long: then the job goes on in the background.

    Runs in a thread of its own, and so on a connection of its own.
    """
    root = repository_root(arguments.repo_path)
    if not session.settings.replica.exists():
        raise UnavailableError(
            "the replica's file is not in its place at the moment; call index_repository again.", cause="replica"
        )
    connection = connect(session.settings.replica)
    try:
        seconds = estimate.duration_s(connection, root, force=arguments.force_reindex)
        with immediate(connection):
            job, _, is_to_change = _note(connection, root, arguments, seconds)
            noted = _whole(connection, job)
    except BaseException:
        connection.close()
        raise
    try:
        with closing(connection):
            warnings = _ensured(session, is_to_change=is_to_change)
            return _whole(connection, _wait(session, connection, job)) | {"warnings": warnings}
    except InvalidStateError:  # the job failed
        raise
    except Exception as error:
        logger.error("a job that was noted cannot be followed", exc_info=error)
        return noted | {"warnings": [FOLLOW_UP_FAILED]}


def _whole(connection: apsw.Connection, job: Job) -> dict[str, Any]:
    """A job as `index_repository` shows it."""
    more = {"estimated_duration_seconds": job.estimated_seconds, "skipped_by_rule": _by_rule(connection, job)}
    return {"success": True, "message": _outcome(job)} | _present(connection, job) | more


def _wait(session: Reader, connection: apsw.Connection, job: Job) -> Job:
    """Until the job ends, or turns out to take long. Raises InvalidStateError if it fails."""
    deadline = time.monotonic() + WAIT_S
    while job.status not in FINAL and (words.seconds_left(job) or 0.0) <= SMALL_S and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
        job = table.find(connection, job.job_id)
        worker.ensure(session.settings)
    if job.status is JobState.FAILED:
        raise InvalidStateError(
            f"the repository could not be indexed: {job.error_message}.", job_id=job.job_id, error_type=job.error_type
        )
    return job


def _outcome(job: Job) -> str:
    if job.status in FINAL:
        return f"the job is {job.status.value}: {words.done(job)}."
    return (
        f"the job goes on in the background, since it takes long: get_indexing_status tells how far {job.job_id} is;"
        " search_code finds what is indexed already."
    )


def _by_rule(connection: apsw.Connection, job: Job) -> dict[str, int]:
    return file_list.skipped_by_rule(connection, job.job_id) if job.files_skipped else {}


def _present(connection: apsw.Connection, job: Job) -> dict[str, Any]:
    """The fields of a job's status."""
    return {
        "warnings": [],
        "problems": _problems(connection, job),
        "job_id": job.job_id,
        "repo_path": job.root,
        "name": job.name,
        "status": job.status.value,
        "phase": job.phase.value,
        "progress_percentage": job.progress_percentage,
        "progress_message": words.progress(job),
        "files_scanned": job.files_scanned,
        "files_indexed": job.files_indexed,
        "files_unchanged": job.files_unchanged,
        "files_skipped": job.files_skipped,
        "files_deleted": job.files_deleted,
        "files_to_do": job.files_total,
        "files_done": job.files_done,
        "chunks_created": job.chunks_created,
        "chunks_to_embed": job.chunks_to_embed,
        "chunks_embedded": job.chunks_embedded,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "renewed_at": job.renewed_at,
        "completed_at": job.ended_at if job.status in (JobState.COMPLETED, JobState.FAILED) else None,
        "cancelled_at": job.ended_at if job.status is JobState.CANCELLED else None,
        "blocked_reason": job.blocked_reason,
        "error_message": job.error_message,
        "error_type": job.error_type,
        "estimated_time_remaining_seconds": words.seconds_left(job),
    }


def _problems(connection: apsw.Connection, job: Job) -> list[str]:
    found = []
    if job.files_skipped and (troubled := file_list.skipped_files(connection, job.job_id, TROUBLES, words.FILES_NAMED)):
        found = words.problems(troubled, file_list.skipped_by_rule(connection, job.job_id))
    if job.status is JobState.COMPLETED and (why := table.why_not_shared(connection, job.job_id)) is not None:
        found.append(f"the index is not shared with the team: {why}")
    return found


OPERATIONS = (
    Operation(
        "start_indexing_background",
        "Index a repository in the background",
        "Starts a job that indexes a repository's code for search_code, and returns its id at once. Only what changed since"
        " the last time is read. The job goes on when this server ends.",
        StartIndexing,
        IndexingStarted,
        start_indexing,
        "create",
        idempotent=True,
        groups=("index",),
        command="index",
    ),
    Operation(
        "get_indexing_status",
        "Status of an indexing job",
        "How far an indexing job is: its phase, percentage, counts, the time that remains, and what went wrong. With"
        " `skipped_rule` also which files that rule left out.",
        IndexingStatusOf,
        IndexingStatus,
        status,
        "read",
        idempotent=True,
        groups=("index",),
        command="jobs show",
        of_replica_alone=True,
    ),
    Operation(
        "cancel_indexing_background",
        "Cancel an indexing job",
        "Stops an indexing job. What it has indexed stays searchable; a later job goes on from there.",
        OneIndexingJob,
        IndexingCancelled,
        cancel,
        "update",
        groups=("index",),
        command="jobs cancel",
    ),
    Operation(
        "list_indexing_jobs",
        "List indexing jobs",
        "The indexing jobs of the last seven days, newest first, by state or repository.",
        ListIndexingJobs,
        IndexingJobs,
        list_jobs,
        "read",
        idempotent=True,
        groups=("index",),
        command="jobs list",
        of_replica_alone=True,
    ),
    Operation(
        "index_repository",
        "Index a repository",
        "Indexes a repository's code for search_code and waits for it; when it takes longer than a minute, the job goes on in"
        " the background and its id is returned.",
        IndexRepository,
        RepositoryIndexed,
        index_repository,
        "create",
        idempotent=True,
        groups=("index",),
        blocks=True,
    ),
)
