"""What no merge may break: parents, depth, references and the order of dependencies, checked on a batch as it is decided.

Pure. The server's side loads what the batch does not touch itself (`Structure`'s arguments) while it holds the project's
head, so that nothing can change in between; `note` then follows the batch row by row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from localfirst_schema.entities import (
    VENDOR_DEPLOYMENT_LINK,
    WORK_ITEM,
    WORK_ITEM_DEPENDENCY,
    WORK_ITEM_DEPLOYMENT_LINK,
    Entity,
)
from localfirst_schema.limits import TREE_DEPTH_MAX
from localfirst_schema.wire import Fields, Mutation, Row

from localfirst_sync.waiting import Waiting

Key: TypeAlias = tuple[str, str]
"""The name of an entity, and an id."""

OF_THE_PAST = (VENDOR_DEPLOYMENT_LINK, WORK_ITEM_DEPLOYMENT_LINK)
"""What a deployment was about stays so when it is deleted later; whether the deletion or the record arrives first is chance."""


class Structure:
    """The part of the project's structure that a batch can come into touch with.

    Args:
        alive: whether the rows that the batch names in references (and does not change) are alive; absent: no such row.
        parents: work item → parent, of all ancestors of the parents named, and of all items below those that move.
        live_parents: of the items that the batch deletes, those with a live child that the batch does not touch.
        dependencies: live dependencies as (id, waiting item, item waited for), reachable from those that the batch makes.
    """

    def __init__(
        self,
        alive: Mapping[Key, bool],
        parents: Mapping[str, str | None],
        live_parents: Iterable[str],
        dependencies: Iterable[tuple[str, str, str]],
    ) -> None:
        self._alive = dict(alive)
        self._parents: dict[str, str | None] = {}
        self._children: defaultdict[str, set[str]] = defaultdict(set)
        self._live_parents = frozenset(live_parents)
        self._waiting = Waiting(dependencies)
        for item, parent in parents.items():
            self._set_parent(item, parent)

    def note(self, entity: Entity, row_id: str, row: Row | None) -> None:
        """From here on the row stands as given (None: it is not there)."""
        self._alive[entity.name, row_id] = row is not None and row["deleted_at"] is None
        if row is None:
            del self._alive[entity.name, row_id]
        if entity is WORK_ITEM:
            self._set_parent(row_id, None if row is None else row["parent_id"])
        elif entity is WORK_ITEM_DEPENDENCY:
            if row is not None and row["deleted_at"] is None:
                self._waiting.add(row_id, *edge(row))
            else:
                self._waiting.remove(row_id)

    def objection(self, entity: Entity, old: Row | None, new: Row) -> str | None:
        """Why the row must not change from `old` to `new`, in one word, or None. Call it before `note`."""
        was_alive = old is not None and old["deleted_at"] is None
        if new["deleted_at"] is not None:
            if was_alive and entity is WORK_ITEM and self._has_live_child(new["id"]):
                return "live_children"
            return self._objection_to_tombstone(entity, new) if old is None else None
        if entity is WORK_ITEM:
            if was_alive and old is not None and old["parent_id"] == new["parent_id"]:
                return None
            return self._objection_to_parent(new["id"], new["parent_id"])
        if was_alive:
            return None
        for column, referenced in entity.references.items():
            alive = self._alive.get((referenced, new[column]))
            if alive is None:
                return "reference_missing"
            if not alive and entity not in OF_THE_PAST:
                return "reference_deleted"
        if entity is WORK_ITEM_DEPENDENCY and self._waiting.closes_circle(*edge(new)):
            return "cycle"
        return None

    def _objection_to_tombstone(self, entity: Entity, new: Row) -> str | None:
        """What was created and deleted before anybody else saw it may refer to what is deleted, not to what never was."""
        for column, referenced in entity.references.items():
            if new[column] is not None and (referenced, new[column]) not in self._alive:
                return "parent_missing" if column == "parent_id" else "reference_missing"
        return None

    def ancestry(self, item: str) -> list[str]:
        """The ids from the root down to `item` itself."""
        chain = [item]
        parent = self._parents.get(item)
        while parent is not None and len(chain) <= TREE_DEPTH_MAX + 1:
            chain.append(parent)
            parent = self._parents.get(parent)
        return chain[::-1]

    def _objection_to_parent(self, item: str, parent: str | None) -> str | None:
        if parent is None:
            above: list[str] = []
        else:
            alive = self._alive.get((WORK_ITEM.name, parent))
            if not alive and parent != item:
                return "parent_missing" if alive is None else "parent_deleted"
            above = self.ancestry(parent)
            if item in above:
                return "cycle"
        return "depth" if len(above) + self._height(item) > TREE_DEPTH_MAX else None

    def _height(self, item: str) -> int:
        level, height = [item], 0
        while (level := [child for one in level for child in self._children.get(one, ())]) and height <= TREE_DEPTH_MAX:
            height += 1
        return height

    def _has_live_child(self, item: str) -> bool:
        children = self._children.get(item, ())
        return item in self._live_parents or any(self._alive.get((WORK_ITEM.name, child)) for child in children)

    def _set_parent(self, item: str, parent: str | None) -> None:
        before = self._parents.get(item)
        if before is not None:
            self._children[before].discard(item)
        self._parents[item] = parent
        if parent is not None:
            self._children[parent].add(item)


class RememberedStructure(Structure):
    """The rules for rows that stood before as they are brought back: what they refer to may have been deleted since."""

    def objection(self, entity: Entity, old: Row | None, new: Row) -> str | None:
        """See `Structure.objection`."""
        found = super().objection(entity, old, new)
        if found == "reference_deleted":
            return "cycle" if entity is WORK_ITEM_DEPENDENCY and self._waiting.closes_circle(*edge(new)) else None
        return found


def edge(dependency: Row) -> tuple[str, str]:
    """Which item waits for which: `A depends_on B` and `B blocks A` say the same."""
    one, other = dependency["work_item_id"], dependency["depends_on_id"]
    return (one, other) if dependency["dependency_type"] == "depends_on" else (other, one)


def concerns_structure(entity: Entity, mutation: Mutation, fields: Fields) -> bool:
    """Whether a change can come into conflict with the structure at all; a plain update cannot, and needs no loading."""
    if not entity.references:
        return False
    return mutation.base_version == 0 or "deleted_at" in fields or not fields.keys().isdisjoint(entity.references)
