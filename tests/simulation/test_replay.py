"""The history of every row, carried out again, says what the row is: after thousands of operations and faults, too."""

from __future__ import annotations

from collections import defaultdict

import pytest
from localfirst_schema.entities import ENTITIES
from localfirst_sync.ports import Line
from localfirst_sync.replay import departures, possibilities

from simulation.plan import plan_of
from simulation.world import World

SEEDS = 40


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_row_is_what_its_history_says(seed: int) -> None:
    world = World(plan_of(seed))
    world.run()  # whether a promise is broken, is for test_simulation.py to say
    tables = world._server.tables
    lines: defaultdict[tuple[str, str], list[Line]] = defaultdict(list)
    for e in sorted(tables.history, key=lambda e: (e.version, e.seq)):
        lines[e.entity, e.entity_id].append(Line(e.version, e.by, e.at, e.outcome, e.fields))
    compared = 0
    for entity in ENTITIES:
        for row in tables.rows[entity.name].values():
            logged = lines[entity.name, row["id"]]
            assert logged
            assert departures(entity, row, logged) == []
            compared += sum(possible is not None and len(possible) == 1 for possible in possibilities(entity, logged).values())
    assert compared > 100, "of most columns the history says which one value they have"
