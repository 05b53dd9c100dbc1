"""The history of a replica held against the server's, and what differs written as the server has it.

Counterpart of `comparison`, which does it for rows. What waits for the server is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apsw
from localfirst_sync.digest import bounds
from localfirst_sync.line_digest import Digests, Held, Parted, digests, parted
from localfirst_sync.lock import ReplicaLock
from localfirst_sync.ports import Cursor, Line
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.postgres.line_ranges import line_digests, range_lines, since

from localfirst.replica import set_aside
from localfirst.replica.comparison import LOCK_WAIT_S, is_level
from localfirst.replica.connection import snapshot
from localfirst.replica.local_store import ReplicaStore
from localfirst.replica.recovery.parts import NOT_WAITING

_LINES = f"""
    SELECT history_id, entity, entity_id, version, by, at, outcome, fields FROM history
    WHERE entity <> 'conflict' AND {NOT_WAITING}
"""
_OF_RANGE = f"{_LINES} AND entity_id BETWEEN ? AND ? ORDER BY history_id"
_NOTHING = Digests(None, None)


def compare(replica: apsw.Connection, server: Connection, project_id: str) -> Iterator[Parted]:
    """What differs. The server is read within a snapshot at the replica's cursor (`comparison.is_level`)."""
    with snapshot(replica):
        day = since(server)
        aside = set_aside.lines(replica)
        theirs, mine = line_digests(server, project_id, day), digests(_held(replica), day)
        for prefix in sorted(theirs.keys() | mine.keys()):
            here, there = mine.get(prefix, _NOTHING), theirs.get(prefix, _NOTHING)
            # Where all that is here is recent, the server may have more.
            if here == there or (here.whole == here.recent == there.recent):
                continue
            yield from parted(_held(replica, prefix), range_lines(server, project_id, prefix, aside), day)


def write_as_there(store: ReplicaStore, lock: ReplicaLock, head: Cursor, found: Iterable[Parted]) -> bool:
    """Takes off the lines that only the replica has, and adds those that it lacks, unless it has moved on; whether it did."""
    with lock.held(LOCK_WAIT_S):
        store.begin_round()
        if not is_level(store, head):
            return False
        found = list(found)
        store.rewrite_history([one.place for row in found for one in row.here], [one for row in found for one in row.there])
    return True


def _held(replica: apsw.Connection, prefix: str | None = None) -> Iterator[Held]:
    rows = replica.execute(_LINES) if prefix is None else replica.execute(_OF_RANGE, bounds(prefix))
    for history_id, entity, row_id, *line in rows:
        yield Held(history_id, entity, row_id, Line(*line))
