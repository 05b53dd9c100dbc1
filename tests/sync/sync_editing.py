"""What people do on their laptops, by chance."""

from __future__ import annotations

import random
from typing import Any

from localfirst_schema import timestamps
from localfirst_schema.entities import ENHANCEMENT, VENDOR, WORK_ITEM, WORK_ITEM_COMMENT, WORK_ITEM_DEPENDENCY
from sync_laptop import Laptop
from sync_sender import task


def edit(laptop: Laptop, chance: random.Random) -> None:
    """One thing that somebody does."""
    items = [row["id"] for row in laptop.displayed()["work_items"]]
    alive = [row["id"] for row in laptop.displayed()["work_items"] if row["deleted_at"] is None]
    what = chance.randrange(12)
    if what < 2 or not alive:
        laptop.create(WORK_ITEM, **task(f"{laptop.path.name} {chance.random()}"))
    elif what == 2:
        laptop.create(VENDOR, name=chance.choice("ABC"), operational=chance.random() < 0.5, metadata={})
    elif what == 3:
        laptop.create(WORK_ITEM_COMMENT, work_item_id=chance.choice(alive), body="well")
    elif what == 4 and len(alive) > 1:
        one, other = chance.sample(alive, 2)
        laptop.create(WORK_ITEM_DEPENDENCY, work_item_id=one, depends_on_id=other, dependency_type="depends_on")
    elif what == 5:
        laptop.create(ENHANCEMENT, title="more", priority="high", status="planned")
    elif what == 6:
        item = chance.choice(alive)
        laptop.change(WORK_ITEM, item, deleted_at=timestamps.now())
    elif what == 7:
        laptop.change(
            WORK_ITEM, chance.choice(items), metadata={"priority": chance.choice(["low", "high"]), "n": chance.random()}
        )
    elif what == 8 and len(alive) > 1:
        one, other = chance.sample(alive, 2)
        laptop.change(WORK_ITEM, one, parent_id=other)
    elif what == 9:
        laptop.change(WORK_ITEM, chance.choice(alive), claimed_by=laptop.path.name)
    else:
        options: list[tuple[str, list[Any]]] = [
            ("title", ["x", "y", "z"]),
            ("status", ["active", "blocked", "completed"]),
            ("pr_number", [1, 2, 3]),
        ]
        field, values = chance.choice(options)
        laptop.change(WORK_ITEM, chance.choice(alive), **{field: chance.choice(values)})
