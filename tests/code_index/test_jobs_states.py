"""A job's state changes along the table of transitions, and in no other way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from localfirst_schema.errors import InvalidStateError, NotFoundError

from localfirst.code_index.jobs import table
from localfirst.code_index.jobs.job import Job
from localfirst.code_index.jobs.states import FINAL, TRANSITIONS, JobState
from localfirst.code_index.jobs.transition import move
from localfirst.replica.connection import immediate
from localfirst.replica.opening import open_replica

WAY_TO = {
    JobState.PENDING: (),
    JobState.RUNNING: (JobState.RUNNING,),
    JobState.BLOCKED: (JobState.RUNNING, JobState.BLOCKED),
    JobState.COMPLETED: (JobState.RUNNING, JobState.COMPLETED),
    JobState.FAILED: (JobState.FAILED,),
    JobState.CANCELLED: (JobState.CANCELLED,),
}

ALLOWED = {
    "pending running",
    "pending cancelled",
    "pending failed",
    "running completed",
    "running failed",
    "running cancelled",
    "running blocked",
    "blocked running",
    "blocked failed",
    "blocked cancelled",
}
"""The tool contract's sentence, pair by pair."""


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[apsw.Connection]:
    connection = open_replica(tmp_path / "r.sqlite3", None)
    yield connection
    connection.close()


def created(replica: apsw.Connection, root: Path = Path("/a/repository")) -> Job:
    with immediate(replica):
        return table.create_or_join(replica, root, root.name, force=False, estimated_seconds=3.0)[0]


def test_the_table_says_what_the_contract_says() -> None:
    assert {f"{state} {following}" for state in JobState for following in TRANSITIONS[state]} == ALLOWED
    assert {"completed", "failed", "cancelled"} == FINAL


@pytest.mark.parametrize("before", JobState)
@pytest.mark.parametrize("after", JobState)
def test_only_the_transitions_of_the_table_are_made(replica: apsw.Connection, before: JobState, after: JobState) -> None:
    job = created(replica)
    for state in WAY_TO[before]:
        move(replica, job.job_id, state)
    if f"{before} {after}" in ALLOWED:
        assert move(replica, job.job_id, after).status is after
    else:
        with pytest.raises(InvalidStateError) as refused:
            move(replica, job.job_id, after)
        assert refused.value.details["status"] == before
        assert table.find(replica, job.job_id).status is before


def test_a_final_state_has_its_time_and_leaves_no_file_list(replica: apsw.Connection) -> None:
    job = created(replica)
    replica.execute("INSERT INTO index_job_files (job_id, path) VALUES (?, 'a.py')", (job.job_id,))
    ended = move(replica, job.job_id, JobState.CANCELLED)
    assert ended.ended_at is not None
    assert ended.started_at is None
    assert replica.execute("SELECT count(*) FROM index_job_files").get == 0


def test_the_reason_of_a_blocked_job_goes_when_it_goes_on(replica: apsw.Connection) -> None:
    job = created(replica)
    began = move(replica, job.job_id, JobState.RUNNING)
    blocked = move(replica, job.job_id, JobState.BLOCKED, "the disk is full")
    assert blocked.blocked_reason == "the disk is full"
    again = move(replica, job.job_id, JobState.RUNNING)
    assert again.blocked_reason is None
    assert again.started_at == began.started_at, "it started once"


def test_every_change_of_state_is_an_event(replica: apsw.Connection) -> None:
    job = created(replica)
    move(replica, job.job_id, JobState.RUNNING)
    move(replica, job.job_id, JobState.FAILED, "the directory is gone", "RepositoryGoneError")
    reported = [(event, detail) for _, event, detail in table.events(replica, job.job_id)]
    assert reported == [("created", ""), ("running", ""), ("failed", "the directory is gone")]


def test_a_job_that_nobody_knows_is_not_found(replica: apsw.Connection) -> None:
    with pytest.raises(NotFoundError):
        move(replica, "no-such-job", JobState.CANCELLED)


def test_a_repository_has_one_active_job_and_any_number_of_ended_ones(replica: apsw.Connection) -> None:
    first = created(replica)
    assert created(replica).job_id == first.job_id
    move(replica, first.job_id, JobState.CANCELLED)
    second = created(replica)
    assert second.job_id != first.job_id
    assert created(replica, Path("/another")).job_id not in (first.job_id, second.job_id)
    jobs, total = table.page(replica, None, "/a/repository", 10, 0)
    assert [job.job_id for job in jobs] == [second.job_id, first.job_id]
    assert total == 2


def test_the_store_itself_refuses_a_second_active_job(replica: apsw.Connection) -> None:
    created(replica)
    with pytest.raises(apsw.ConstraintError):
        replica.execute(
            "INSERT INTO index_jobs (job_id, root, name, force_reindex, status, phase, estimated_seconds, created_at)"
            " VALUES ('other', '/a/repository', 'x', 0, 'pending', 'Scanning', 1, '2026-01-01T00:00:00.000000Z')"
        )


def test_jobs_are_forgotten_seven_days_after_their_end(replica: apsw.Connection) -> None:
    old, recent, active = (created(replica, Path(f"/{name}")) for name in ("old", "recent", "active"))
    for job in (old, recent):
        move(replica, job.job_id, JobState.CANCELLED)
    replica.execute(
        "UPDATE index_jobs SET ended_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-7 days', '-1 minute') WHERE job_id = ?",
        (old.job_id,),
    )
    replica.execute("UPDATE index_jobs SET created_at = '2020-01-01T00:00:00.000000Z' WHERE job_id = ?", (active.job_id,))
    assert table.prune(replica) == 1
    assert {job.job_id for job in table.page(replica, None, None, 10, 0)[0]} == {recent.job_id, active.job_id}
    assert table.events(replica, old.job_id) == []
    assert table.events(replica, recent.job_id) != []


def test_finding_active_jobs_reads_no_past_ones(replica: apsw.Connection) -> None:
    plan = replica.execute(f"EXPLAIN QUERY PLAN {table._ALL_ACTIVE}").fetchall()
    assert any("index_jobs_one_per_repository" in str(row[3]) for row in plan), plan
