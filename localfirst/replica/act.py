"""The write path: one act is one transaction, and each change in it is a row, its history and its place in the outbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import apsw
from localfirst_schema import timestamps
from localfirst_schema.author import check_author
from localfirst_schema.entities import WORK_ITEM, Entity
from localfirst_schema.errors import UnavailableError
from localfirst_schema.identifiers import natural_id
from localfirst_schema.json_merge import difference
from localfirst_schema.wire import Fields, Row, decode_json, encode_json
from localfirst_sync.lease import COLUMNS

from localfirst.replica import fulltext, set_aside
from localfirst.replica.connection import immediate
from localfirst.replica.last_act import Step
from localfirst.replica.refs import REF_OF_ID

_BEGIN = f"""
    SELECT coalesce((SELECT number FROM outbox ORDER BY history_id DESC LIMIT 1), acked_number) + 1, ({set_aside.IS_ANY}),
        access
    FROM replica
"""
# A creation that was refused has left its versions in the history: the next one goes on behind them.
_LAST_VERSION = "SELECT coalesce(max(version), 0) FROM history WHERE entity_id = ? AND entity = ?"
_INSERT_HISTORY = """
    INSERT INTO history (entity, entity_id, version, by, at, outcome, fields, reached_at)
    VALUES (?1, ?2, ?3, ?4, ?5, 'accepted', ?6, ?5)
"""
_SETTLE = "UPDATE conflicts SET resolved_at = :resolved_at, resolved_by = :resolved_by, resolution = :resolution WHERE id = :id"
_INSERT_OUTBOX = "INSERT INTO outbox (history_id, number, txn, base_version) VALUES (?, ?, ?, ?)"


class Act:
    """What one user does at one moment; all of it is written, or nothing.

    Attributes:
        by: who does it.
        at: when, by this machine's clock.
        rows: what was changed so far, each row as it is then, in order.
        access: what the server allowed when it was last asked (`localfirst_sync.ports.Access`).
        steps: the same as the history has it, settled conflicts and blind changes too.
        answer: what the answer of this act says, but for what all answers of writes have; None: its first row.

    Raises ValidationError for a name that the server would refuse.
    """

    def __init__(self, connection: apsw.Connection, by: str | None) -> None:
        self.connection = connection
        self.by = None if by is None else check_author("by", by)
        self.at = timestamps.now()
        self.rows: list[tuple[Entity, Row]] = []
        self.steps: list[Step] = []
        self.answer: dict[str, Any] | None = None
        begun: list[Any] = connection.execute(_BEGIN).fetchall()
        self._number, self._is_any_aside, self.access = begun[0]
        self._txn = self._number

    def change(self, entity: Entity, before: Row | None, values: dict[str, Any], **derived: Any) -> Row:
        """Writes one change and returns the row as it is now.

        Args:
            before: the row as it is (all columns), or None to create it.
            values: column → new value; JSON columns take Python objects. `id` and `created_at` count on creation alone.
            derived: columns that are computed and never sent (`path`, `depth`).
        """
        fields = changed_fields(entity, before, values)
        self._require_taken(entity, values["id"] if before is None else before["id"])
        if before is None and entity.natural_key:
            self._require_natural(entity, values)
        row = self._next_row(entity, before, fields, values, derived)
        local_id = write_row(self.connection, entity, before, row)
        if entity is WORK_ITEM and ("title" in fields or "metadata" in fields):
            fulltext.index(self.connection, local_id, row["title"], row["metadata"], is_new=before is None)
        self._record(entity.name, row["id"], before["version"] if before else 0, row["version"], fields)
        self.rows.append((entity, row))
        return row

    def blind_change(
        self, entity: Entity, row_id: str, version: int, values: dict[str, Any], patch: dict[str, Any] | None
    ) -> None:
        """Records a change of a row that this replica does not hold, made from `version`; the server decides it.

        Args:
            patch: a JSON merge patch of the metadata.
        """
        self._require_taken(entity, row_id)
        fields: Fields = {name: {"blind": True, "old": None, "new": value} for name, value in values.items()}
        if patch is not None:
            fields["metadata"] = {"blind": True, "old": None, "new": patch}
        self._record(entity.name, row_id, version, version + 1, fields)

    def settle(self, conflict_id: str, resolution: str) -> None:
        """Marks a conflict as settled; the change of the row that settles it belongs to the same act."""
        values = {"resolved_at": self.at, "resolved_by": self.by, "resolution": resolution}
        self.connection.execute(_SETTLE, {**values, "id": conflict_id})
        fields: Fields = {name: {"old": None, "new": value} for name, value in values.items()}
        self._record("conflict", conflict_id, 1, 2, fields)

    def _require_taken(self, entity: Entity, row_id: str) -> None:
        if self._is_any_aside:  # nearly never; nobody else writes while this act is open
            set_aside.require_taken(self.connection, entity.name, row_id)

    def _require_natural(self, entity: Entity, values: dict[str, Any]) -> None:
        """The project may have got its id from its server since the row's was computed: then it would be nobody's."""
        project = str(self.connection.execute("SELECT project_id FROM replica").get)
        parts = [str(values[name]) for name in entity.natural_key if name in entity.by_name]
        if values["id"] != natural_id(project, entity.name, *(parts or ["singleton"])):
            raise UnavailableError(
                "the project got its id from the server a moment ago; nothing was written, repeat the call.", cause="busy"
            )

    def _record(self, entity: str, row_id: str, base_version: int, version: int, fields: Fields) -> None:
        bindings = (entity, row_id, version, self.by, self.at, encode_json(fields))
        self.connection.execute(_INSERT_HISTORY, bindings)
        history_id = self.connection.last_insert_rowid()
        self.connection.execute(_INSERT_OUTBOX, (history_id, self._number, self._txn, base_version))
        self._number += 1
        self.steps.append(Step(entity, row_id, base_version, version, fields))

    def _next_row(
        self, entity: Entity, before: Row | None, fields: Fields, values: dict[str, Any], derived: dict[str, Any]
    ) -> Row:
        row: Row = dict(before) if before else dict.fromkeys(entity.column_names)
        for name in fields:
            row[name] = (
                encode_json(values[name])
                if name in entity.json_columns and values[name] is not None
                else values.get(name, row[name])
            )
        if before is None:
            row["id"] = values["id"]
            row["created_at"] = values.get("created_at") or self.at
            row["created_by"] = self.by
        if before:
            row["version"] = before["version"] + 1
        else:
            row["version"] = self.connection.execute(_LAST_VERSION, (row["id"], entity.name)).get + 1
        row["updated_at"] = self.at
        row["updated_by"] = self.by
        row.update(derived)
        return row


@contextmanager
def act(connection: apsw.Connection, by: str | None) -> Iterator[Act]:
    """One act: a transaction that begins as a writer and is on disk when the block ends."""
    with immediate(connection):
        yield Act(connection, by)


def changed_fields(entity: Entity, before: Row | None, values: dict[str, Any]) -> Fields:
    """What `values` change of the row, as a change says it: JSON reduced to the keys that differ, booleans as booleans."""
    fields: Fields = {}
    for name, new in values.items():
        if name == "id" or (name == "created_at" and before is not None):
            continue
        old = before[name] if before else None
        if name in entity.json_columns:
            old = decode_json(old) if old is not None else ({} if isinstance(new, dict) else None)
            if (part := difference(old, new)) is not None or (before is None and new is not None):
                fields[name] = {"old": part[0], "new": part[1]} if part else {"old": old, "new": new}
        elif name in entity.boolean_columns:
            if before is None or bool(old) != new:
                fields[name] = {"old": None if before is None else bool(old), "new": new}
        elif old != new:
            fields[name] = {"old": old, "new": new}
    if entity.is_lease and fields:
        for name in COLUMNS:  # a lease is compared as a whole: who had it, and until when
            old = before[name] if before else None
            fields.setdefault(name, {"old": old, "new": values.get(name, old)})
    return fields


@cache
def written_columns(entity: Entity) -> tuple[str, ...]:
    """The columns that are stored (a vendor's `status` is computed by the store)."""
    return tuple(name for name in entity.column_names if not (entity.table == "vendor_extractors" and name == "status"))


@cache
def insert_sql(entity: Entity, into: str | None = None, verb: str = "INSERT") -> str:
    """Inserts one row, given as its `written_columns` (the id is the first); of a work item the ref is computed.

    Args:
        into: a table with the entity's columns; None: its own.
        verb: ``INSERT``, or ``INSERT OR IGNORE``.
    """
    columns = written_columns(entity)
    names, values = list(columns), ["?"] * len(columns)
    if entity is WORK_ITEM:
        names.append("ref")
        values.append(f"{REF_OF_ID}(?1)")
    return f"{verb} INTO {into or entity.table} ({', '.join(names)}) VALUES ({', '.join(values)})"


@cache
def upsert_sql(entity: Entity) -> str:
    """Inserts a whole row or overwrites the one with its id."""
    sets = ", ".join(f"{name} = excluded.{name}" for name in written_columns(entity) if name != "id")
    return f"{insert_sql(entity)} ON CONFLICT (id) DO UPDATE SET {sets}"


def write_row(connection: apsw.Connection, entity: Entity, before: Row | None, row: Row) -> int:
    """Inserts the row, or updates the columns in which it differs from `before`; returns its local id (work items only)."""
    if before is None:
        connection.execute(insert_sql(entity), [row[name] for name in written_columns(entity)])
        return connection.last_insert_rowid()
    changed = [name for name in written_columns(entity) if row[name] != before[name]]
    sets = ", ".join(f"{name} = ?" for name in changed)
    returning = " RETURNING local_id" if entity is WORK_ITEM else ""
    bindings = [*(row[name] for name in changed), row["id"]]
    cursor = connection.execute(f"UPDATE {entity.table} SET {sets} WHERE id = ?{returning}", bindings)
    return int(cursor.get) if returning else 0
