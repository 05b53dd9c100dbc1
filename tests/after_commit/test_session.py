"""Each step after the commit of a session's write fails in turn: the answer is a success, and the write is there."""

from __future__ import annotations

import errno
import gc
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from code_index.workers import no_worker_left, repository
from localfirst_schema.arguments import IndexRepository
from localfirst_schema.errors import InvalidStateError, NotFoundError, UnavailableError
from reading.world import call, nobody_there

from after_commit.steps import Steps
from after_commit.writes import TOOLS, prepared
from localfirst.client.follow_up import FOLLOW_UP_FAILED
from localfirst.client.session import Session
from localfirst.operations.registry import BY_NAME
from localfirst.settings import load

# A step may fail between the opening of a file and the `with` that closes it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

FAILURES: list[Callable[[], Exception]] = [
    RuntimeError,
    lambda: OSError(errno.ENOSPC, "No space left on device"),
    lambda: apsw.FullError("database or disk is full"),
    lambda: UnavailableError("the server is away.", cause="server"),
    lambda: NotFoundError("there is no such thing."),
    MemoryError,
    RecursionError,
    lambda: UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    lambda: ValueError("year 10000 is out of range"),
]
_WRITES = "SELECT (SELECT coalesce(max(history_id), 0) FROM history), (SELECT count(*) FROM index_jobs), total_changes()"


def settings_of(place: Path, url: str = "") -> Any:
    environment = {"LOCALFIRST_REPLICA": str(place / "replica.db"), "LOCALFIRST_PROJECT": "team/after"}
    if url:
        environment["LOCALFIRST_DATABASE_URL"] = url
    place.mkdir(exist_ok=True)
    return load(place, environment)._replace(root=place, markdown=place / ".project_status.md")


@pytest.fixture(autouse=True)
def _reported_here() -> Iterator[None]:
    """What a failing step has left to the collector is reported with its own test."""
    yield
    gc.collect()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with no_worker_left(tmp_path / "replica.db"), closing(Session(settings_of(tmp_path))) as opened:
        yield opened


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[Session]:
    """With a server that is away, so that each write refreshes the status file too."""
    with closing(Session(settings_of(tmp_path, nobody_there()))) as opened:
        assert opened.link is not None
        assert not opened.link.is_online()
        yield opened


def written(session: Session, tool: str, arguments: dict[str, Any], steps: Steps) -> dict[str, Any]:
    """The answer of a write while `steps` watches; that it is a success and that the write is there is asserted."""
    operation = BY_NAME[tool]
    checked = operation.arguments.model_validate(arguments)
    before = session.replica.execute(_WRITES).fetchall()
    steps.watch(session.replica)
    try:
        with steps:
            answer = operation.run(session, checked)
    except Exception as error:
        raise AssertionError(f"{tool} has written and answers with an error, since this failed: {steps.failed}") from error
    finally:
        session.replica.set_commit_hook(None)
    assert answer["success"] is True
    operation.result.model_validate(answer)
    assert session.replica.execute(_WRITES).fetchall() > before, tool
    if "version" in answer and answer["version"] is not None:
        kept = "SELECT count(*) FROM history WHERE entity_id = ? AND version = ?"
        assert session.replica.execute(kept, (answer["id"], answer["version"])).get >= 1, (tool, steps.failed)
    return answer


def each_step(session: Session, tool: str, place: Path, at_most: int = 1000) -> Iterator[tuple[Steps, dict[str, Any]]]:
    """A write with each step failing, and its answer; where there are more than `at_most` steps, as many of them, spread."""

    def made(name: str, /, **arguments: Any) -> dict[str, Any]:
        return call(session, name, **arguments)

    first = Steps()
    usual = written(session, tool, prepared(tool, made, place), first)
    assert FOLLOW_UP_FAILED not in usual["warnings"]
    assert first.made, "the tracer sees what follows a commit"
    count = len(first.made)
    for number in range(0, count, max(1, count // at_most)):
        steps = Steps(number, FAILURES[number % len(FAILURES)])
        answer = written(session, tool, prepared(tool, made, place), steps)
        if steps.failed is not None:  # what is remembered takes fewer steps than the first time
            assert answer.keys() >= usual.keys() - {"announcement"}, steps.failed
            yield steps, answer


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if "indexing" not in tool])
def test_whatever_fails_after_the_commit_the_write_is_acknowledged(tool: str, session: Session, tmp_path: Path) -> None:
    failed = list(each_step(session, tool, tmp_path))
    assert failed
    assert any(FOLLOW_UP_FAILED in answer["warnings"] for _, answer in failed)


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if "indexing" in tool])
def test_a_job_that_is_noted_is_acknowledged(tool: str, session: Session, tmp_path: Path) -> None:
    first = call(session, "start_indexing_background", repo_path=str(repository(tmp_path / "first", 1)))
    assert first["success"]
    for _ in each_step(session, tool, tmp_path, at_most=15):
        pass


def test_a_repository_whose_job_was_noted_is_acknowledged(session: Session, tmp_path: Path) -> None:
    """It notes the job on a connection of its own and waits for its end; what fails meanwhile does not take the job back."""

    def indexed(number: int | None) -> tuple[Steps, dict[str, Any] | None]:
        root = repository(tmp_path / str(uuid.uuid4()), 1)
        steps = Steps(number, FAILURES[(number or 0) % len(FAILURES)])
        apsw.connection_hooks.append(steps.watch)
        try:
            with steps:
                answer = BY_NAME["index_repository"].run(session, IndexRepository(repo_path=str(root)))
        except Exception as error:
            # It was another commit of the call that was followed, before that of the job.
            if session.replica.execute("SELECT count(*) FROM index_jobs WHERE root = ?", (str(root),)).get == 0:
                return Steps(), None
            raise AssertionError(f"a job was noted, and the answer is an error, since this failed: {steps.failed}") from error
        finally:
            apsw.connection_hooks.remove(steps.watch)
        assert session.replica.execute("SELECT root FROM index_jobs WHERE job_id = ?", (answer["job_id"],)).get == str(root)
        return steps, answer

    indexed(None)  # starts the worker
    usual, answer = indexed(None)
    assert answer is not None
    assert (answer["status"], answer["warnings"]) == ("completed", [])
    count = len(usual.made)
    assert count > 20
    numbers = sorted({*range(10), *range(10, count, max(1, count // 10)), *range(count - 10, count)})
    failed = [steps.failed for steps, _ in map(indexed, numbers) if steps.failed is not None]
    assert len(failed) > 15
    assert call(session, "list_indexing_jobs")["total_count"] > len(failed)


@pytest.mark.parametrize("tool", ["create_work_item", "update_work_item", "record_deployment", "update_vendor_status"])
def test_a_status_file_that_cannot_be_written_is_no_error_of_the_write(tool: str, offline: Session, tmp_path: Path) -> None:
    reported = [answer for _, answer in each_step(offline, tool, tmp_path, at_most=150)]
    assert any(FOLLOW_UP_FAILED in answer["warnings"] and not answer["wrote_to_markdown"] for answer in reported)
    last = call(offline, "create_work_item", item_type="task", title="After all of it")
    assert (last["wrote_to_markdown"], last["warnings"]) == (True, ["database_unavailable"])
    assert "After all of it" in (tmp_path / ".project_status.md").read_text()


def test_an_update_of_an_item_that_is_elsewhere_is_acknowledged(offline: Session) -> None:
    elsewhere = "00000000-0000-4000-8000-000000000000"
    first = Steps()
    written(offline, "update_work_item", {"id": elsewhere, "version": 3, "title": "Blind"}, first)
    for number in range(0, len(first.made), max(1, len(first.made) // 40)):
        arguments = {"id": elsewhere, "version": 3, "title": f"Blind {number}"}
        answer = written(offline, "update_work_item", arguments, Steps(number, FAILURES[number % len(FAILURES)]))
        assert answer["partial"] is True


def conflict_of(session: Session) -> dict[str, Any]:
    """A conflict as a pull brings one: of a title."""
    item = call(session, "create_work_item", item_type="task", title="Theirs")
    conflict_id = item["id"].replace("-4", "-8", 1)
    session.replica.execute(
        "INSERT INTO conflicts (id, entity, entity_id, fields, base, mine, theirs, base_version, my_version, their_version,"
        " reason, act_id, replica_id, created_at) VALUES (?1, 'work_item', ?2, '[\"title\"]', '{\"title\":\"Base\"}',"
        ' \'{"title":"Mine"}\', \'{"title":"Theirs"}\', 1, 2, 2, \'fields\', ?1, ?1, ?3)',
        (conflict_id, item["id"], item["created_at"]),
    )
    return {"conflict_id": conflict_id, "resolution": "mine"}


def test_a_conflict_that_is_settled_is_acknowledged(session: Session) -> None:
    first = Steps()
    written(session, "resolve_conflict", conflict_of(session), first)
    for number in range(len(first.made)):
        arguments = conflict_of(session)
        answer = written(session, "resolve_conflict", arguments, Steps(number, FAILURES[number % len(FAILURES)]))
        assert (answer["conflict_id"], answer["title"]) == (arguments["conflict_id"], "Mine")
    assert call(session, "list_conflicts")["total_count"] == 0


def test_damage_that_is_met_after_the_commit_is_mended_and_the_write_acknowledged(session: Session, tmp_path: Path) -> None:
    """The step reports damage: the replica is rebuilt, and the answer stands since the write is among what was saved."""
    first = Steps()
    written(session, "create_work_item", {"item_type": "task", "title": "t"}, first)
    for number in range(0, len(first.made), max(1, len(first.made) // 5)):
        steps = Steps(number, lambda: apsw.CorruptError("database disk image is malformed"))
        answer = written(session, "create_work_item", {"item_type": "task", "title": f"t{number}"}, steps)
        assert call(session, "query_work_item", id=answer["id"])["title"] == f"t{number}"


def test_what_the_server_decides_against_is_an_error_although_it_was_written(database_url: str, tmp_path: Path) -> None:
    """The claim that came second: the one thing after the commit that makes an error of a write, since it was lost."""
    with (
        closing(Session(settings_of(tmp_path / "a", database_url))) as ann,
        closing(Session(settings_of(tmp_path / "b", database_url))) as bob,
    ):
        item = call(ann, "create_work_item", item_type="task", title="Wanted")
        call(ann, "sync_now")
        call(bob, "sync_now")
        call(ann, "claim_work_item", id=item["id"], claimed_by="ann")
        call(ann, "sync_now")
        with pytest.raises(InvalidStateError):
            call(bob, "claim_work_item", id=item["id"], claimed_by="bob")


def test_what_fails_before_the_commit_is_an_error_and_writes_nothing(session: Session) -> None:
    before = session.replica.execute("SELECT count(*) FROM history").get
    with pytest.raises(NotFoundError):
        call(session, "record_deployment", metadata={}, work_item_ids=["00000000-0000-4000-8000-000000000000"])
    assert session.replica.execute("SELECT count(*) FROM history").get == before


@pytest.mark.parametrize(
    "at", ["10000-01-01T00:00:00.000000Z", "0000-01-01T00:00:00.000000Z", "infinity", "9999-12-31T23:59:59.999999Z"]
)
def test_times_that_no_calendar_has_stop_no_write_and_no_status_file(at: str, offline: Session, tmp_path: Path) -> None:
    """PostgreSQL rounds 9999-12-31 23:59:59.9999999 to the year 10000; a replica may hold such a row."""
    deployment = call(offline, "record_deployment", metadata={"pr_number": 4})
    session = call(offline, "create_work_item", item_type="session", title="Prompt")
    offline.replica.execute(
        "UPDATE deployment_events SET deployed_at = ?1, created_at = ?1 WHERE id = ?2", (at, deployment["id"])
    )
    offline.replica.execute("UPDATE work_items SET created_at = ? WHERE id = ?", (at, session["id"]))
    answer = call(offline, "create_work_item", item_type="task", title="Written")
    assert (answer["wrote_to_markdown"], answer["warnings"]) == (True, ["database_unavailable"])
    assert at[:10] in (tmp_path / ".project_status.md").read_text()
