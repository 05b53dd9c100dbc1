"""Which acts wait behind the others while rows are held: those that need them, and what would be another thing before these.

Pure. An act changes rows, and relies on others: those that it refers to, what it hangs below or hung below before, all that is
above. It may go before another act that was made earlier unless one of both changes what the other changes or relies on. So the
order within a row and within an act is kept, and no act meets a structure that it was not made in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from localfirst_schema.entities import ENTITY, WORK_ITEM, WORK_ITEM_DEPENDENCY
from localfirst_schema.wire import Fields, Row

from localfirst_sync.structure import Key

CIRCLES: Key = (WORK_ITEM_DEPENDENCY.name, "")
"""Stands for all dependencies together: whether a new one closes a circle depends on each of the others."""


class Footprint(NamedTuple):
    """What an act changes, and what it relies on besides."""

    changes: frozenset[Key]
    relies_on: frozenset[Key]

    def must_follow(self, earlier: Footprint) -> bool:
        """Whether this act, made after `earlier`, must not go before it."""
        return not (
            self.changes.isdisjoint(earlier.changes)
            and self.changes.isdisjoint(earlier.relies_on)
            and self.relies_on.isdisjoint(earlier.changes)
        )


def footprint(changes: Iterable[tuple[str, str, Fields, Row | None]], paths: dict[str, str]) -> Footprint:
    """The footprint of an act.

    Args:
        changes: (entity, id, fields, the row as it is displayed now).
        paths: work item → its path, of those that the act may name.
    """
    changed: set[Key] = set()
    relies_on: set[Key] = set()
    for name, row_id, fields, row in changes:
        changed.add((name, row_id))
        if name == WORK_ITEM_DEPENDENCY.name:
            changed.add(CIRCLES)
        if name == WORK_ITEM.name:
            relies_on |= _above(row_id, paths)
        for column, referenced in ENTITY[name].references.items() if name in ENTITY else ():
            sides = fields.get(column, {})
            for named in {sides.get("old"), sides.get("new"), None if row is None else row[column]}:
                if isinstance(named, str):
                    relies_on.add((referenced, named))
                    if referenced == WORK_ITEM.name:
                        relies_on |= _above(named, paths)
    return Footprint(frozenset(changed), frozenset(relies_on - changed))


def _above(item: str, paths: dict[str, str]) -> set[Key]:
    return {(WORK_ITEM.name, above) for above in paths.get(item, item).split("/")}


def postponed(acts: Sequence[Footprint], held: Collection[int]) -> list[int]:
    """The places of the acts that wait: those in `held`, and each later one that must follow one of them."""
    waiting: list[int] = []
    changed: set[Key] = set()
    relied_on: set[Key] = set()
    for place, act in enumerate(acts):
        if (
            place in held
            or not act.changes.isdisjoint(changed)
            or not act.changes.isdisjoint(relied_on)
            or not act.relies_on.isdisjoint(changed)
        ):
            waiting.append(place)
            changed |= act.changes
            relied_on |= act.relies_on
    return waiting
