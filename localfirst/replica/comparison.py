"""A replica held against the server, range by range, at one and the same number of the log; and what differs, fetched again.

Nothing of the replica is trusted here but its cursor. Rows with changes that still wait are left out: they are displayed as
they will be, and the server decides. So is what is set aside. Counterpart: `history_comparison`, for the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apsw
from localfirst_schema.entities import ENTITIES, Entity
from localfirst_sync.conflict import CONFLICTS
from localfirst_sync.digest import Unlike, bounds, digests, unlike
from localfirst_sync.lock import ReplicaLock
from localfirst_sync.ports import BEGINNING, Cursor
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.postgres.ranges import range_digests, range_rows
from localfirst_sync.structure import Key

from localfirst.replica import outbox, set_aside
from localfirst.replica.connection import snapshot
from localfirst.replica.local_store import ReplicaStore
from localfirst.replica.rows import select_sql

LOCK_WAIT_S = 10.0


def is_level(store: ReplicaStore, head: Cursor) -> bool:
    """Whether the replica stands where the server does, with nothing of its last push still to come."""
    return store.cursor() == head and store.last_push() == BEGINNING


def compare(replica: apsw.Connection, server: Connection, project_id: str) -> Iterator[Unlike]:
    """What differs. The server is read within a snapshot at the replica's cursor (`is_level`)."""
    with snapshot(replica):
        waiting, aside = outbox.waiting_rows(replica), set_aside.rows(replica)
        for entity in (*ENTITIES, CONFLICTS):
            theirs = range_digests(server, project_id, entity)
            mine = digests(entity, _rows(replica, entity))
            for prefix in sorted(theirs.keys() | mine.keys()):
                if theirs.get(prefix) != mine.get(prefix):
                    there = range_rows(server, project_id, entity, prefix)
                    found = unlike(entity, _rows(replica, entity, prefix), there)
                    for one in found:
                        if (entity.name, one.id) not in waiting and (entity.table, one.id) not in aside:
                            yield one


def conflicts(replica: apsw.Connection, ids: Iterable[str]) -> list[tuple[Any, ...]]:
    """Those of these conflicts that are here, in the order of their columns, but for what waits."""
    with snapshot(replica):
        waiting = outbox.waiting_rows(replica)
        sql = f"{select_sql(CONFLICTS)} WHERE id = ?"
        return [row for one in ids if (CONFLICTS.name, one) not in waiting for row in replica.execute(sql, (one,))]


def fetch_again(store: ReplicaStore, lock: ReplicaLock, head: Cursor, found: Iterable[Unlike]) -> set[Key]:
    """Writes the server's rows over the replica's, unless that has moved on; returns those that are right now.

    What the server does not have stays here.
    """
    by_entity: dict[str, tuple[Entity, list[tuple[Any, ...]]]] = {}
    for one in found:
        if one.there is not None:
            by_entity.setdefault(one.entity.name, (one.entity, []))[1].append(tuple(one.there))
    if not by_entity:
        return set()
    with lock.held(LOCK_WAIT_S):
        store.begin_round()
        if not is_level(store, head):
            return set()
        sink = store.begin_pull()
        for entity, rows in by_entity.values():
            sink.rows(entity.table, rows)
        store.finish_pull(sink, head)
    return {(entity.name, row[0]) for entity, rows in by_entity.values() for row in rows}


def _rows(replica: apsw.Connection, entity: Entity, prefix: str | None = None) -> Iterator[Sequence[Any]]:
    if prefix is None:
        return iter(replica.execute(f"{select_sql(entity)} ORDER BY id"))
    return iter(replica.execute(f"{select_sql(entity)} WHERE id BETWEEN ? AND ? ORDER BY id", bounds(prefix)))
