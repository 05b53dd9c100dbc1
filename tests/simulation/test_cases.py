"""Every case that is kept by name, and every seed that ever broke a promise."""

from __future__ import annotations

import pytest

from simulation.cases import CASES
from simulation.stage import run_case
from simulation.test_simulation import simulation


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_broken_when(name: str) -> None:
    assert run_case(CASES[name]).violation is None


def test_no_seed_that_has_broken_a_promise_breaks_one() -> None:
    done = simulation("--kept")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
