"""A daemon beside a database, and laptops that have its address and a token alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli.shell import Shell
from daemon import daemon

PROJECT = "team/board"

NewLaptop = Callable[[str, str], Shell]


@pytest.fixture
def served(database_url: str) -> Iterator[str]:
    """The address of a daemon."""
    with daemon(database_url) as url:
        yield url


@pytest.fixture
def laptop(tmp_path: Path, served: str) -> NewLaptop:
    """Makes laptops, by name and token."""

    def make(name: str, token: str) -> Shell:
        directory = tmp_path / name
        directory.mkdir()
        more = {
            "LOCALFIRST_PROJECT": PROJECT,
            "LOCALFIRST_SERVER_URL": served,
            "LOCALFIRST_SERVER_TOKEN": token,
            "LOCALFIRST_CLIENT": name,
        }
        return Shell(directory, more)

    return make


@pytest.fixture
def at_server(tmp_path: Path, database_url: str) -> Shell:
    """The administrator, beside PostgreSQL."""
    return Shell(tmp_path / "server", {"LOCALFIRST_DATABASE_URL": database_url})
