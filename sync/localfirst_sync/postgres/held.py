"""What can be said of a push while somebody holds rows that it needs: which acts wait for them, and what is known already.

Asked only after a push had to give way. Nothing is written and nothing waited for. An act needs the rows that it names, those
that it refers to (PostgreSQL locks them for the foreign key), and those below what it moves, whose paths change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import Any, NamedTuple, TypeAlias

import psycopg
from localfirst_schema.entities import WORK_ITEM, Entity
from localfirst_schema.wire import Row
from psycopg.errors import LockNotAvailable

from localfirst_sync.batch import Act, Change, acts
from localfirst_sync.ports import Busy, Cursor, Fenced, Identity, Push, Pushed
from localfirst_sync.postgres import log, rows
from localfirst_sync.postgres.connection import Connection, begin, roll_back_quietly
from localfirst_sync.postgres.failure import unavailable
from localfirst_sync.postgres.structure_facts import BELOW
from localfirst_sync.receipts import repeated
from localfirst_sync.structure import Key

HURRY = "SELECT pg_catalog.set_config('lock_timeout', '100ms', true)"
HEAD = "SELECT head, tag FROM localfirst.project_heads WHERE project_id = %s"


_Send: TypeAlias = Callable[[Connection, str, Iterable[Key]], list[tuple[Entity, rows.Fetch]]]


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
        try:
            found = _ask(connection, project, named, referenced, moved, rows.send_shares)
        except (
            LockNotAvailable
        ):  # of rows that were changed and then deleted, PostgreSQL waits for the later change all the same
            found = _ask(connection, project, named, referenced, moved, _send_skipping)
        with connection.pipeline():
            replica = log.send_replica(connection, identity, push.acked_number)
            cursor = log.send_cursor(connection, project, push.cursor)
            asked_head = connection.execute(HEAD, (project,), prepare=True)
        log.check_cursor(cursor)
        known = log.known_replica(replica)
        head: Any = asked_head.fetchone()
    except psycopg.Error as error:
        raise unavailable(error) from None
    verdicts = repeated(push, known)
    if known.epoch > identity.epoch:
        raise Fenced
    if len(verdicts) == len(changes):
        return Pushed(verdicts, None, Cursor(*head))
    waiting = [change.mutation.number for act in acts(changes[len(verdicts) :]) if _waits(act, found) for change in act]
    if waiting or verdicts:
        raise Busy(waiting, known.last_number)
    return None


def _ask(
    connection: Connection, project: str, named: Iterable[Key], referenced: Iterable[Key], moved: Sequence[str], send: _Send
) -> Held:
    """Tries the locks and lets go of them again."""
    try:
        with connection.pipeline():
            begin(connection, "BEGIN")
            connection.execute(HURRY)
            there = rows.send_reads(connection, project, {**dict.fromkeys(named), **dict.fromkeys(referenced)})
            lockable = rows.send_locks(connection, project, named, skip_locked=True)
            shareable = send(connection, project, referenced)
            below = connection.execute(BELOW, {"project": project, "ids": moved}, prepare=True) if moved else None
        exist = rows.fetch(there).keys()
        locked = exist & set(named) - rows.fetch(lockable).keys()
        return Held(locked, exist & set(referenced) - rows.fetch(shareable).keys(), _held_below(connection, project, below))
    finally:
        roll_back_quietly(connection)


def _send_skipping(connection: Connection, project: str, keys: Iterable[Key]) -> list[tuple[Entity, rows.Fetch]]:
    return rows.send_locks(connection, project, keys, skip_locked=True)


def _waits(act: Act, held: Held) -> bool:
    for change in act:
        if change.key in held.rows or any(key in held.referenced for key in _references(change)):
            return True
        if _moves(change) and any(change.mutation.id in row["path"].split("/") for row in held.below):
            return True
    return False


def _moves(change: Change) -> bool:
    """A creation too: of an item that is there already, by another or as a tombstone, it may put it elsewhere."""
    return change.entity is WORK_ITEM and ("parent_id" in change.fields or change.mutation.base_version == 0)


def _references(change: Change) -> Iterator[Key]:
    """The rows that a change newly refers to."""
    if change.entity is None or change.invalid_reason is not None:
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
