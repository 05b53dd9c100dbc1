"""Fixtures that all tests share."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from gateway import Gateway
from line import far_from
from own_threads import own_threads, what_they_do
from postgres import Server
from waiting import until
from warm_program import WarmProgram

ENDS_S = 30.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much of what takes long is tried."""
    parser.addoption("--every-function", action="store_true", help="all functions that threads call, instead of a share")
    parser.addoption("--function-part", metavar="I/N", help="the I-th of N parts of all functions that threads call")
    parser.addoption("--function-seed", type=int, default=1, help="which share, and how they fail")


@pytest.fixture(scope="module", autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """What a file's tests have begun in this process has ended with them: another file may count what is open."""
    others = frozenset(threading.enumerate())
    yield
    until(lambda: not own_threads(others), ENDS_S, lambda: f"threads to end: {own_threads(others)}\n{what_they_do()}")


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real PostgreSQL, started for the first test that needs one and stopped after the last."""
    base = tmp_path_factory.getbasetemp()
    server = Server(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def program() -> Iterator[WarmProgram]:
    """The program's commands, without the loading of the program before each."""
    with closing(WarmProgram()) as opened:
        yield opened


@pytest.fixture
def database_url(postgres_server: Server) -> Iterator[str]:
    """A fresh, migrated database without a project."""
    with postgres_server.database() as url:
        yield url


LINES_S = (0.0, 0.06, 0.15)
"""How long a trip takes: on this machine, over a VPN, across an ocean."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with the mark `lines` runs over each of them; over the long ones in the night, unless the mark says `always`."""
    mark = metafunc.definition.get_closest_marker("lines")
    if mark is not None and "trip_s" in metafunc.fixturenames:
        nightly = () if mark.kwargs.get("always") else (pytest.mark.nightly,)
        lines = [pytest.param(one, id=f"{1000 * one:.0f} ms", marks=nightly if one else ()) for one in LINES_S]
        metafunc.parametrize("trip_s", lines, indirect=True)


@pytest.fixture
def trip_s(request: pytest.FixtureRequest) -> float:
    """How long a trip to the test's server takes: nothing, unless the test has the mark `lines`."""
    return float(getattr(request, "param", 0.0))


@pytest.fixture
def far_url(database_url: str, trip_s: float) -> Iterator[str]:
    """The way to that database for whoever is at the end of a line."""
    with far_from(database_url, trip_s) as url:
        yield url


@pytest.fixture
def gateway(database_url: str) -> Iterator[Gateway]:
    """A way to that database that a test may disturb."""
    with closing(Gateway(database_url)) as opened:
        yield opened
