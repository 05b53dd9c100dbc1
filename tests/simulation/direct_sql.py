"""Somebody with `psql`: what the triggers of PostgreSQL make of direct writes to the simulated server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from localfirst_schema import timestamps
from localfirst_schema.entities import CONFIGURATION, ENTITY, VENDOR, WORK_ITEM, WORK_ITEM_DEPENDENCY, Entity, Kind
from localfirst_schema.identifiers import natural_id, new_id
from localfirst_schema.limits import TREE_DEPTH_MAX
from localfirst_schema.wire import Row
from localfirst_sync.structure import Key
from psycopg import errors

from simulation.statements import Connection
from simulation.tables import Entry, Tables, jsonb_of

WHO = "postgres"


class _Pending(NamedTuple):
    entity: Entity
    entity_id: str
    version: int
    by: str | None
    fields: dict[str, Any]
    structural: bool


class _Answer:
    """What the server says of a transaction."""

    is_yes = True


class Psql:
    """One transaction of a direct writer. Statements fail with `psycopg` errors; then nothing of it stays.

    Attributes:
        written: the rows as the transaction has written them, derived columns too: nobody else can change them before it ends.
    """

    def __init__(self, connection: Connection, project_id: str) -> None:
        self._connection = connection
        self._project = project_id
        self._pending: list[_Pending] = []
        self.written: dict[Key, Row] = {}

    def run(self, statements: Callable[[Psql], object]) -> bool:
        """Runs and commits; False if a constraint said no, or a row that it refers to is held: who types that gives up."""
        with self._asked() as answer:
            statements(self)
            self._number()
            self._connection.commit()
        return answer.is_yes

    def type(self, statement: Callable[[Psql], None]) -> bool:
        """A statement of a transaction that stays open: it sees what it has written itself, and what is committed by now."""
        with self._asked() as answer:
            before = self._tables.copy()
            statement(self)
            for name, rows in self._tables.rows.items():
                changed = {(name, row_id): row for row_id, row in rows.items() if row is not before.rows[name].get(row_id)}
                self.written |= changed
            self._connection.command(b"ROLLBACK")
        return answer.is_yes

    def commit(self) -> bool:
        """The open transaction ends; False if what has been committed beside it stands against it."""
        return self.run(lambda _: None)

    @contextmanager
    def _asked(self) -> Iterator[_Answer]:
        """The transaction as it stands on what is committed by now; what a constraint refuses leaves nothing."""
        answer = _Answer()
        self._connection.begin()
        for (name, row_id), row in self.written.items():
            self._tables.rows[name][row_id] = row
        try:
            yield answer
        except (errors.IntegrityError, errors.RaiseException, errors.LockNotAvailable):
            self._connection.command(b"ROLLBACK")
            answer.is_yes = False

    def insert(self, entity: Entity, **given: Any) -> str:
        """``INSERT``; an existing id is an error."""
        now = self._connection.fate.now()
        row: Row = dict.fromkeys(entity.column_names) | given
        if entity.natural_key:
            parts = [str(given[name]) for name in entity.natural_key] if entity is not CONFIGURATION else ["singleton"]
            row["id"] = natural_id(self._project, entity.name, *parts)
        row["id"] = row["id"] or new_id()
        if row["id"] in self._tables.rows[entity.name]:
            raise errors.UniqueViolation(f"{entity.table}_pkey")
        row |= {"version": 1, "created_at": now, "updated_at": now, "created_by": WHO, "updated_by": WHO}
        for name in entity.json_columns:
            row[name] = None if row[name] is None else jsonb_of(row[name])
        if entity is WORK_ITEM:
            parent = self._tables.rows[entity.name].get(row["parent_id"] or "")
            row["path"] = f"{parent['path']}/{row['id']}" if parent else row["id"]
            row["depth"] = parent["depth"] + 1 if parent else 0
        self._tables.put(entity, row)
        if row.get("parent_id"):
            self._tables.derive_paths([row["id"]])
        fields = {name: {"old": None, "new": _printed(entity, row, name)} for name in _data(entity) if row[name] is not None}
        self._log(entity, row, fields)
        return str(row["id"])

    def update(self, entity: Entity, row_id: str, **changes: Any) -> None:
        """``UPDATE``; one that changes nothing is no change."""
        old = self._tables.rows[entity.name][row_id]
        for name in entity.json_columns & changes.keys():
            changes[name] = jsonb_of(changes[name])
        if all(old[name] == new for name, new in changes.items()):
            return
        now = self._connection.fate.now()
        row = {**old, **changes, "version": old["version"] + 1, "updated_at": now, "updated_by": WHO}
        self._tables.put(entity, row)
        if "parent_id" in changes:
            self._tables.derive_paths([row_id])
        fields = {
            name: {"old": _printed(entity, old, name), "new": _printed(entity, row, name)}
            for name in _data(entity)
            if old[name] != row[name]
        }
        self._log(entity, row, fields)

    def delete(self, entity: Entity, row_id: str) -> None:
        """``DELETE``: the row comes back as a tombstone."""
        old = self._tables.rows[entity.name][row_id]
        if old["deleted_at"] is not None:
            return
        now = self._connection.fate.now()
        gone = {**old, "version": old["version"] + 1, "updated_at": now, "updated_by": WHO, "deleted_at": now}
        self._tables.put(entity, gone)
        self._log(entity, gone, {"deleted_at": {"old": None, "new": _time(now)}})

    def rows(self, name: str) -> dict[str, Row]:
        """What the transaction sees of an entity."""
        return self._tables.rows[name]

    @property
    def _tables(self) -> Tables:
        return self._connection.tables

    def _log(self, entity: Entity, row: Row, fields: dict[str, Any]) -> None:
        structural = entity in (WORK_ITEM, WORK_ITEM_DEPENDENCY)
        self._pending.append(_Pending(entity, row["id"], row["version"], row["updated_by"], fields, structural))

    def _number(self) -> None:
        if not self._pending:
            return
        tables = self._tables
        if any(one.structural for one in self._pending):
            objection = broken_structure(tables)
            if objection is not None:
                raise errors.CheckViolation(objection)
            self._derive_again()
        tables.tag = self._connection.fate.dice.getrandbits(31)
        now = self._connection.fate.now()
        for one in self._version_floors():
            tables.head += 1
            tables.history.append(
                Entry(
                    tables.head, tables.tag, one.entity.name, one.entity_id, one.version, one.by, now, "accepted",
                    jsonb_of(one.fields), None, None,
                )
            )  # fmt: skip

    def _derive_again(self) -> None:
        """Others may have moved what is above, or put something below, since the statements saw it."""
        self._tables.derive_paths([one.entity_id for one in self._pending if one.structural and one.entity is WORK_ITEM])

    def _version_floors(self) -> list[_Pending]:
        """The changes; those of a row that is new, and of which the log tells already (a change was refused since there was
        no such row, or a server that was set back has lost it), with versions past that."""
        tables = self._tables
        new = {(one.entity.name, one.entity_id) for one in self._pending if one.version == 1}
        logged: dict[tuple[str, str], int] = {}
        for entry in tables.history:
            key = entry.entity, entry.entity_id
            if key in new:
                logged[key] = max(entry.version, logged.get(key, 0))
        for (name, row_id), version in logged.items():
            row = tables.rows[name][row_id]
            tables.put(ENTITY[name], {**row, "version": row["version"] + version})
        return [one._replace(version=one.version + logged.get((one.entity.name, one.entity_id), 0)) for one in self._pending]


def broken_structure(tables: Tables) -> str | None:
    """What is wrong with parents, depth and dependencies, or None."""
    items = tables.rows[WORK_ITEM.name]
    for row in items.values():
        parent = items.get(row["parent_id"] or "")
        if parent is not None and row["deleted_at"] is None and parent["deleted_at"] is not None:
            return f"{row['id']} is alive below a deleted parent"
        above, up = 0, row
        while up["parent_id"] is not None:
            above, up = above + 1, items[up["parent_id"]]
            if above > TREE_DEPTH_MAX:
                return f"{row['id']} is too deep, or in a circle"
    waits: dict[str, list[str]] = {}
    for _, waiting, waited_for in tables.waits():
        waits.setdefault(waiting, []).append(waited_for)
    for start in waits:
        seen, stack = set[str](), list(waits[start])
        while stack:
            item = stack.pop()
            if item == start:
                return f"{start} waits for itself"
            if item not in seen:
                seen.add(item)
                stack += waits.get(item, ())
    return None


def _data(entity: Entity) -> tuple[str, ...]:
    """The columns that the triggers log."""
    return tuple(
        name for name in entity.sent_columns if name != "created_at" and not (entity is CONFIGURATION and name == "deleted_at")
    ) + (("deleted_at",) if "deleted_at" not in entity.sent_columns and entity is not CONFIGURATION else ())


def _printed(entity: Entity, row: Row, name: str) -> Any:
    value = row[name]
    if value is None:
        return None
    if entity.by_name[name].kind is Kind.JSON:
        return json.loads(value)
    if entity.by_name[name].kind is Kind.TIMESTAMP:
        return _time(value)
    return bool(value) if entity is VENDOR and name == "operational" else value


def _time(text: str) -> str:
    """As PostgreSQL puts a time into JSON."""
    return timestamps.parse(text).isoformat()
