"""The shape of the work items: ancestors, path and depth, and the cycles that must not be."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import apsw
from localfirst_schema.errors import CycleError, InvalidStateError, NotFoundError, ValidationError
from localfirst_schema.limits import TREE_DEPTH_MAX
from localfirst_schema.wire import Row

_PLACE = """
    SELECT w.path, w.depth, p.path, p.depth FROM work_items AS w LEFT JOIN work_items AS p ON p.id = w.parent_id
    WHERE w.id = ?
"""
_CHILDREN = "SELECT id FROM work_items WHERE parent_id = ?"


def derive_paths(connection: apsw.Connection, ids: Iterable[str]) -> None:
    """Brings path and depth of these items, and of all below them, in line with their parents."""
    waiting, seen = deque(ids), set[str]()
    while waiting:
        item = waiting.popleft()
        for path, depth, parent_path, parent_depth in connection.execute(_PLACE, (item,)):
            true_path = f"{parent_path}/{item}" if parent_path else item
            true_depth = parent_depth + 1 if parent_path else 0
            # Two laptops' moves may show a circle until the server has decided; do not run around in it.
            if true_depth > 2 * TREE_DEPTH_MAX:
                continue
            if (path, depth) != (true_path, true_depth):
                connection.execute("UPDATE work_items SET path = ?, depth = ? WHERE id = ?", (true_path, true_depth, item))
            elif item in seen:
                continue
            # Also below an item that is right: it may have come right from the server, with what is below it left behind.
            seen.add(item)
            waiting.extend(child for (child,) in connection.execute(_CHILDREN, (item,)))


def place_under(
    connection: apsw.Connection, item_id: str, parent: Row | None, *, moved: Row | None = None
) -> dict[str, object]:
    """The path and depth of an item under `parent`, checked against the rules.

    Args:
        moved: the item as it is, when it exists already: what is below it moves along.

    Raises CycleError, ValidationError (depth), InvalidStateError (deleted parent).
    """
    if parent is None:
        return {"path": item_id, "depth": 0}
    if parent["deleted_at"] is not None:
        raise InvalidStateError(
            "the parent is deleted; undelete it or choose another one.", entity="work_item", id=parent["id"]
        )
    ancestors = parent["path"].split("/")
    if item_id in ancestors:
        raise CycleError("an item cannot be moved under itself or below one of its own descendants.", id=item_id)
    depth = parent["depth"] + 1
    height = _height(connection, moved["id"]) if moved else 0
    if depth + height > TREE_DEPTH_MAX:
        raise ValidationError(
            "parent_id",
            f"work items nest at most {TREE_DEPTH_MAX + 1} levels deep",
            f"parent_id: this would make {depth + height + 1} levels, at most {TREE_DEPTH_MAX + 1} are allowed; choose a parent"
            " nearer to the root.",
        )
    return {"path": f"{parent['path']}/{item_id}", "depth": depth}


def _height(connection: apsw.Connection, item_id: str) -> int:
    """How many levels lie below an item."""
    sql = """
        WITH RECURSIVE below (id, height) AS (
            SELECT ?, 0
            UNION ALL
            SELECT c.id, below.height + 1 FROM below JOIN work_items AS c ON c.parent_id = below.id WHERE below.height < 6
        ) SELECT max(height) FROM below
    """
    return int(connection.execute(sql, (item_id,)).get)


def has_live_children(connection: apsw.Connection, item_id: str) -> bool:
    """Whether anything that is not deleted hangs below the item."""
    sql = "SELECT EXISTS (SELECT 1 FROM work_items WHERE parent_id = ? AND deleted_at IS NULL)"
    return bool(connection.execute(sql, (item_id,)).get)


_WAITED_FOR = """
    SELECT depends_on_id FROM work_item_dependencies
    WHERE work_item_id = ?1 AND dependency_type = 'depends_on' AND deleted_at IS NULL
    UNION ALL
    SELECT work_item_id FROM work_item_dependencies
    WHERE depends_on_id = ?1 AND dependency_type = 'blocks' AND deleted_at IS NULL
"""
_WAITING = """
    SELECT work_item_id FROM work_item_dependencies
    WHERE depends_on_id = ?1 AND dependency_type = 'depends_on' AND deleted_at IS NULL
    UNION ALL
    SELECT depends_on_id FROM work_item_dependencies
    WHERE work_item_id = ?1 AND dependency_type = 'blocks' AND deleted_at IS NULL
"""


def waits_for(connection: apsw.Connection, waiting: str, target: str) -> bool:
    """Whether `waiting` waits, directly or through others, for `target`.

    Sought from both ends in turn: mostly one of them is the end of a chain, however long that is.
    """
    if waiting == target:
        return True
    onward, back = _Search(connection, _WAITED_FOR, waiting), _Search(connection, _WAITING, target)
    while onward.open and back.open:
        if onward.step(back.seen) or back.step(onward.seen):
            return True
    return False


class _Search:
    """One way through the dependencies, item by item, each once."""

    def __init__(self, connection: apsw.Connection, query: str, start: str) -> None:
        self._connection = connection
        self._query = query
        self.seen = {start}
        self.open = [start]

    def step(self, sought: set[str]) -> bool:
        """Looks at one more item; says whether one of those that are sought is next to it."""
        if not self.open:
            return False
        for (item,) in self._connection.execute(self._query, (self.open.pop(),)):
            if item in sought:
                return True
            if item not in self.seen:
                self.seen.add(item)
                self.open.append(item)
        return False


def require_no_circle(connection: apsw.Connection, source_id: str, target_id: str, dependency_type: str) -> None:
    """Raises CycleError if a link between these items would make one of them wait for itself."""
    waiting, awaited = (source_id, target_id) if dependency_type == "depends_on" else (target_id, source_id)
    if waits_for(connection, awaited, waiting):
        raise CycleError(
            "this link would close a cycle: the one item waits for the other already, directly or through others;"
            " take one of those links away first, or leave this one out.",
            source_id=source_id,
            target_id=target_id,
        )


def require_alive(row: Row | None, what: str, row_id: str) -> Row:
    """The row. Raises NotFoundError if there is none, InvalidStateError if it is deleted."""
    if row is None:
        raise NotFoundError(f"there is no {what} {row_id} in this project; list them to see which there are.", id=row_id)
    if row["deleted_at"] is not None:
        raise InvalidStateError(f"the {what} {row_id} is deleted; undelete it first, or choose another one.", id=row_id)
    return row
