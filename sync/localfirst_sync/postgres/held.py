"""What can be said of a push while somebody holds rows that it needs: which acts wait for them, and what is known already.

Asked only after a push had to give way. Nothing is written and nothing waited for. An act needs the rows that it names, those
that it refers to (PostgreSQL locks them for the foreign key), and those below what it moves, whose paths change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from typing import Any, NamedTuple

import psycopg
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.wire import Row

from localfirst_sync.batch import Act, Change, acts
from localfirst_sync.ports import Busy, Cursor, Fenced, Identity, Push, Pushed
from localfirst_sync.postgres import log, rows
from localfirst_sync.postgres.connection import Connection, begin, roll_back
from localfirst_sync.postgres.failure import unavailable
from localfirst_sync.postgres.structure_facts import BELOW
from localfirst_sync.receipts import repeated
from localfirst_sync.structure import Key

HEAD = "SELECT head, tag FROM localfirst.project_heads WHERE project_id = %s"


class Held(NamedTuple):
    """What somebody has locked: rows that the push changes, rows that it refers to (against any key share), and rows below
    those that it moves."""

    rows: Set[Key]
    referenced: Set[Key]
    below: Sequence[Row]


def look(connection: Connection, identity: Identity, push: Push, changes: Sequence[Change]) -> Pushed | None:
    """The answers to a push that the server has had before as a whole; None where none of its rows is held.

    Raises `Busy` with the mutations that wait, and what any push raises: `IdentityTaken`, `Fenced`, `ServerWasRestored`.
    """
    project = identity.project_id
    named = dict.fromkeys(change.key for change in changes if change.entity is not None)
    referenced = dict.fromkeys(key for change in changes for key in _references(change))
    moved = [change.mutation.id for change in changes if _moves(change)]
    try:
        with connection.pipeline():
            begin(connection, "BEGIN")
            there = rows.send_reads(connection, project, {**named, **referenced})
            lockable = rows.send_locks(connection, project, named, skip_locked=True)
            shareable = rows.send_shares(connection, project, referenced)
            below = connection.execute(BELOW, {"project": project, "ids": moved}, prepare=True) if moved else None
            replica = log.send_replica(connection, identity, push.acked_number)
            cursor = log.send_cursor(connection, project, push.cursor)
            head = connection.execute(HEAD, (project,), prepare=True)
        exist = rows.fetch(there).keys()
        held = Held(
            exist & named.keys() - rows.fetch(lockable).keys(),
            exist & referenced.keys() - rows.fetch(shareable).keys(),
            _held_below(connection, project, below),
        )
        log.check_cursor(cursor)
        known = log.known_replica(replica)
        found: Any = head.fetchone()
    except psycopg.Error as error:
        raise unavailable(error) from None
    finally:
        with suppress(psycopg.Error):
            roll_back(connection)
    verdicts = repeated(push, known)
    if known.epoch > identity.epoch:
        raise Fenced
    if len(verdicts) == len(changes):
        return Pushed(verdicts, None, Cursor(*found))
    waiting = [change.mutation.number for act in acts(changes[len(verdicts) :]) if _waits(act, held) for change in act]
    if waiting or verdicts:
        raise Busy(waiting, known.last_number)
    return None


def _waits(act: Act, held: Held) -> bool:
    for change in act:
        if change.key in held.rows or any(key in held.referenced for key in _references(change)):
            return True
        if _moves(change) and any(change.mutation.id in row["path"].split("/") for row in held.below):
            return True
    return False


def _moves(change: Change) -> bool:
    return change.entity is WORK_ITEM and "parent_id" in change.fields and change.mutation.base_version > 0


def _references(change: Change) -> Iterator[Key]:
    """The rows that a change newly refers to."""
    if change.entity is None or change.unfit is not None:
        return
    for column, referenced in change.entity.references.items():
        named = change.fields.get(column, {}).get("new")
        if named is not None:
            yield referenced, named


def _held_below(connection: Connection, project_id: str, below: Any) -> list[Row]:
    """The rows below moved ones that somebody holds."""
    keys = [] if below is None else [(WORK_ITEM.name, row_id) for row_id, _ in below.fetchall()]
    if not keys:
        return []
    with connection.pipeline():
        there = rows.send_reads(connection, project_id, keys)
        lockable = rows.send_locks(connection, project_id, keys, skip_locked=True)
    found, free = rows.fetch(there), rows.fetch(lockable)
    return [row for key, row in found.items() if key not in free]
