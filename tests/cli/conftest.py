"""Shells to run the program in."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A project without a server."""
    return Shell(tmp_path)
