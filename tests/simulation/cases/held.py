"""Cases of rows that somebody's open transaction holds."""

from __future__ import annotations

from localfirst_schema.entities import WORK_ITEM
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


def what_is_moved_in_an_open_transaction_hangs_where_others_have_moved_it(stage: Stage) -> None:
    """Somebody puts an item below another by SQL, which is moved before they commit: the paths are those of the end."""
    upper, middle, lower = stage.item(0, "upper"), stage.item(0, "middle"), stage.item(0, "lower")
    stage.sync(0, 1)
    transaction = stage.open_psql(lambda sql: sql.update(WORK_ITEM, lower, parent_id=middle))
    stage.update(0, middle, parent_id=upper)
    stage.sync(0)
    stage.commit(transaction)


def what_is_made_below_what_an_open_transaction_moves_goes_along(stage: Stage) -> None:
    """Somebody moves an item by SQL, and a machine puts another below it before they commit."""
    upper, middle = stage.item(0, "upper"), stage.item(0, "middle")
    stage.sync(0, 1)
    transaction = stage.open_psql(lambda sql: sql.update(WORK_ITEM, middle, parent_id=upper))
    stage.item(0, "lower", parent_id=middle)
    stage.sync(0)
    stage.commit(transaction)
