"""A supervised thread, and that there are no others."""

from __future__ import annotations

import ast
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import localfirst_schema
import localfirst_sync
import pytest
from localfirst_sync import supervised
from localfirst_sync.supervised import Supervised

import localfirst

PATIENCE_S = 5.0


def failing(times: int, failure: type[BaseException], done: threading.Event) -> tuple[list[int], Supervised]:
    """A thread that fails so many times, and then sets the event and waits for its end; and the turns it has had."""
    turns: list[int] = []

    def work() -> None:
        turns.append(len(turns))
        if len(turns) <= times:
            raise failure("a reason that nobody foresaw")
        done.set()
        thread.stopping.wait()

    thread = Supervised(work, "localfirst-test")
    return turns, thread


@pytest.mark.parametrize("failure", [RuntimeError, MemoryError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_thread_that_fails_is_logged_says_why_and_begins_again(
    failure: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()
    turns, thread = failing(2, failure, done)
    with caplog.at_level(logging.ERROR):
        thread.start()
        assert done.wait(PATIENCE_S)
    assert len(turns) == 3
    assert thread.is_alive()
    assert failure.__name__ in str(thread.last_error)
    assert "a reason that nobody foresaw" not in str(thread.last_error), "what an error says may hold a secret"
    reported = [record for record in caplog.records if "localfirst-test" in record.getMessage()]
    assert reported[0].exc_info is not None
    assert "a reason that nobody foresaw" in str(reported[0].exc_info[1])
    thread.stop()
    assert thread.join(PATIENCE_S)


def test_pauses_grow_spread_and_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []

    class Recorded(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            paused.append(timeout)
            if len(paused) == 12:
                self.set()
            return self.is_set()

    def work() -> None:
        raise RuntimeError

    thread = Supervised(work, "localfirst-test")
    thread.stopping = Recorded()
    thread.start()
    assert thread.join(PATIENCE_S)
    assert all(later > earlier for earlier, later in zip(paused[:4:2], paused[2:5:2], strict=False))
    assert supervised.FIRST_PAUSE_S / 2 <= paused[0] <= supervised.FIRST_PAUSE_S
    assert all(supervised.LONGEST_PAUSE_S / 2 <= pause <= supervised.LONGEST_PAUSE_S for pause in paused[6:])
    assert len(set(paused)) == len(paused)


def test_what_was_stopped_never_begins_and_lets_go_once() -> None:
    begun, ended = threading.Event(), []
    thread = Supervised(begun.set, "localfirst-test", on_end=lambda: ended.append(1))
    thread.stop()
    thread.start()
    thread.stop()
    assert thread.join(PATIENCE_S)
    assert not begun.is_set()
    assert ended == [1]


def test_a_stop_ends_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised, "FIRST_PAUSE_S", 600.0)
    monkeypatch.setattr(supervised, "LONGEST_PAUSE_S", 600.0)
    failed, ended = threading.Event(), threading.Event()

    def work() -> None:
        raise RuntimeError

    thread = Supervised(work, "localfirst-test", on_failure=lambda _: failed.set(), on_end=ended.set)
    thread.start()
    assert failed.wait(PATIENCE_S)
    thread.stop()
    assert thread.join(PATIENCE_S)
    assert ended.is_set()


def test_one_that_its_owner_replaces_is_over_when_it_fails(caplog: pytest.LogCaptureFixture) -> None:
    turns: list[int] = []

    def work() -> None:
        turns.append(1)
        raise RuntimeError

    thread = Supervised(work, "localfirst-test", begins_again=False)
    with caplog.at_level(logging.ERROR):
        thread.start()
        assert thread.join(PATIENCE_S)
    assert turns == [1]
    assert "localfirst-test" in caplog.text


def test_owners_that_fail_do_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    def cannot(*_: object) -> None:
        raise SystemExit

    turns: list[int] = []

    def work() -> None:
        turns.append(1)
        if len(turns) == 1:
            raise RuntimeError
        done.set()

    thread = Supervised(work, "localfirst-test", on_failure=cannot, on_end=cannot)
    with caplog.at_level(logging.ERROR):
        thread.start()
        assert done.wait(PATIENCE_S)
        assert thread.join(PATIENCE_S)
    assert "could not be reported" in caplog.text
    assert "did not let go" in caplog.text


MADE_HERE = "supervised.py"
MAKES_A_THREAD = {"Thread", "Timer", "start_new_thread", "ThreadPoolExecutor", "ProcessPoolExecutor", "run_in_executor"}
MAKES_A_TASK = {"create_task", "ensure_future", "run_coroutine_threadsafe", "create_task_group", "TaskGroup"}
ALLOWED = {
    # A question's work, which its request waits for; what goes wrong is its answer.
    ("localfirst_sync/daemon/app.py", "ThreadPoolExecutor"),
    ("localfirst_sync/daemon/app.py", "run_in_executor"),
    # A piece of an answer that is sent while it is read: its sender waits until it is taken, and the request for each piece.
    ("localfirst_sync/daemon/app.py", "run_coroutine_threadsafe"),
    ("localfirst_sync/daemon/app.py", "ensure_future"),
    # Each result is asked for, and with it what went wrong.
    ("localfirst/embedding/service.py", "ThreadPoolExecutor"),
    # The whole of serving, which `run` waits for; its failure ends the process, with its status.
    ("localfirst/mcp_server/process.py", "ensure_future"),
    # Asks the client for its roots, and answers for whatever goes wrong; every call of a tool waits for it.
    ("localfirst/mcp_server/roots.py", "ensure_future"),
    # Waits for an event and ends the input; a signal ends the process whatever becomes of it.
    ("localfirst/mcp_server/server.py", "ensure_future"),
}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for module in (localfirst, localfirst_sync, localfirst_schema):
        folder = Path(str(module.__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            yield f"{folder.name}/{path.relative_to(folder).as_posix()}", ast.parse(path.read_text())


def makers(tree: ast.Module) -> Iterator[str]:
    """What makes threads or tasks, wherever its name stands: called, handed on, or inherited from."""
    for node in ast.walk(tree):
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None
        if name in MAKES_A_THREAD | MAKES_A_TASK:
            yield str(name)


def test_every_thread_and_task_is_supervised_or_waited_for() -> None:
    found = {(path, name) for path, tree in sources() for name in makers(tree) if not path.endswith(f"/{MADE_HERE}")}
    assert found == ALLOWED


def test_a_thread_that_is_made_otherwise_would_be_found() -> None:
    for text in (
        "threading.Thread(target=f).start()",
        "class T(Thread): ...",
        "make = threading.Timer",
        "asyncio.create_task(f())",
    ):
        assert list(makers(ast.parse(text)))
    assert list(makers(ast.parse((Path(str(supervised.__file__))).read_text()))) == ["Thread"]
