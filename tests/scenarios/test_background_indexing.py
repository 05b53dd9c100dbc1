"""Background indexing over stdio: the five scenarios of the feature, and its edge cases."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import psutil
from code_index.workers import kill_worker, processes, repository, rows, worker_pid
from contract.agent import Agent, Answer, working
from contract.laptop import Laptop
from waiting import until

from scenarios.conftest import Start

FINAL = {"completed", "failed", "cancelled"}
PHASES = ["Scanning", "Chunking", "Embedding", "Writing", "Complete"]
STATUS_FIELDS = {
    "status",
    "phase",
    "progress_percentage",
    "progress_message",
    "files_scanned",
    "files_indexed",
    "files_unchanged",
    "files_skipped",
    "files_deleted",
    "chunks_created",
    "created_at",
    "started_at",
    "completed_at",
    "cancelled_at",
    "error_message",
    "error_type",
    "estimated_time_remaining_seconds",
    "warnings",
}


def begin(agent: Agent, root: Path, **more: object) -> str:
    return str(agent.call("start_indexing_background", repo_path=str(root), **more)["job_id"])


def status(agent: Agent, job_id: str) -> Answer:
    return agent.call("get_indexing_status", job_id=job_id)


def ended(agent: Agent, job_id: str, seconds: float = 90) -> Answer:
    return until(lambda: (now := status(agent, job_id))["status"] in FINAL and now, seconds, f"the end of {job_id}")


def at_work(agent: Agent, job_id: str) -> Answer:
    """The job's status as soon as some of its files, and not all, are in the index."""
    return until(
        lambda: (now := status(agent, job_id))["phase"] == "Chunking" and now["files_indexed"] > 0 and now, 60, "a job at work"
    )


# The five scenarios


def test_basic_a_job_is_created_at_once_and_indexes_everything(agent: Agent, laptop: Laptop) -> None:
    root = repository(laptop.directory / "code", files=40)
    (root / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    began = time.monotonic()
    created = agent.call("start_indexing_background", repo_path=str(root), name="the code")
    assert time.monotonic() - began < 5, "a second on a machine that has nothing else to do"
    assert created["status"] in ("pending", "running")
    assert created["message"]
    assert created["estimated_duration_seconds"] > 0

    done = ended(agent, created["job_id"])
    assert set(done) >= STATUS_FIELDS
    assert done["status"] == "completed", done
    assert done["phase"] == "Complete"
    assert done["progress_message"].startswith("Complete")
    assert done["progress_percentage"] == 100
    assert done["files_indexed"] == 40
    assert done["files_skipped"] == 1
    assert done["chunks_created"] >= 40
    assert done["created_at"] <= done["started_at"] <= done["completed_at"]
    assert done["cancelled_at"] is None
    assert done["error_message"] is None
    assert done["estimated_time_remaining_seconds"] == 0
    assert done["warnings"] == []
    assert rows(laptop.replica, "SELECT name, indexed_at IS NOT NULL FROM code_repositories") == [("the code", 1)]
    assert rows(laptop.replica, "SELECT count(*) FROM code_files") == [(40,)]
    assert rows(laptop.replica, "SELECT count(*) FROM code_unembedded") == [(0,)]


def test_basic_a_second_job_touches_only_what_changed(agent: Agent, laptop: Laptop) -> None:
    root = repository(laptop.directory / "code", files=30)
    ended(agent, begin(agent, root))
    changed, gone, *_ = sorted(root.rglob("*.py"))
    changed.write_text("def renewed() -> None:\n    pass\n")
    gone.unlink()
    again = ended(agent, begin(agent, root))
    assert again["status"] == "completed", again
    assert (again["files_indexed"], again["files_deleted"], again["files_unchanged"]) == (1, 1, 28)
    forced = ended(agent, begin(agent, root, force_reindex=True))
    assert (forced["files_indexed"], forced["files_unchanged"]) == (29, 0)


def test_progress_never_falls_and_passes_through_the_phases_in_order(agent: Agent, laptop: Laptop) -> None:
    job_id = begin(agent, repository(laptop.directory / "code", files=400))
    seen = []
    while (now := status(agent, job_id))["status"] not in FINAL:
        seen.append(now)
        time.sleep(0.02)
    seen.append(now)
    assert now["status"] == "completed", now
    for counter in ("progress_percentage", "files_indexed", "chunks_created"):
        values = [one[counter] for one in seen]
        assert values == sorted(values), counter
    phases = [PHASES.index(one["phase"]) for one in seen]
    assert phases == sorted(phases)
    assert len(set(phases)) >= 3, "a job of this size is seen at work"
    for one in seen:
        assert one["progress_message"].startswith(one["phase"])
        assert one["progress_percentage"] < 100 or one["status"] == "completed"
        assert one["estimated_time_remaining_seconds"] is None or one["estimated_time_remaining_seconds"] >= 0


def test_cancel_a_running_job_stops_and_what_was_done_stays(agent: Agent, laptop: Laptop) -> None:
    root = repository(laptop.directory / "code", files=1500)
    job_id = begin(agent, root)
    at_work(agent, job_id)
    cancelled = agent.call("cancel_indexing_background", job_id=job_id)
    assert cancelled["status"] == "cancelled"
    after = status(agent, job_id)
    assert after["status"] == "cancelled"
    assert after["cancelled_at"] is not None
    assert after["completed_at"] is None
    until(lambda: not processes(laptop.replica), 30, "the end of the work")
    ((settled,),) = rows(laptop.replica, "SELECT count(*) FROM code_files")
    assert 0 < settled < 1500
    ((last,),) = rows(laptop.replica, "SELECT max(seen_ns) FROM code_files")
    cancelled_at = datetime.fromisoformat(after["cancelled_at"]).timestamp()
    assert last / 1e9 - cancelled_at < 5, "no file was read later than that"

    whole = ended(agent, begin(agent, root))
    assert whole["status"] == "completed"
    assert whole["files_indexed"] == 1500 - settled, "a later job goes on from there"


def test_cancel_a_pending_job_never_starts_it(agent: Agent, laptop: Laptop) -> None:
    running = [begin(agent, repository(laptop.directory / f"code{n}", files=600, seed=n)) for n in range(3)]
    waiting = begin(agent, repository(laptop.directory / "waiting", files=5))
    agent.call("cancel_indexing_background", job_id=waiting)
    for job_id in running:
        agent.call("cancel_indexing_background", job_id=job_id)
    until(lambda: worker_pid(laptop.replica) is None, 30, "the end of the worker")
    never = status(agent, waiting)
    assert never["started_at"] is None
    assert never["files_scanned"] == 0


def test_restart_a_job_outlives_its_client(laptop: Laptop) -> None:
    root = repository(laptop.directory / "code", files=500)
    with working(laptop) as first:
        job_id = begin(first, root)
        at_work(first, job_id)
    pid = worker_pid(laptop.replica)
    assert pid is not None, "the worker is alive without any client"
    with working(laptop) as second:
        assert ended(second, job_id)["status"] == "completed"
        assert rows(laptop.replica, "SELECT starts FROM index_jobs") == [(1,)]


def test_restart_a_killed_worker_goes_on_where_it_was(laptop: Laptop) -> None:
    root = repository(laptop.directory / "code", files=1200)
    with working(laptop) as first:
        job_id = begin(first, root)
        before = at_work(first, job_id)
        server = next(p for p in psutil.Process().children(recursive=True) if p.cmdline()[-1:] == ["mcp"])
        server.kill()
        killed = kill_worker(laptop.replica)
        at_kill = rows(laptop.replica, "SELECT files_indexed FROM index_jobs")[0][0]
    assert at_kill >= before["files_indexed"]
    with working(laptop) as second:
        began = time.monotonic()
        pid = until(lambda: worker_pid(laptop.replica), 10, "another worker")
        assert pid != killed
        until(lambda: rows(laptop.replica, "SELECT starts FROM index_jobs") == [(2,)], 10, "the job to go on")
        assert time.monotonic() - began < 10
        done = ended(second, job_id)
    assert done["status"] == "completed", done
    assert done["files_indexed"] == 1200, "each file once"
    assert rows(laptop.replica, "SELECT count(*) FROM code_files") == [(1200,)]


def test_restart_a_worker_that_is_reported_to_end_stops_cleanly_and_another_goes_on(agent: Agent, laptop: Laptop) -> None:
    job_id = begin(agent, repository(laptop.directory / "code", files=1200))
    at_work(agent, job_id)
    pid = until(lambda: worker_pid(laptop.replica), 10, "a worker")
    os.kill(pid, signal.SIGTERM)
    until(lambda: not psutil.pid_exists(pid), 15, "the end of the worker")
    done = ended(agent, job_id)
    assert done["status"] == "completed"
    assert done["files_indexed"] == 1200


def test_concurrency_three_jobs_run_and_the_fourth_waits_for_its_turn(agent: Agent, laptop: Laptop) -> None:
    roots = [repository(laptop.directory / f"code{n}", files=400, seed=n) for n in range(4)]
    jobs = [begin(agent, root) for root in roots]
    assert len(set(jobs)) == 4
    most, waited = 0, False
    while pages := [one for one in agent.call("list_indexing_jobs")["jobs"] if one["status"] not in FINAL]:
        running = sum(one["status"] == "running" for one in pages)
        most = max(most, running)
        waited = waited or (running == 3 and pages[0]["status"] == "pending")
        time.sleep(0.02)
    states = [status(agent, job_id) for job_id in jobs]
    assert [one["status"] for one in states] == ["completed"] * 4
    assert most == 3
    assert waited
    assert rows(laptop.replica, "SELECT count(*) FROM code_files") == [(1600,)]
    listed = agent.call("list_indexing_jobs")
    assert listed["total_count"] == 4
    assert [one["job_id"] for one in listed["jobs"]] == jobs[::-1], "the newest first"
    assert agent.call("list_indexing_jobs", repo_path=str(roots[0]))["jobs"][0]["job_id"] == jobs[0]
    assert agent.call("list_indexing_jobs", status="failed")["jobs"] == []


def test_concurrency_people_write_while_jobs_run(agent: Agent, laptop: Laptop) -> None:
    jobs = [begin(agent, repository(laptop.directory / f"code{n}", files=300, seed=n)) for n in range(3)]
    item = agent.create("Written meanwhile")
    writes = 0
    while any(status(agent, job_id)["status"] not in FINAL for job_id in jobs):
        item = agent.update(item, title=f"Written meanwhile {writes}")
        writes += 1
    assert writes > 5
    assert agent.read(item)["title"] == f"Written meanwhile {writes - 1}"


# Edge cases


def test_an_invalid_path_is_refused_with_the_rule_that_it_breaks(agent: Agent, laptop: Laptop) -> None:
    (laptop.directory / "file.txt").write_text("text")
    for path, rule in (
        ("relative/path", "absolute"),
        (str(laptop.directory / "missing"), "exist"),
        (str(laptop.directory / "file.txt"), "directory"),
        ("", "character"),
    ):
        for tool in ("start_indexing_background", "index_repository"):
            refusal = agent.invalid("repo_path", tool, repo_path=path)
            assert rule in refusal.details["constraint"], (tool, refusal)
    agent.invalid("repo_path", "start_indexing_background")
    agent.invalid("job_id", "get_indexing_status")
    assert agent.call("list_indexing_jobs")["total_count"] == 0
    assert worker_pid(laptop.replica) is None, "nothing to do, no worker"


def test_a_duplicate_gives_the_job_that_is_there(start: Start, laptop: Laptop) -> None:
    root = repository(laptop.directory / "code", files=300)
    (laptop.directory / "link").symlink_to(root)
    agents = [start(f"agent{n}") for n in range(3)]
    paths = [root, laptop.directory / "link", laptop.directory / "code" / "." / ".." / "code"]
    with ThreadPoolExecutor(3) as pool:
        jobs = set(pool.map(begin, agents, paths))
    assert len(jobs) == 1, "all three asked at once, and got one job"
    (job_id,) = jobs
    assert ended(agents[0], job_id)["status"] == "completed"
    assert begin(agents[0], root) != job_id, "after its end there may be another"


def test_an_unknown_job_is_not_found(agent: Agent) -> None:
    for tool in ("get_indexing_status", "cancel_indexing_background"):
        for job_id in (str(uuid4()), "no-such-job"):
            refusal = agent.refused(tool, job_id=job_id)
            assert refusal.kind == "NotFoundError"
            assert refusal.details["id"] == job_id


def test_without_a_replica_jobs_are_unavailable_rather_than_unknown(start: Start, laptop: Laptop) -> None:
    away = start(LOCALFIRST_REPLICA="/dev/null/replica.db")
    root = repository(laptop.directory / "code", files=1)
    for tool, arguments in (
        ("start_indexing_background", {"repo_path": str(root)}),
        ("index_repository", {"repo_path": str(root)}),
        ("get_indexing_status", {"job_id": str(uuid4())}),
        ("cancel_indexing_background", {"job_id": str(uuid4())}),
    ):
        assert away.refused(tool, **arguments).kind == "UnavailableError", tool
    listed = away.call("list_indexing_jobs")
    assert (listed["jobs"], listed["warnings"]) == ([], ["using_markdown_fallback"])


def test_a_finished_job_cannot_be_cancelled(agent: Agent, laptop: Laptop) -> None:
    done = begin(agent, repository(laptop.directory / "code", files=3))
    ended(agent, done)
    refusal = agent.refused("cancel_indexing_background", job_id=done)
    assert refusal.kind == "InvalidStateError"
    assert refusal.details["status"] == "completed"

    stopped = begin(agent, repository(laptop.directory / "more", files=300))
    agent.call("cancel_indexing_background", job_id=stopped)
    assert agent.refused("cancel_indexing_background", job_id=stopped).kind == "InvalidStateError"


def test_a_repository_that_goes_away_fails_its_job_and_keeps_its_index(agent: Agent, laptop: Laptop) -> None:
    root = repository(laptop.directory / "code", files=30)
    ended(agent, begin(agent, root))
    (laptop.directory / "code").rename(laptop.directory / "elsewhere")
    (laptop.directory / "code").mkdir()
    failed = ended(agent, begin(agent, root))
    assert failed["status"] == "failed"
    assert failed["error_type"]
    assert "0 files indexed" in failed["error_message"], "what was done"
    assert rows(laptop.replica, "SELECT count(*) FROM code_files") == [(30,)]


def test_index_repository_waits_for_a_small_one(agent: Agent, laptop: Laptop) -> None:
    done = agent.call("index_repository", repo_path=str(repository(laptop.directory / "code", files=10)))
    assert done["status"] == "completed"
    assert done["files_indexed"] == 10
    assert done["message"]


def test_index_repository_turns_itself_into_a_job_when_it_takes_long(agent: Agent, laptop: Laptop) -> None:
    root = laptop.directory / "code"
    root.mkdir()
    for number in range(20_000):
        (root / f"m{number}.py").write_text(f"def made_{number}() -> int:\n    return {number}\n")
    began = time.monotonic()
    answer = agent.call("index_repository", repo_path=str(root))
    assert answer["estimated_duration_seconds"] > 60
    assert time.monotonic() - began < 30, "it is not waited for"
    assert answer["status"] in ("pending", "running")
    assert agent.call("cancel_indexing_background", job_id=answer["job_id"])["status"] == "cancelled"


def test_the_worker_ends_when_there_is_nothing_to_do(agent: Agent, laptop: Laptop) -> None:
    ended(agent, begin(agent, repository(laptop.directory / "code", files=5)))
    until(lambda: not processes(laptop.replica), 30, "the end of every process")
