"""A replica reduced to its outbox: it numbers and chains mutations and pushes them, and keeps what it was answered."""

from __future__ import annotations

import copy
from typing import Any

from localfirst_schema import timestamps
from localfirst_schema.identifiers import new_id
from localfirst_schema.wire import EMPTY_HASH, Mutation, Verdict, chain_hash, encode_json
from localfirst_sync.ports import Identity, Push, Pushed
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.postgres.push import push

AT = "2026-01-02T03:04:05.000006Z"


def task(title: str = "A task", **values: Any) -> dict[str, Any]:
    """The values of a new work item."""
    return {"item_type": "task", "title": title, "status": "active", "metadata": {"priority": "high"}} | values


class Sender:
    """Queues changes and pushes them."""

    def __init__(self, server: Connection, project_id: str, by: str) -> None:
        self.server = server
        self.project_id = project_id
        self.by = by
        self.replica_id = new_id()
        self.epoch = 1
        self.acked_number = 0
        self.acked_hash = EMPTY_HASH
        self.queue: list[Mutation] = []
        self._txn = 0

    def copy(self) -> Sender:
        """The replica's file copied to another machine."""
        twin = copy.copy(self)
        twin.queue = list(self.queue)
        return twin

    def create(self, entity: str, values: dict[str, Any], row_id: str | None = None) -> str:
        """Queues a creation as an act of its own; returns the id."""
        row_id = row_id or new_id()
        self.change(entity, row_id, 0, {name: (None, value) for name, value in values.items()})
        return row_id

    def change(
        self, entity: str, row_id: str, base_version: int, changes: dict[str, tuple[Any, Any]], version: int | None = None
    ) -> Mutation:
        """Queues one act of one change; `changes` are column → (old, new)."""
        self._txn += 1
        return self._add(entity, row_id, base_version, changes, version)

    def act(self, *changes: tuple[str, str, int, dict[str, tuple[Any, Any]]]) -> None:
        """Queues several changes as one act."""
        self._txn += 1
        for entity, row_id, base_version, values in changes:
            self._add(entity, row_id, base_version, values, None)

    def delete(self, entity: str, row_id: str, base_version: int) -> Mutation:
        """Queues a deletion."""
        return self.change(entity, row_id, base_version, {"deleted_at": (None, AT)})

    def prepared(self) -> Push:
        """The queue as a push."""
        hashes, last = [], self.acked_hash
        for mutation in self.queue:
            last = chain_hash(last, mutation)
            hashes.append(last)
        return Push(self.acked_number, self.acked_hash, tuple(self.queue), hashes)

    def push_unheard(self) -> Pushed:
        """Pushes the queue; the answer is lost on the way."""
        return push(self.server, Identity(self.project_id, "", self.replica_id, self.epoch), self.prepared())

    def push(self) -> list[Verdict]:
        """Pushes the queue and takes the answer."""
        return list(self.pushed().verdicts)

    def pushed(self) -> Pushed:
        """Pushes the queue and takes the answer; returns all of it."""
        answer, sent = self.push_unheard(), self.prepared()
        self.acked_number, self.acked_hash = sent.mutations[-1].number, sent.hashes[-1]
        self.queue = []
        return answer

    def _add(
        self, entity: str, row_id: str, base_version: int, changes: dict[str, tuple[Any, Any]], version: int | None
    ) -> Mutation:
        number = self.acked_number + len(self.queue) + 1
        fields = encode_json({name: {"old": old, "new": new} for name, (old, new) in changes.items()})
        mutation = Mutation(
            number, self._txn, entity, row_id, base_version, version or base_version + 1, self.by, timestamps.now(), fields
        )
        self.queue.append(mutation)
        return mutation
