"""What a job tells: its progress, its files, its estimate; and what it says of a directory that cannot be indexed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import get_args

import apsw
import pytest
from localfirst_schema.errors import ValidationError
from localfirst_schema.types import SkipRuleName

from localfirst.code_index.jobs import estimate, file_list, table, words
from localfirst.code_index.jobs.job import Job
from localfirst.code_index.jobs.phase import Phase, percentage
from localfirst.code_index.jobs.states import JobState
from localfirst.code_index.jobs.target import repository_root
from localfirst.code_index.jobs.transition import move
from localfirst.code_index.skipped import TROUBLES, Skipped, SkipRule
from localfirst.replica.connection import immediate
from localfirst.replica.opening import open_replica


@pytest.fixture
def replica(tmp_path: Path) -> apsw.Connection:
    return open_replica(tmp_path / "r.sqlite3", None)


@pytest.fixture
def job(replica: apsw.Connection) -> Job:
    with immediate(replica):
        job, _ = table.create_or_join(replica, Path("/a/repository"), "repository", force=False, estimated_seconds=30.0)
    return move(replica, job.job_id, JobState.RUNNING)


def test_progress_rises_through_the_phases_and_ends_at_a_hundred() -> None:
    steps = [percentage(phase, done, 10) for phase in Phase for done in range(11)]
    assert steps == sorted(steps)
    assert steps[0] == 0
    assert steps[-1] == 100
    assert max(percentage(phase, 10, 10) for phase in Phase if phase is not Phase.COMPLETE) <= 100


def test_a_phase_of_unknown_size_has_just_begun() -> None:
    assert percentage(Phase.EMBEDDING, 500, None) == percentage(Phase.EMBEDDING, 0, 10)
    assert percentage(Phase.CHUNKING, 0, 0) == percentage(Phase.CHUNKING, 0, 10)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.COMPLETE])
def test_the_message_names_the_phase_first(job: Job, phase: Phase) -> None:
    assert words.progress(job._replace(phase=phase)).startswith(f"{phase}: ")


def test_the_message_of_a_completed_job_says_complete(replica: apsw.Connection, job: Job) -> None:
    assert words.progress(move(replica, job.job_id, JobState.COMPLETED)).startswith("Complete: ")


def test_a_file_list_counts_only_when_all_of_it_is_there(
    replica: apsw.Connection, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_list, "BATCH", 10)
    skipped = [Skipped(f"pictures/{n}.png", SkipRule.BINARY) for n in range(15)]
    file_list.take(replica, job.job_id, ["half of an earlier list"], 1, 0, [])
    file_list.take(replica, job.job_id, [f"{n}.py" for n in range(25)], 40, 15, skipped)
    listed = table.find(replica, job.job_id)
    assert listed.is_listed
    assert (listed.files_total, listed.files_scanned, listed.files_unchanged, listed.files_skipped) == (25, 40, 15, 15)
    assert file_list.left(replica, job.job_id) == {f"{n}.py" for n in range(25)}
    assert file_list.skipped_by_rule(replica, job.job_id) == {"binary": 15}


def test_the_list_of_a_job_that_was_cancelled_meanwhile_does_not_count(replica: apsw.Connection, job: Job) -> None:
    move(replica, job.job_id, JobState.CANCELLED)
    file_list.take(replica, job.job_id, ["a.py"], 1, 0, [])
    assert not table.find(replica, job.job_id).is_listed
    assert file_list.left(replica, job.job_id) == set()


def test_problems_name_the_first_files_that_could_not_be_read_and_count_the_rest(replica: apsw.Connection, job: Job) -> None:
    skipped = [Skipped(f"secret/{n:02}.py", SkipRule.UNREADABLE, "Permission denied") for n in range(9)]
    file_list.take(replica, job.job_id, [], 9, 0, [*skipped, Skipped("a.png", SkipRule.BINARY)])
    troubled = file_list.skipped_files(replica, job.job_id, TROUBLES, words.FILES_NAMED)
    reported = words.problems(troubled, file_list.skipped_by_rule(replica, job.job_id))
    assert reported[0] == "skipped secret/00.py: unreadable (Permission denied)"
    assert len(reported) == 6
    assert reported[-1].startswith("4 more files")


def test_the_time_that_is_left_shrinks_between_two_signs_of_life(replica: apsw.Connection, job: Job) -> None:
    long_ago = job._replace(seconds_left=100.0, renewed_at="2026-01-01T00:00:00.000000Z")
    assert words.seconds_left(long_ago) == 0
    assert words.seconds_left(job) == 30.0, "the estimate, before there is a pace"
    assert words.seconds_left(move(replica, job.job_id, JobState.BLOCKED, "no space")) is None
    assert words.seconds_left(move(replica, job.job_id, JobState.CANCELLED)) == 0


def test_earlier_jobs_say_how_long_the_next_one_takes(replica: apsw.Connection, job: Job, tmp_path: Path) -> None:
    root = tmp_path / "code"
    root.mkdir()
    for number in range(100):
        (root / f"{number}.py").write_text("pass\n")
    assert estimate.duration_s(replica, root, force=False) == pytest.approx(1.5)
    move(replica, job.job_id, JobState.COMPLETED)
    replica.execute("UPDATE index_jobs SET files_indexed = 1000, worked_seconds = 20")
    assert estimate.duration_s(replica, root, force=False) == pytest.approx(3.0)


def test_git_says_how_many_files_there_are_without_a_walk(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number}.py").write_text("pass\n")
    (tmp_path / "ignored.log").write_text("")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert estimate.file_count(tmp_path) == 13
    subprocess.run(["git", "-C", str(tmp_path), "add", "--", *(f"{n}.py" for n in range(12))], check=True)
    assert estimate.file_count(tmp_path) == 12


def test_a_path_has_to_be_absolute_existing_a_directory_and_readable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cases = {
        "relative/path": "absolute",
        "~/code": "absolute",
        str(tmp_path / "missing"): "exist",
        str(tmp_path / "file"): "directory",
        str(tmp_path / "file" / "below"): "exist",
    }
    for given, constraint in cases.items():
        with pytest.raises(ValidationError) as refused:
            repository_root(given)
        assert refused.value.details["field"] == "repo_path"
        assert constraint in refused.value.details["constraint"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_directory_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    with pytest.raises(ValidationError) as refused:
        repository_root(str(closed))
    assert "readable" in refused.value.details["constraint"]
    closed.chmod(0o700)


def test_links_to_a_directory_are_the_same_repository(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "code")
    assert repository_root(str(tmp_path / "link")) == repository_root(f"{tmp_path}/code/../code")


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ValidationError):
        repository_root(str(tmp_path / "loop"))


def test_every_rule_can_be_asked_for() -> None:
    assert set(get_args(SkipRuleName)) == {rule.value for rule in SkipRule}
