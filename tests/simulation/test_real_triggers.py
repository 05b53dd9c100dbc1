"""A small share of the seeds with which the model of the triggers is held against a real PostgreSQL."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

import pytest

from simulation import direct_sql
from simulation.real_triggers import Differs, Place, run_twins

SEEDS = (*range(12), 335, 355)
"""The last two have circles that one transaction closes and opens again."""


def test_the_model_says_what_postgresql_does(database_url: str) -> None:
    counted: Counter[str] = Counter()
    with closing(Place(database_url)) as place:
        for seed in SEEDS:
            counted += run_twins(place, seed)
    assert min(counted[what] for what in ("commits", "commits refused", "statements refused", "pushes")) > 0, counted


def test_a_model_that_is_wrong_is_noticed(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_sql.Psql, "delete", lambda self, entity, row_id: None)
    with closing(Place(database_url)) as place:
        assert any(_differs(place, seed) for seed in SEEDS)


def _differs(place: Place, seed: int) -> bool:
    try:
        run_twins(place, seed)
    except Differs:
        return True
    return False
