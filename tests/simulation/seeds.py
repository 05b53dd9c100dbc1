"""Seeds in worker processes: each is a run of its own, so that as many go at once as there are cores."""

from __future__ import annotations

import logging
import multiprocessing
import traceback
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from simulation.breakages import BREAKAGES, SEEDS_MAX, caught
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


class Noticed(NamedTuple):
    """What became of one breakage: the seed or case that noticed it, after how many, and what was broken (None: nothing)."""

    name: str
    seed: int | str
    runs: int
    violation: str | None


def run_breakage(place: int) -> Noticed:
    """Runs seeds with one of `BREAKAGES` until one notices it."""
    logging.getLogger("localfirst").setLevel(logging.CRITICAL)
    logging.getLogger("localfirst.sync").setLevel(logging.CRITICAL)
    breakage = BREAKAGES[place]
    found = caught(breakage)
    if found is None:
        return Noticed(breakage.name, breakage.seed, SEEDS_MAX, None)
    return Noticed(breakage.name, found.seed, found.runs, found.result.violation)


def run_breakages(places: Iterable[int], workers: int) -> Iterator[Noticed]:
    """Runs breakages in so many processes."""
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(run_breakage, places)


def run_seeds(seeds: Iterable[int], workers: int) -> Iterator[Outcome]:
    """Runs seeds in so many processes, and gives their outcomes as they come."""
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(run_seed, seeds, chunksize=5)
