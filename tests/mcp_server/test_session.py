"""The session behind the tools: opened once, named, closed once; and the table of operations it serves."""

from __future__ import annotations

import pytest
from localfirst_schema.errors import UnavailableError
from pydantic import BaseModel

from localfirst.mcp_server.server import OneSession, Tools
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
    failures = [UnavailableError("The disk is full; free some space."), OSError("no")]

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

    class Loose(BaseModel):
        """Lets unknown arguments pass."""

    with pytest.raises(ValueError, match="two operations are called noop"):
        Tools(session, [noop, noop], frozenset())
    with pytest.raises(ValueError, match="must forbid extra"):
        Tools(session, [served.operation(served.noop, Loose)], frozenset())
    with pytest.raises(ValueError, match="no such operation: absent"):
        Tools(session, [noop], frozenset({"absent"}))
