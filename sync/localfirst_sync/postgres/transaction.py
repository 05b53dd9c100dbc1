"""The transaction of a push: opened and read in one round trip, written in parts or at once, finished with the head.

Under the head's lock everything that was committed before is visible and nothing of the project can be committed meanwhile.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from localfirst_schema.entities import ENTITIES, WORK_ITEM, Entity
from localfirst_schema.errors import UnavailableError
from localfirst_schema.wire import Row, Verdict
from localfirst_sync.batch import Act, Batch, Change, Settled, Stand
from localfirst_sync.conflict import CONFLICT, Record
from localfirst_sync.conflict_book import NOTHING_BOOKED, Booked, book
from localfirst_sync.ports import Cursor, Fenced, Identity, Push
from localfirst_sync.postgres import log, rows
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.postgres.structure_facts import load_structure
from localfirst_sync.receipts import receipt, repeated
from localfirst_sync.structure import Key

LOCK_TIMEOUT_MS = 500

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_AS_ENGINE = f"SELECT set_config('localfirst.engine', 'on', true), set_config('lock_timeout', '{LOCK_TIMEOUT_MS}ms', true)"
_DERIVE_PATHS = "SELECT localfirst.derive_paths(%s::uuid, %s::uuid[])"


class Part(NamedTuple):
    """Some acts, decided: what is to be written for them, and the answers."""

    new: dict[Entity, list[Row]]
    changed: dict[Entity, list[Row]]
    moved: list[str]
    conflicts: Sequence[Record]
    history: list[log.LogEntry]
    verdicts: list[Verdict]
    before: Stand


class Transaction:
    """A transaction on `connection`; the caller rolls it back when anything is raised."""

    def __init__(self, connection: Connection, identity: Identity) -> None:
        self._connection = connection
        self._identity = identity
        self._tag = random.getrandbits(31)

    def open(self, push: Push, changes: Sequence[Change]) -> list[Verdict]:
        """Begins, locks and reads; returns the verdicts of the leading mutations that the server has had before.

        Raises `IdentityTaken`, `Fenced` or `ServerWasRestored`.
        """
        connection, project = self._connection, self._identity.project_id
        keys = dict.fromkeys(change.key for change in changes if change.entity is not None)
        created = dict.fromkeys(c.key for c in changes if c.entity is not None and c.mutation.base_version == 0)
        named = [change.mutation.id for change in changes if change.mutation.entity == CONFLICT]
        with connection.pipeline():
            connection.execute(_BEGIN)
            connection.execute(_AS_ENGINE, prepare=True)
            locked = rows.send_locks(connection, project, keys)
            head = log.send_head_lock(connection, project)
            # What was not there to be locked may have been made while this push waited for the head.
            reread = rows.send_reads(connection, project, created)
            replica = log.send_replica(connection, self._identity, push.acked_number)
            conflicts = log.send_named_conflicts(connection, project, named)
        found_head = head.fetchone()
        if found_head is None:
            raise UnavailableError("PostgreSQL no longer has this project; it is started again by itself.", cause="project")
        self.before = self._head = Cursor(*found_head)
        known = log.known_replica(replica)
        verdicts = repeated(push, known)
        if known.epoch > self._identity.epoch:
            raise Fenced
        self._rows = rows.fetch(reread) | rows.fetch(locked)
        if missing := keys.keys() - created.keys() - self._rows.keys():
            self._rows |= rows.fetch(rows.send_reads(connection, project, missing))
        self._conflicts = {record.row["id"]: record for record in log.conflict_records(conflicts)}
        return verdicts

    def load(self, changes: Sequence[Change]) -> None:
        """Makes ready to decide `changes`."""
        structure = load_structure(self._connection, self._identity.project_id, changes, self._rows)
        self._batch = Batch(self._rows, self._conflicts, structure)

    def decide(self, some: Sequence[Act], barred: str | None = None) -> Part:
        """Decides acts; what they do is to be written by `send`, or taken back by `forget`."""
        before = self._batch.stand(list(chain.from_iterable(some)))
        settled = [one for act in some for one in self._batch.decide(act, barred)]
        booked = self._book(settled)
        new: dict[Entity, list[Row]] = {}
        changed: dict[Entity, list[Row]] = {}
        moved = []
        for key in before.rows:
            row, old = self._batch.rows.get(key), self._rows.get(key)
            entity = ...
