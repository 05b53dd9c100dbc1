"""Shells to run the program in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.shell import Shell

NewLaptop = Callable[[str], Shell]


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
