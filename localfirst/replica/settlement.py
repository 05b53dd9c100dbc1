"""A conflict that was settled here and not yet on the server: what it is about is the server's, its settlement waits on top."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import apsw
from localfirst_sync.conflict import SETTLING_FIELDS
from localfirst_sync.ports import CONFLICT_COLUMNS, CONFLICT_TABLE

_PLACES = tuple(place for place, name in enumerate(CONFLICT_COLUMNS) if name in SETTLING_FIELDS)
_DISPLAYED = f"SELECT {', '.join(CONFLICT_COLUMNS)} FROM {CONFLICT_TABLE} WHERE id = ?"
_PUT = (
    f"INSERT OR REPLACE INTO {CONFLICT_TABLE} ({', '.join(CONFLICT_COLUMNS)}) VALUES ({', '.join('?' * len(CONFLICT_COLUMNS))})"
)


def displayed(connection: apsw.Connection, conflict_id: str) -> Sequence[Any] | None:
    """A conflict as it is displayed here, in the order of `CONFLICT_COLUMNS`; None if there is none."""
    found: list[Any] = connection.execute(_DISPLAYED, (conflict_id,)).fetchall()
    return found[0] if found else None


def put(connection: apsw.Connection, conflicts: Iterable[Sequence[Any]]) -> None:
    """Writes conflicts as they are given."""
    connection.executemany(_PUT, conflicts)


def rebased(theirs: Sequence[Any], mine: Sequence[Any] | None) -> Sequence[Any]:
    """The server's conflict with the settlement that waits here: more may have been joined to it since it was settled."""
    if mine is None:
        return theirs
    return tuple(mine[place] if place in _PLACES else value for place, value in enumerate(theirs))


def unsettled(conflict: Sequence[Any]) -> Sequence[Any]:
    """The conflict without its settlement."""
    return tuple(None if place in _PLACES else value for place, value in enumerate(conflict))
