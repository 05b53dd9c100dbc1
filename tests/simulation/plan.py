"""What happens in a run, step by step: made from the seed before the run begins, so that steps can be left out of it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from simulation.fate import seed_of

OPERATIONS = 118
"""How often somebody tries to do something: some 110 of them succeed, in the worst of cases 100."""


class Step(NamedTuple):
    """One step; `who` and `seed` say with which machine, and with which dice."""

    kind: str
    who: int
    seed: int


class Plan(NamedTuple):
    """A run: how many machines begin, whether their locks work, and the steps."""

    seed: int
    machines: int
    locks_fail: bool
    batch: int
    steps: Sequence[Step]


_FAULTS: tuple[tuple[str, float], ...] = (
    ("sync", 45), ("resume", 30), ("look", 12), ("psql", 9), ("hold", 2), ("release", 3), ("letter", 7), ("cut off", 3),
    ("connect", 5),
    ("server down", 1), ("server up", 3), ("crash", 3), ("backup", 2), ("restore", 1.2), ("clone", 0.8), ("join", 0.8),
    ("dump", 2), ("set back", 0.5), ("clock", 2), ("time", 2), ("quiesce", 0.6), ("settle", 5), ("blind", 1.5), ("waver", 2),
)  # fmt: skip


def plan_of(seed: int, operations: int = OPERATIONS) -> Plan:
    """The plan of a seed."""
    dice = Random(seed_of("plan", seed))
    kinds = ["work"] * operations
    extra = int(operations * dice.uniform(0.6, 1.6))
    names, weights = zip(*_FAULTS, strict=True)
    kinds += dice.choices(names, weights, k=extra)
    dice.shuffle(kinds)
    steps = [Step(kind, dice.randrange(12), seed_of(seed, place)) for place, kind in enumerate(kinds)]
    if seed % 4 == 3:
        _add_undos(steps, seed)
    if seed % 7 == 6:
        _add_corrected_times(steps, seed)
    # With dice of its own: an id that is given at the end must not be one that was given at the beginning.
    steps.append(Step("quiesce", 0, seed_of(seed, len(kinds))))
    machines = dice.choice((2, 2, 3, 4))
    return Plan(seed, machines, dice.random() < 0.25, dice.choice((1, 2, 5, 2000)), steps)


def _add_undos(steps: list[Step], seed: int) -> None:
    """In one plan of four people take back what they did last, mostly at once, and sometimes that as well."""
    dice = Random(seed_of("undo", seed))
    works = [place for place, step in enumerate(steps) if step.kind == "work"]
    for place in sorted(dice.sample(works, len(works) // 8), reverse=True):
        later = place + dice.choice((1, 1, 1, 2, 5))
        again = dice.choice((1, 1, 2))
        steps[later:later] = [Step("undo", steps[place].who, seed_of("undo", seed, place, one)) for one in range(again)]


def _add_corrected_times(steps: list[Step], seed: int) -> None:
    """In one plan of seven people with psql correct when something was deleted or archived."""
    dice = Random(seed_of("times", seed))
    for number in range(dice.randrange(4, 12)):
        steps.insert(dice.randrange(len(steps)), Step("retime", 0, seed_of("times", seed, number)))
