"""Cases of rows that somebody's open transaction holds."""

from __future__ import annotations

from localfirst_schema.identifiers import natural_id

from simulation.stage import Stage

POOLED = natural_id("", "pool", "case")


def what_is_below_a_creation_of_what_is_there_is_held(stage: Stage) -> None:
    """Two create the same item, one of them elsewhere, which moves all below it; something there is held. The rest passes."""
    stage.item(1, "shared one", id=POOLED)
    child = stage.item(1, "child", parent_id=POOLED)
    stage.sync(1)
    parent = stage.item(0, "parent")
    stage.item(0, "shared one", id=POOLED, parent_id=parent)
    stage.item(0, "needs nothing of it")
    stage.hold(child)
    stage.press()
    stage.let_go()
