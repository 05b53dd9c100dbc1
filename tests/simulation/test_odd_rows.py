"""The simulator knows what no replica can take, and notices when it is not set aside, or not fetched again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest
from localfirst_sync import sieve

from localfirst.replica import set_aside
from simulation import odd_rows
from simulation.violation import Violation

SEEDS = 40


def test_everybody_elses_rows_arrive_and_what_is_mended_comes_back() -> None:
    runs = [odd_rows.run(seed) for seed in range(SEEDS)]
    assert sum(len(one.lines) for one in runs) > SEEDS
    assert sum(one.refused for one in runs) > 0


def all_of_it(_: str, batch: Any) -> tuple[Any, list[Any]]:
    return batch, []


BREAKAGES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "setting aside is not done": lambda: patch.object(sieve, "rows", all_of_it),
    "lines are not looked at": lambda: patch.object(sieve, "history", lambda batch: (batch, [])),
    "what is mended stays set aside": lambda: patch.object(set_aside, "forget_rows", lambda *_: None),
    "what is set aside is not noted": lambda: patch.object(set_aside, "keep", lambda *_: None),
}


def run_all() -> None:
    for seed in range(SEEDS):
        odd_rows.run(seed)


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_broken_rule_is_noticed(name: str) -> None:
    with BREAKAGES[name](), pytest.raises(Violation):
        run_all()
