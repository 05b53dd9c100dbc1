"""Makes a failing run smaller: leaves out steps while it still fails in the same way."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from simulation.plan import Plan, Step
from simulation.world import Result, run

BUDGET_S = 60.0


def shrunk(plan: Plan, failed: Result, budget_s: float = BUDGET_S) -> tuple[Plan, Result]:
    """A smaller plan that breaks the same promise, and its run; as small as the time allows."""
    until = monotonic() + budget_s
    kind = kind_of(failed)

    def fails(steps: list[Step]) -> Result | None:
        result = run(plan._replace(steps=steps))
        return result if result.violation is not None and kind_of(result) == kind else None

    steps, result = _without_chunks(list(plan.steps), failed, fails, until)
    return plan._replace(steps=steps), result


def _without_chunks(
    steps: list[Step], result: Result, fails: Callable[[list[Step]], Result | None], until: float
) -> tuple[list[Step], Result]:
    size = max(1, len(steps) // 2)
    while monotonic() < until:
        place, left_out = 0, False
        while place < len(steps) and monotonic() < until:
            fewer = steps[:place] + steps[place + size :]
            smaller = fails(fewer)
            if smaller is not None:
                steps, result, left_out = fewer, smaller, True
            else:
                place += size
        if size > 1:
            size //= 2
        elif not left_out:
            break
    return steps, result


def kind_of(result: Result) -> str:
    """Which promise was broken, without the particulars."""
    return (result.violation or "").partition(":")[0]
