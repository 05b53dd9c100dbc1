"""Mends what `verify` has found in PostgreSQL, by numbered changes, so that every replica hears of it.

A row stays as it stands, and the history learns of it: what somebody wrote past the triggers is logged like any other change. A
row that is gone past the triggers comes back as the history tells it. Under the locks of a push everything is compared once
more, so that what somebody has changed or mended meanwhile is left alone. Batches are small: everybody waits for the head.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import psycopg
from localfirst_schema import timestamps
from localfirst_schema.entities import ENTITIES, ENTITY, WORK_ITEM, Entity
from localfirst_schema.json_merge import difference
from localfirst_schema.wire import Fields, Row, encode_json

from localfirst_sync.conflict import CONFLICT, SETTLING_FIELDS
from localfirst_sync.divergence import creation
from localfirst_sync.ports import Cursor, Identity, Line
from localfirst_sync.postgres import conflict_log, log, rows
from localfirst_sync.postgres.conflict_log import GIVEN_UP_BY, Unlogged
from localfirst_sync.postgres.connection import Connection, begin, lost, roll_back_quietly
from localfirst_sync.postgres.failure import unavailable
from localfirst_sync.postgres.transaction import AS_ENGINE
from localfirst_sync.postgres.verify import Difference
from localfirst_sync.replay import Departure, departures, logged_row
from localfirst_sync.structure import Key

BATCH = 500
BY = GIVEN_UP_BY

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_MAY_WRITE = """
SELECT NOT pg_is_in_recovery() AND NOT current_setting('transaction_read_only')::boolean
    AND has_table_privilege('localfirst.history', 'INSERT') AND has_table_privilege('localfirst.project_heads', 'UPDATE')
    AND has_table_privilege('localfirst.work_items', 'UPDATE')
"""
_MEND_PATHS = "SELECT localfirst.mend_paths(%s::uuid)"
_DERIVE_PATHS = "SELECT localfirst.derive_paths(%s::uuid, %s::uuid[])"


def may_mend(connection: Connection) -> bool:
    """Whether this user may write what mending needs."""
    try:
        found: Any = connection.execute(_MAY_WRITE).fetchone()
    except psycopg.Error as error:
        raise unavailable(error) from None
    return bool(found[0])


def mend(connection: Connection, identity: Identity, found: Iterable[Difference]) -> set[Difference]:
    """Mends what can be mended, and returns that; the others need somebody's decision.

    Raises `UnavailableError`; what was mended before stays so.
    """
    waiting = [one for one in found if one.kind != "too deep"]
    mended: set[Difference] = set()
    try:
        if of_conflicts := [one for one in waiting if one.entity == CONFLICT]:
            mended |= Mending(connection, identity).conflicts(of_conflicts)
        left = iter([one for one in waiting if one.kind != "misplaced" and one.entity != CONFLICT])
        while batch := list(islice(left, BATCH)):
            mended |= _in_parts(connection, identity, batch)
        # After the others: a row that the history does not know yet is logged whole, not by its place alone.
        if misplaced := [one for one in waiting if one.kind == "misplaced"]:
            mended |= Mending(connection, identity).places(misplaced)
    except psycopg.Error as error:
        raise unavailable(error) from None
    return mended


def _in_parts(connection: Connection, identity: Identity, batch: Sequence[Difference]) -> set[Difference]:
    """A batch, and where PostgreSQL refuses it, each half, down to the row that it refuses."""
    try:
        return Mending(connection, identity).rows(batch)
    except (psycopg.IntegrityError, psycopg.DataError):
        if len(batch) == 1:
            return set()
    middle = len(batch) // 2
    return _in_parts(connection, identity, batch[:middle]) | _in_parts(connection, identity, batch[middle:])


class Mending:
    """One transaction at a time."""

    def __init__(self, connection: Connection, identity: Identity) -> None:
        self._connection = connection
        self._identity = identity
        self._project = identity.project_id

    def rows(self, found: Sequence[Difference]) -> set[Difference]:
        """Numbers what the history does not tell of these rows, and brings back those that are gone."""
        keys = [(one.entity, one.id) for one in found]
        try:
            there, head = self.open(keys)
            lines = log.lines(log.send_lines(self._connection, self._project, [row_id for _, row_id in keys]))
            entries, new, changed = [], list[tuple[Entity, Row]](), list[tuple[Entity, Row, Row]]()
            for name, row_id in dict.fromkeys(keys):
                entity, row, logged = ENTITY[name], there.get((name, row_id)), lines.get((name, row_id), [])
                if row is None:
                    if (gone := _brought_back(entity, row_id, logged)) is not None:
                        new.append((entity, gone))
                        entries.append(_entry(entity, gone, "merged", {}))
                elif not logged:
                    entries.append(_entry(entity, row, "accepted", creation(entity, row)))
                elif departed := departures(entity, row, logged):
                    fields = _as_change(departed)
                    raised = _raised(row, max(line.version for line in logged))
                    changed.append((entity, row, raised))
                    entries.append(_entry(entity, raised, "accepted" if fields else "merged", fields))
            for entity in ENTITIES:
                rows.write(
                    self._connection, self._project, entity,
                    [row for one, row in new if one is entity], [(old, row) for one, old, row in changed if one is entity],
                )  # fmt: skip
            if placed := [row["id"] for entity, row in new if entity is WORK_ITEM]:
                self._connection.execute(_DERIVE_PATHS, (self._project, placed))
            self._close(head, entries)
            numbered = {(entry.entity, entry.entity_id) for entry in entries}
            return {one for one in found if (one.entity, one.id) in numbered}
        except BaseException:
            roll_back_quietly(self._connection)
            raise

    def places(self, found: Sequence[Difference]) -> set[Difference]:
        """Brings paths and depths in line, and tells of these rows, so that every replica takes them anew."""
        try:
            _, head = self.open([])
            self._connection.execute(_MEND_PATHS, (self._project,))
            self._close(head, [])
            mended: set[Difference] = set()
            left = iter(found)
            while batch := list(islice(left, BATCH)):
                there, head = self.open([(WORK_ITEM.name, one.id) for one in batch])
                self.log_anew(head, there.items())
                mended.update(one for one in batch if (WORK_ITEM.name, one.id) in there)
            return mended
        except BaseException:
            roll_back_quietly(self._connection)
            raise

    def conflicts(self, found: Sequence[Difference]) -> set[Difference]:
        """Numbers what the log does not tell of conflicts. One that is gone is logged as given up: nothing here knows it."""
        try:
            _, head = self.open([])
            unlogged = list(conflict_log.unlogged(self._connection, self._project, [one.id for one in found]))
            self._close(head, [_entry_of_conflict(one) for one in unlogged])
            return set(found)
        except BaseException:
            roll_back_quietly(self._connection)
            raise

    def log_anew(self, head: int, there: Iterable[tuple[Key, Row]]) -> None:
        """Tells of rows as they stand, by a change of nothing, so that every replica fetches them; commits.

        Args:
            head: what `open` has returned with these rows.
        """
        changed: dict[Entity, list[rows.Changed]] = {}
        for (name, _), row in there:
            changed.setdefault(ENTITY[name], []).append((row, {**row, "version": row["version"] + 1}))
        for entity, some in changed.items():
            rows.write(self._connection, self._project, entity, [], some)
        self._close(head, [_entry(entity, row, "merged", {}) for entity, some in changed.items() for _, row in some])

    def open(self, keys: Sequence[Key]) -> tuple[dict[Key, Row], int]:
        """Begins, locks the rows and then the head; returns both."""
        begin(self._connection, _BEGIN)
        self._connection.execute(AS_ENGINE)
        there = rows.fetch(rows.send_locks(self._connection, self._project, keys))
        head = log.send_head_lock(self._connection, self._project).fetchone()
        if head is None:
            raise lost("the project is not there")
        return there, int(head[0])

    def _close(self, head: int, entries: Sequence[log.LogEntry]) -> None:
        if entries:
            tag = random.getrandbits(31)
            log.write_history(self._connection, self._identity, Cursor(head + 1, tag), entries)
            log.move_head(self._connection, self._project, Cursor(head + len(entries), tag))
        self._connection.execute("COMMIT")


def _brought_back(entity: Entity, row_id: str, logged: Sequence[Line]) -> Row | None:
    row = logged_row(entity, row_id, logged) if any(line.outcome != "lost" for line in logged) else None
    if row is None:
        return None
    if entity is WORK_ITEM:
        row |= {"path": row_id, "depth": 0}  # derived once it is there
    return row | {"version": max(line.version for line in logged) + 1}


def _as_change(departed: Sequence[Departure]) -> Fields:
    """What somebody wrote past the triggers, as the change that it would have been."""
    fields: Fields = {}
    for one in departed:
        if one.column != "version":
            old, new = difference(one.logged, one.found) or (one.logged, one.found)
            fields[one.column] = {"old": old, "new": new}
    return fields


def _raised(row: Row, logged_version: int) -> Row:
    version = max(int(row["version"]), logged_version) + 1
    return row | {"version": version, "updated_at": timestamps.now(), "updated_by": BY}


def _entry_of_conflict(one: Unlogged) -> log.LogEntry:
    version, fields = one.last_version + 1, Fields()
    if one.kind == "absent":
        return log.LogEntry(CONFLICT, one.id, version, BY, timestamps.now(), "lost", "{}", None)
    if one.kind == "departed":
        fields = {SETTLING_FIELDS[0]: {"old": None, "new": one.settled_at}}
    elif one.settled_at is not None:
        version += 1  # it was opened, and then settled
    return log.LogEntry(CONFLICT, one.id, version, one.by, one.at or timestamps.now(), "accepted", encode_json(fields), None)


def _entry(entity: Entity, row: Row, outcome: str, fields: Fields) -> log.LogEntry:
    return log.LogEntry(entity.name, row["id"], row["version"], BY, timestamps.now(), outcome, encode_json(fields), None)
