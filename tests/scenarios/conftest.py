"""A laptop and agents on it; and the laptops of a team, with one PostgreSQL or without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from code_index.workers import no_worker_left
from contract.agent import Agent, starting
from contract.laptop import Laptop

Start = Callable[..., Agent]
NewLaptop = Callable[..., Laptop]
Join = Callable[..., Agent]


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    """A laptop on which no worker is left behind."""
    made = Laptop(tmp_path)
    with no_worker_left(made.replica):
        yield made


@pytest.fixture
def start(laptop: Laptop) -> Iterator[Start]:
    """Starts agents on the test's own laptop; they stop with the test."""
    with starting() as start_on:
        yield partial(start_on, laptop)


@pytest.fixture
def agent(start: Start) -> Agent:
    """An agent on that laptop."""
    return start()


@pytest.fixture
def new_laptop(tmp_path: Path) -> NewLaptop:
    """Makes laptops by name; with a `url` they share a server."""

    def make(name: str = "laptop", url: str | None = None) -> Laptop:
        folder = tmp_path / name
        folder.mkdir()
        return Laptop(folder, {"LOCALFIRST_PROJECT": "team/scenario", "LOCALFIRST_DATABASE_URL": url or ""})

    return make


@pytest.fixture
def join() -> Iterator[Join]:
    """Starts agents on the laptops of a team; they stop with the test."""
    with starting() as start_on:
        yield start_on
