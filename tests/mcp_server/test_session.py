"""The session behind the tools: opened once, named, closed once; and the table of operations it serves."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from localfirst_schema.errors import UnavailableError
from pydantic import ConfigDict

from localfirst.mcp_server.one_session import OneSession
from localfirst.mcp_server.roots import Roots
from localfirst.mcp_server.server import Tools
from mcp_server import served


class Counted(served.Session):
    opened = 0
    closed = 0

    def __init__(self) -> None:
        super().__init__()
        Counted.opened += 1

    def close(self) -> None:
        Counted.closed += 1
        raise RuntimeError("closing failed")


@pytest.fixture(autouse=True)
def _counters() -> None:
    Counted.opened = Counted.closed = 0


def test_the_session_is_opened_once_and_closed_once_even_when_closing_fails() -> None:
    session = OneSession(Counted)
    session.open_early()
    opened = session.opened("a")
    assert opened.client_name == "a"
    assert session.opened("b") is opened
    assert opened.client_name == "b"
    session.close()
    session.close()
    assert (Counted.opened, Counted.closed) == (1, 1)


def test_a_session_that_nobody_needed_is_never_opened() -> None:
    session = OneSession(Counted)
    session.close()
    session.open_early()
    assert (Counted.opened, Counted.closed) == (0, 0)


def test_a_session_that_could_not_be_opened_is_tried_again_by_the_next_tool() -> None:
    failures = [UnavailableError("The disk is full; free some space.", cause="replica"), OSError("no")]

    def factory() -> served.Session:
        if failures:
            raise failures.pop(0)
        return served.Session()

    session = OneSession(factory)
    session.open_early()
    with pytest.raises(OSError, match="no"):
        session.opened(None)
    assert session.opened("c").client_name == "c"


def test_operations_that_cannot_be_served_are_refused_at_the_start() -> None:
    session = OneSession(served.Session)
    noop = served.operation(served.noop)

    class Loose(served.Arguments):
        """Lets unknown arguments pass."""

        model_config = ConfigDict(extra="ignore")

    with pytest.raises(ValueError, match="two operations are called noop"):
        Tools(session, [noop, noop], frozenset())
    with pytest.raises(ValueError, match="must forbid extra"):
        Tools(session, [served.operation(served.noop, Loose)], frozenset())
    with pytest.raises(ValueError, match="no such operation: absent"):
        Tools(session, [noop], frozenset({"absent"}))


class Placed(served.Session):
    """The session of a directory."""

    def __init__(self, roots: Roots) -> None:
        super().__init__()
        self.directory = roots.directory
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


PATIENCE_S = 5.0


def moving() -> tuple[Roots, OneSession]:
    roots = Roots()
    roots.directory = Path("one")
    return roots, OneSession(lambda: Placed(roots), roots)


def test_another_directory_has_another_session_and_the_old_one_is_closed() -> None:
    roots, session = moving()
    one: Any = session.opened("a")
    roots.directory = Path("two")
    other: Any = session.opened("a")
    assert (other.directory, other.client_name) == (Path("two"), "a")
    assert one.closed.wait(PATIENCE_S)
    session.close()
    assert other.closed.is_set()


def test_a_session_is_not_closed_under_the_calls_that_are_at_work_in_it() -> None:
    roots, session = moving()
    one: Any = session.opened(None)
    may_end, is_at_work = threading.Event(), threading.Event()

    def call() -> dict[str, Any]:
        is_at_work.set()
        assert may_end.wait(PATIENCE_S)
        return {"closed": one.closed.is_set()}

    results: list[dict[str, Any]] = []
    at_work = session.at_work(call)
    never_begun = session.at_work(dict)
    thread = threading.Thread(target=lambda: results.append(at_work()))
    thread.start()
    assert is_at_work.wait(PATIENCE_S)
    roots.directory = Path("two")
    session.opened(None)
    never_begun.withdraw()
    assert never_begun() == {}
    assert not one.closed.is_set()
    may_end.set()
    thread.join(PATIENCE_S)
    assert results == [{"closed": False}]
    assert one.closed.wait(PATIENCE_S)
    session.close()
