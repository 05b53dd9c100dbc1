"""Which of the functions that threads call are made to fail in a run: a share drawn by the seed, all of them, or a part of all.

How a function fails is drawn by the seed and its own name: it does so alike in a share, in a part and among all of them.
"""

from __future__ import annotations

import random

import pytest

from supervision.failing import Function


def chosen(config: pytest.Config, functions: list[Function], share: int) -> list[Function]:
    """Those of this run, out of a sorted list; `share` is how many an ordinary one tries.

    `--function-part I/N` is every N-th, from the I-th on (from 1), so that the N parts together are all of them.
    """
    if (part := config.getoption("--function-part")) is not None:
        number, parts = map(int, part.split("/"))
        assert 1 <= number <= parts, f"--function-part is {part}: the first number is one of 1 to {parts}"
        return functions[number - 1 :: parts]
    if config.getoption("--every-function"):
        return functions
    return random.Random(config.getoption("--function-seed")).sample(functions, min(share, len(functions)))


def dice_of(config: pytest.Config, function: Function) -> random.Random:
    """What decides how this function fails."""
    return random.Random(f"{config.getoption('--function-seed')} {function}")
