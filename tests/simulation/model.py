"""What people were answered: every write that a replica has acknowledged, and what may have become of it."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import apsw
from localfirst_schema.entities import ENTITY
from localfirst_schema.wire import Fields

from localfirst.replica.rows import find
from simulation.content import canonical, content, parsed, undone

Key = tuple[str, str, str | None, str, str]
"""A write, wherever it is met: entity, id, by, at, and the canonical text of its fields."""

_SINCE = """
    SELECT h.entity, h.entity_id, h.by, h.at, h.fields, h.version, o.base_version, o.txn
    FROM outbox AS o JOIN history AS h USING (history_id) WHERE h.history_id > ? ORDER BY h.history_id
"""


class Write(NamedTuple):
    """One acknowledged write.

    Attributes:
        act: the writes that were one act, itself among them.
        base: the content that the writer saw, None where there was no row or it was not known.
        follows_blind: whether a change of the row waited then that named a version without knowing its values.
    """

    key: Key
    act: frozenset[Key]
    base_version: int
    base: dict[str, Any] | None
    fields: Fields
    follows_blind: bool


class Model:
    """All acknowledged writes of a run.

    Attributes:
        copies: how many copies of a replica's file went their own way with this write waiting in them.
        may_be_gone: writes of which the last copy went with a disk, or a server, that was replaced by an older state.
        settled_in_vain: settlements of conflicts that the server has answered with `lost`.
    """

    def __init__(self) -> None:
        self.writes: dict[Key, Write] = {}
        self.copies: Counter[Key] = Counter()
        self.may_be_gone: set[Key] = set()
        self.settled_in_vain: set[Key] = set()

    def acknowledge(self, connection: apsw.Connection, since: int) -> list[Write]:
        """Notes what has been written to a replica after the history entry `since`."""
        found = []
        acts: dict[int, set[Key]] = {}
        for entity, row_id, by, at, text, _, base_version, txn in connection.execute(_SINCE, (since,)):
            key = key_of(entity, row_id, by, at, text)
            fields: Fields = parsed(text)
            base = None
            if entity in ENTITY and base_version > 0:
                after = find(connection, ENTITY[entity], row_id)
                if after is not None:
                    base = undone(ENTITY[entity], content(ENTITY[entity], after) or {}, fields)
            acts.setdefault(txn, set()).add(key)
            found.append((key, txn, base_version, base, fields, _follows_blind(connection, entity, row_id, since)))
        writes = [Write(key, frozenset(acts[txn]), *rest) for key, txn, *rest in found]
        for write in writes:
            assert write.key not in self.writes, "two writes cannot be distinguished"
            self.writes[write.key] = write
        return writes

    def copied(self, waiting: set[Key]) -> None:
        """A file with these writes waiting in it went its own way."""
        self.copies.update(waiting)

    def replaced(self, held: set[Key], elsewhere: set[Key]) -> None:
        """What held these writes was replaced; `elsewhere` is what is still held anywhere."""
        self.may_be_gone |= (held & self.writes.keys()) - elsewhere


def _follows_blind(connection: apsw.Connection, entity: str, row_id: str, since: int) -> bool:
    sql = """
        SELECT EXISTS (
            SELECT 1 FROM outbox JOIN history AS h USING (history_id)
            WHERE h.history_id <= ? AND h.entity = ? AND h.entity_id = ? AND instr(h.fields, '"blind":true')
        )
    """
    return bool(connection.execute(sql, (since, entity, row_id)).get)


def key_of(entity: str, row_id: str, by: str | None, at: str, fields: str) -> Key:
    """The key of a write."""
    return entity, row_id, by, at, canonical(fields)


def waiting(connection: apsw.Connection) -> set[Key]:
    """The keys of all writes that wait in a replica."""
    return {key_of(*row[:5]) for row in connection.execute(_SINCE, (0,))}


def acknowledged(connection: apsw.Connection) -> set[Key]:
    """The keys of all writes that a replica's history tells, waiting or not."""
    rows = connection.execute("SELECT entity, entity_id, by, at, fields FROM history")
    return {key_of(*row) for row in rows}


def last_history_id(connection: apsw.Connection) -> int:
    """The newest entry of a replica's history."""
    return int(connection.execute("SELECT coalesce(max(history_id), 0) FROM history").get)
