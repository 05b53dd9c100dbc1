"""Seeds in worker processes: each is a run of its own, so that as many go at once as there are cores."""

from __future__ import annotations

import logging
import multiprocessing
import traceback
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from simulation.plan import plan_of
from simulation.world import run


class Outcome(NamedTuple):
    """One seed: what was broken, if anything was, and how many operations were acknowledged."""

    seed: int
    violation: str | None
    operations: int


def run_seed(seed: int) -> Outcome:
    """Runs one seed."""
    logging.getLogger("localfirst.sync").setLevel(logging.CRITICAL)  # recoveries are what is wanted here
    try:
        result = run(plan_of(seed))
    except Exception:
        return Outcome(seed, "the run itself failed: " + traceback.format_exc(), 0)
    return Outcome(seed, result.violation, result.operations)


def run_seeds(seeds: Iterable[int], workers: int) -> Iterator[Outcome]:
    """Runs seeds in so many processes, and gives their outcomes as they come."""
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(run_seed, seeds, chunksize=5)
