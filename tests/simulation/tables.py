"""What the simulated server holds, as PostgreSQL would give it back: canonical text, JSON as `jsonb` prints it."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, NamedTuple

from localfirst_schema import timestamps
from localfirst_schema.entities import ENTITIES, VENDOR, WORK_ITEM, Entity, Kind
from localfirst_schema.limits import TREE_DEPTH_MAX
from localfirst_schema.wire import Row
from localfirst_sync.receipts import Receipt
from localfirst_sync.structure import edge
from psycopg import errors

TITLE_MAX = 200
CANONICAL_CHARS = 27

_TIMES = {one.name: [column.name for column in one.columns if column.kind is Kind.TIMESTAMP] for one in ENTITIES}


class Entry(NamedTuple):
    """One line of the history."""

    seq: int
    tag: int
    entity: str
    entity_id: str
    version: int
    by: str | None
    at: str
    outcome: str
    fields: str
    replica_id: str | None
    number: int | None
    via: str | None = None


class Tables:
    """All tables of one project. Rows are replaced, never changed, so that a copy of the dictionaries is a snapshot."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Row]] = {entity.name: {} for entity in ENTITIES}
        self.conflicts: dict[str, Row] = {}
        self.history: list[Entry] = []
        self.head = 0
        self.tag = 0
        self.replicas: dict[str, tuple[int, int, bytes]] = {}
        self.receipts: dict[str, dict[int, Receipt]] = {}

    def copy(self) -> Tables:
        """A snapshot."""
        other = Tables.__new__(Tables)
        other.rows = {name: dict(rows) for name, rows in self.rows.items()}
        other.conflicts = dict(self.conflicts)
        other.history = list(self.history)
        other.head, other.tag = self.head, self.tag
        other.replicas = dict(self.replicas)
        other.receipts = {name: dict(receipts) for name, receipts in self.receipts.items()}
        return other

    def put(self, entity: Entity, row: Row) -> None:
        """Writes a row; the table's own constraints are checked."""
        if entity is VENDOR:
            row["status"] = "operational" if row["operational"] else "broken"
        _check(entity, row)
        for name in _TIMES[entity.name]:
            row[name] = timestamptz(row[name])
        self.rows[entity.name][row["id"]] = row

    def derive_paths(self, items: list[str]) -> None:
        """As `localfirst.derive_paths` does: by the parents, of the given items and all that is below.

        It begins with those of the given ones whose parent is not given, so that it comes by no item that is its own parent.
        """
        table = self.rows[WORK_ITEM.name]
        given = [item for item in dict.fromkeys(items) if item in table]
        level = [(item, self._above(table[item])) for item in given if table[item]["parent_id"] not in given]
        while level:
            for item, above in level:
                row, path, depth = table[item], "/".join([*above, item]), len(above)
                if (row["path"], row["depth"]) != (path, depth):
                    self.put(WORK_ITEM, {**row, "path": path, "depth": depth})
            places = dict(level)
            level = [
                (row["id"], [*places[row["parent_id"]], row["parent_id"]])
                for row in table.values()
                if row["parent_id"] in places and len(places[row["parent_id"]]) <= TREE_DEPTH_MAX
            ]

    def _above(self, item: Row) -> list[str]:
        """The ids from the root to the parent: at most one more than there may be, which says too deep, or in a circle."""
        table, above, up = self.rows[WORK_ITEM.name], list[str](), item
        while up["parent_id"] in table and len(above) <= TREE_DEPTH_MAX:
            up = table[up["parent_id"]]
            above.insert(0, up["id"])
        return above

    def check_references(self) -> None:
        """The deferred foreign keys."""
        for entity in ENTITIES:
            for column, referenced in entity.references.items():
                there = self.rows[referenced]
                for row in self.rows[entity.name].values():
                    if row[column] is not None and row[column] not in there:
                        raise errors.ForeignKeyViolation(f"{entity.table}.{column}")

    def children(self, item: str) -> list[Row]:
        """The items below an item, deleted ones too."""
        return [row for row in self.rows[WORK_ITEM.name].values() if row["parent_id"] == item]

    def waits(self) -> list[tuple[str, str, str]]:
        """All live dependencies: id, who waits, for whom."""
        return [(row["id"], *edge(row)) for row in self.rows["work_item_dependency"].values() if row["deleted_at"] is None]


def _check(entity: Entity, row: Row) -> None:
    if entity is WORK_ITEM:
        if row["path"] is None or row["depth"] is None:
            raise errors.NotNullViolation("work_items.path")
        if not 0 <= row["depth"] <= TREE_DEPTH_MAX:
            raise errors.CheckViolation("work_items_depth_check")
        if not 1 <= len(row["title"] or "") <= TITLE_MAX:
            raise errors.CheckViolation("work_items_title_check")
    elif entity.name == "work_item_dependency" and row["work_item_id"] == row["depends_on_id"]:
        raise errors.CheckViolation("work_item_dependencies_check")
    elif entity.name == "configuration" and row["deleted_at"] is not None:
        raise errors.CheckViolation("project_configuration_deleted_at_check")
    for column in entity.columns:
        if column.name in entity.references and column.name != "parent_id" and row[column.name] is None:
            raise errors.NotNullViolation(column.name)


def timestamptz(text: Any) -> Any:
    """A time as a pull gives it back, in whatever form it was written; what is no time comes with its mark as it is."""
    try:
        return timestamps.canonical(text) if isinstance(text, str) and len(text) != CANONICAL_CHARS else text
    except ValueError:
        return text


@lru_cache(maxsize=20_000)
def jsonb(text: str) -> str:
    """JSON text as `jsonb` prints it: shorter keys first, a space after colon and comma."""
    return jsonb_of(json.loads(text))


def jsonb_of(value: Any) -> str:
    """A value as `jsonb` prints it."""
    return json.dumps(_ordered(value), ensure_ascii=False, separators=(", ", ": "))


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value, key=lambda key: (len(key.encode()), key.encode()))}
    if isinstance(value, list):
        return [_ordered(one) for one in value]
    return value
