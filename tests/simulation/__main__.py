"""`python -m simulation`: runs seeds, two at a time, and says what was broken, how it came about, and how to see it again.

python -m simulation --seeds 300            seeds 0 to 299
python -m simulation --seed 17 --trace      one seed, with everything that happened
python -m simulation --kept                 the seeds that have broken a promise at some time
python -m simulation --breakages            every deliberate breakage of the engine is caught
python -m simulation --real-triggers --seeds 500    the model of the triggers against a real PostgreSQL
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable

from simulation.breakages import BREAKAGES
from simulation.cases.kept_seeds import KEPT_SEEDS
from simulation.plan import plan_of
from simulation.seeds import Outcome, run_breakages, run_seeds
from simulation.shrink import shrunk
from simulation.world import run

WORKERS = 2


def main() -> int:
    """The program; 0 if every promise was kept."""
    arguments = _arguments()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets depends on it: with any other value a seed would not be the same run again.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "simulation", *sys.argv[1:]])
    if arguments.real_triggers:
        from simulation.real_triggers import run_all  # PostgreSQL's driver is needed nowhere else

        return run_all(range(arguments.first, arguments.first + arguments.seeds))
    if arguments.breakages:
        return _break_all(arguments.workers)
    if arguments.seed is not None:
        return _show(arguments.seed, with_trace=arguments.trace, shrink=not arguments.whole)
    if arguments.kept:
        return _run_all(KEPT_SEEDS, arguments.workers)
    return _run_all(range(arguments.first, arguments.first + arguments.seeds), arguments.workers)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulation")
    parser.add_argument("--seeds", type=int, default=300, help="how many seeds to run")
    parser.add_argument("--kept", action="store_true", help="run the seeds that have broken a promise at some time")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one alone")
    parser.add_argument("--trace", action="store_true", help="say everything that happened")
    parser.add_argument("--whole", action="store_true", help="do not shrink what fails")
    parser.add_argument("--breakages", action="store_true", help="break the engine's rules, one after the other")
    parser.add_argument("--real-triggers", action="store_true", help="hold the model of the triggers against PostgreSQL")
    parser.add_argument("--workers", type=int, default=WORKERS)
    return parser.parse_args()


def _run_all(seeds: Iterable[int], workers: int) -> int:
    began = time.monotonic()
    done = operations = 0
    fewest = 10**9
    failed: list[Outcome] = []
    for outcome in run_seeds(seeds, workers):
        done += 1
        operations += outcome.operations
        fewest = min(fewest, outcome.operations)
        if done % 1000 == 0:
            print(f"{done} seeds after {time.monotonic() - began:.0f} s", flush=True)
        if outcome.violation is not None:
            failed.append(outcome)
            print(f"seed {outcome.seed}: {outcome.violation}", flush=True)
    took = time.monotonic() - began
    print(
        f"{done} seeds, {operations} operations (at least {fewest} each), {len(failed)} broken, {took:.0f} s,"
        f" {done / took:.1f} seeds/s"
    )
    for outcome in failed[:3]:
        print(f"see it again: python -m simulation --seed {outcome.seed}")
    return 1 if failed else 0


def _break_all(workers: int) -> int:
    began = time.monotonic()
    missed = 0
    for name, seed, runs, violation in run_breakages(range(len(BREAKAGES)), workers):
        if violation is None:
            missed += 1
            print(f"{name}: not noticed in {runs} seeds", flush=True)
        else:
            print(f"{name}: seed {seed}, after {runs}: {violation.partition(':')[0]}", flush=True)
    print(f"{len(BREAKAGES)} breakages, {missed} not noticed, {time.monotonic() - began:.0f} s")
    return 1 if missed else 0


def _show(seed: int, *, with_trace: bool, shrink: bool) -> int:
    plan = plan_of(seed)
    result = run(plan)
    print(f"seed {seed}: {result.operations} operations, trace {result.digest}, {result.violation or 'every promise kept'}")
    if result.violation is not None and shrink:
        plan, result = shrunk(plan, result)
        print(f"shrunk to {len(plan.steps)} steps: {result.violation}")
    if with_trace or result.violation is not None:
        print("\n".join(result.trace))
    return 0 if result.violation is None else 1


if __name__ == "__main__":
    sys.exit(main())
