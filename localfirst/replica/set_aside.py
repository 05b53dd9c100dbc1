"""What a pull could not take: a table of the replica, nearly always empty.

A row whose newest state could not be taken is displayed as it was before, if it was here before, and cannot be changed here.
Counterpart: `localfirst_sync.sieve`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import apsw
from localfirst_schema import timestamps
from localfirst_schema.entities import ENTITY
from localfirst_schema.errors import InvalidStateError
from localfirst_schema.limits import GENERATION as GENERATION
from localfirst_schema.wire import encode_json

if TYPE_CHECKING:
    from localfirst_sync.ports import Again
    from localfirst_sync.sieve import Misfit

logger = logging.getLogger("localfirst.sync")

DISPLAYED = 5
"""So many are named by `sync_status` and `doctor`; the table holds all."""

IS_ANY = "SELECT EXISTS (SELECT 1 FROM set_aside)"
IS_ANY_OLDER = "EXISTS (SELECT 1 FROM set_aside WHERE limits < ? AND kind <> 'chunk')"
"""Whether anything is to be asked for again; the parameter is this program's `GENERATION`."""

_KEEP = """
    INSERT INTO set_aside (kind, table_name, id, seq, raw, reason, at, limits) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (table_name, id, seq) DO UPDATE SET raw = excluded.raw, reason = excluded.reason, limits = excluded.limits
"""
_FORGET = "DELETE FROM set_aside WHERE table_name = ? AND seq = 0 AND id IN (SELECT value FROM json_each(?))"
_FORGET_LINE = "DELETE FROM set_aside WHERE table_name = 'history' AND seq = ?"
_OF_ROW = "SELECT reason FROM set_aside WHERE table_name = ? AND id = ? AND seq = 0"
_OLDER = "SELECT table_name, id, seq FROM set_aside WHERE limits < ? AND kind <> 'chunk' ORDER BY seq"
_FIRST = "SELECT kind, table_name, id, reason, at FROM set_aside ORDER BY at, table_name, id, seq LIMIT ?"


def keep(connection: apsw.Connection, misfits: Sequence[Misfit]) -> None:
    """Sets aside. Within the caller's transaction."""
    if not misfits:
        return
    now = timestamps.now()
    connection.executemany(_KEEP, [(*misfit, now, GENERATION) for misfit in misfits])
    for misfit in misfits:
        logger.warning("set aside: %s %s: %s", misfit.table, misfit.id, misfit.reason)


def fetch_again(connection: apsw.Connection, entity: str, row_id: str, why: str) -> None:
    """What is displayed of a row or conflict is not the server's; the next round fetches that. In the caller's transaction."""
    kind, table = ("row", ENTITY[entity].table) if entity in ENTITY else ("conflict", "conflicts")
    connection.execute(_KEEP, (kind, table, row_id, 0, "{}", why, timestamps.now(), 0))


def forget_rows(connection: apsw.Connection, table: str, ids: Sequence[str]) -> None:
    """These have come as rows that can be taken."""
    connection.execute(_FORGET, (table, encode_json(ids)))


def forget_lines(connection: apsw.Connection, numbers: Iterable[int]) -> None:
    """These lines of the history could be taken by now."""
    connection.executemany(_FORGET_LINE, [(seq,) for seq in numbers])


def forget_all(connection: apsw.Connection) -> None:
    """Everything is read anew."""
    connection.execute("DELETE FROM set_aside WHERE kind <> 'chunk'")


def is_any(connection: apsw.Connection) -> bool:
    """Whether anything is set aside."""
    return bool(connection.execute(IS_ANY).get)


def ids(connection: apsw.Connection) -> set[str]:
    """The ids of the rows and conflicts that are set aside."""
    return {row_id for (row_id,) in connection.execute("SELECT id FROM set_aside WHERE seq = 0")}


def rows(connection: apsw.Connection) -> set[tuple[str, str]]:
    """(table, id) of the rows and conflicts that are set aside."""
    return {(table, row_id) for table, row_id in connection.execute("SELECT table_name, id FROM set_aside WHERE seq = 0")}


def lines(connection: apsw.Connection) -> set[int]:
    """The numbers of the lines of the history that are set aside."""
    return {seq for (seq,) in connection.execute("SELECT seq FROM set_aside WHERE table_name = 'history'")}


def reason(connection: apsw.Connection, table: str, row_id: str) -> str | None:
    """Why a row is set aside; None if it is not."""
    found = connection.execute(_OF_ROW, (table, row_id)).fetchone()
    return None if found is None else str(found[0])


def require_taken(connection: apsw.Connection, entity: str, row_id: str) -> None:
    """Raises InvalidStateError for a row whose newest state is set aside: a change would be made on what nobody can see."""
    if entity in ENTITY and (why := reason(connection, ENTITY[entity].table, row_id)) is not None:
        raise InvalidStateError(
            f"the newest state of the {entity.replace('_', ' ')} {row_id} on the server is set aside ({why}), so it cannot be"
            " changed here; mend the row in PostgreSQL, or upgrade localfirst.",
            entity=entity,
            id=row_id,
            reason=why,
        )


def again(connection: apsw.Connection) -> Again | None:
    """What is to be asked for again, since this program can take more than the one that set it aside; None: nothing."""
    from localfirst_sync.ports import Again  # not needed before a round of sync

    rows: dict[str, list[str]] = {}
    lines: list[int] = []
    for table, row_id, seq in connection.execute(_OLDER, (GENERATION,)):
        if table == "history":
            lines.append(seq)
        else:
            rows.setdefault(table, []).append(row_id)
    return Again(rows, lines) if rows or lines else None


def mark_asked(connection: apsw.Connection) -> None:
    """What was asked for again and is still here is asked for no more by this program."""
    connection.execute("UPDATE set_aside SET limits = ? WHERE limits < ? AND kind <> 'chunk'", (GENERATION, GENERATION))


def summary(connection: apsw.Connection) -> Mapping[str, Any]:
    """How many there are, and the first few."""
    columns = ("kind", "table", "id", "reason", "at")
    first = [dict(zip(columns, row, strict=True)) for row in connection.execute(_FIRST, (DISPLAYED,))]
    return {"count": connection.execute("SELECT count(*) FROM set_aside").get, "first": first}
