"""A laptop and an agent for a module to share, and fresh ones for a test that needs the place to itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from contract.agent import Agent, starting, working
from contract.laptop import Laptop

Start = Callable[..., Agent]
HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--dist loadgroup` the tests that share a module's laptop run in one process, and start its servers once."""
    for item in items:
        if item.path.parent == HERE and "shared_laptop" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="module")
def shared_laptop(tmp_path_factory: pytest.TempPathFactory) -> Laptop:
    return Laptop(tmp_path_factory.mktemp("laptop"))


@pytest.fixture(scope="module")
def agent(shared_laptop: Laptop) -> Iterator[Agent]:
    """Shared by the tests of a module, which therefore keep to names of their own."""
    with working(shared_laptop) as started:
        yield started


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path)


@pytest.fixture
def start(laptop: Laptop) -> Iterator[Start]:
    """Starts agents on the test's own laptop; they stop with the test."""
    with starting() as start_on:
        yield partial(start_on, laptop)


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return f"n{uuid4().hex}"
