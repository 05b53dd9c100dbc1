"""A user's machine: a home, directories to work in, and the program as it is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from warm_program import WarmProgram

from which_project.machine import Machine

NewMachine: TypeAlias = Callable[..., Machine]


@pytest.fixture
def machine(tmp_path: Path, program: WarmProgram) -> Machine:
    """A machine without a server."""
    return Machine(tmp_path / "machine", program)


@pytest.fixture
def new_machine(tmp_path: Path, program: WarmProgram, database_url: str) -> NewMachine:
    """Makes machines by name, which know one server."""
    return lambda name: Machine(tmp_path / name, program, database_url)
