"""The share of the simulation that every run of the tests has: 120 seeds, a minute on two cores (`make simulate` runs more)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from simulation.breakages import BREAKAGES
from simulation.plan import plan_of
from simulation.shrink import kind_of, shrunk
from simulation.world import run

SEEDS = 120
TESTS = Path(__file__).parents[1]


def simulation(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the program: by itself it takes care that a seed is the same run in every process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, sys.path)])}
    command = [sys.executable, "-m", "simulation", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_every_promise_is_kept_in_every_seed() -> None:
    done = simulation("--seeds", str(SEEDS))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    summary = re.search(rf"^{SEEDS} seeds, \d+ operations \(at least (\d+) each\), 0 broken", done.stdout, re.MULTILINE)
    assert summary is not None, done.stdout
    assert int(summary[1]) >= 100


def test_a_seed_is_the_same_run_in_every_process() -> None:
    first, again = (simulation("--seed", "7", "--trace").stdout for _ in range(2))
    assert "trace" in first
    assert len(first.splitlines()) > 100
    assert first == again


def test_another_seed_is_another_run() -> None:
    assert run(plan_of(7)).digest != run(plan_of(8)).digest


def test_a_run_that_breaks_a_promise_is_made_smaller() -> None:
    breakage = next(one for one in BREAKAGES if one.name == "the last writer wins")
    plan = plan_of(breakage.seed)
    with breakage.broken():
        failed = run(plan)
        assert failed.violation is not None
        smaller, result = shrunk(plan, failed, budget_s=15)
        assert len(smaller.steps) < len(plan.steps) / 2
        assert kind_of(result) == kind_of(failed)
        assert run(smaller).digest == result.digest
    assert run(smaller).violation is None, "with the rule in force the same steps break nothing"
