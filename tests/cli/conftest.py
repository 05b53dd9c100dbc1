"""Shells to run the program in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from cli.shell import Shell

NewLaptop = Callable[[str], Shell]
Psql = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A project without a server."""
    return Shell(tmp_path)


@pytest.fixture
def laptop(tmp_path: Path, far_url: str) -> NewLaptop:
    """Makes laptops that share a project and a server."""

    def make(name: str) -> Shell:
        more = {"LOCALFIRST_PROJECT": "team/board", "LOCALFIRST_DATABASE_URL": far_url, "LOCALFIRST_CLIENT": name}
        directory = tmp_path / name
        directory.mkdir()
        return Shell(directory, more)

    return make


@pytest.fixture
def ann(laptop: NewLaptop) -> Shell:
    """A laptop of the team."""
    return laptop("ann")


@pytest.fixture
def bob(laptop: NewLaptop) -> Shell:
    """Another one."""
    return laptop("bob")


@pytest.fixture
def psql(database_url: str) -> Iterator[Psql]:
    """Somebody who writes SQL beside them, each statement by itself."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection
