"""Every rule of the engine that is broken on purpose is noticed by the simulator."""

from __future__ import annotations

import re

import pytest

from simulation.breakages import BREAKAGES
from simulation.test_simulation import simulation


@pytest.fixture(scope="module")
def noticed() -> dict[str, str]:
    """By name of a breakage, the promise that was found broken."""
    done = simulation("--breakages")
    lines = re.findall(r"^(.+?): seed .+?, after \d+: (.+)$", done.stdout, re.MULTILINE)
    assert done.returncode in (0, 1), done.stderr[-2000:]
    return dict(lines)


@pytest.mark.parametrize("name", [breakage.name for breakage in BREAKAGES])
def test_it_is_noticed_when(name: str, noticed: dict[str, str]) -> None:
    assert name in noticed
