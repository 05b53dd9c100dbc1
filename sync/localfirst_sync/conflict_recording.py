"""The conflicts of a replica while one push is recorded: new ones are opened, later clashes join, some are settled.

Pure. `log` says which changes of conflicts the history must tell, after which mutation.

==========================================================  ==========================================================
a change                                                    the conflict of its row
==========================================================  ==========================================================
clashes, and none of this replica is open                   is opened
clashes, and one is open                                    is joined
the same, and takes back all that clashed before            is settled: the change is lost
clashes, and its own conflict was settled before            stands settled: the change is lost
goes on from mine of an open one, without a clash           follows: mine is what the branch comes to
the same, and the branch comes to what the row has          is settled; one that this push opened is never seen
==========================================================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from localfirst_schema.identifiers import natural_id
from localfirst_schema.wire import Row

from localfirst_sync.batch import Settled
from localfirst_sync.conflict import (
    CONFLICT,
    Draft,
    Record,
    conflict_id,
    followed,
    is_about_something,
    joined,
    record,
    settled_by,
)
from localfirst_sync.structure import Key


class RecordedConflicts(NamedTuple):
    """What became of the changes, conflicts by id as they are to be written, and for each mutation that changes a conflict that
    one's (id, version)."""

    settled: list[Settled]
    written: dict[str, Record]
    log: dict[int, tuple[str, int]]


def record_conflicts(
    project_id: str,
    replica_id: str,
    settled: Sequence[Settled],
    known: Iterable[Record],
    named: Mapping[str, Record],
    rows: Mapping[Key, Row],
) -> RecordedConflicts:
    """Books the drafts of a push.

    Args:
        known: the replica's open conflicts of the rows that changed, and those that the drafts would open and that are there
            already; but for those in `named`.
        named: the conflicts that mutations of this push are about to settle, as they stand after it.
        rows: the rows as they stand after the push.
    """
    return _Recording(project_id, replica_id, known, named, rows).of(settled)


def opened_by(project_id: str, replica_id: str, settled: Iterable[Settled]) -> list[str]:
    """The ids of the conflicts that these changes open if none is open yet."""
    drafts = (one.draft.mutation for one in settled if one.draft is not None)
    return [conflict_id(project_id, replica_id, mutation.number, mutation.at) for mutation in drafts]


class _Recording:
    def __init__(
        self, project_id: str, replica_id: str, known: Iterable[Record], named: Mapping[str, Record], rows: Mapping[Key, Row]
    ) -> None:
        self._project_id = project_id
        self._replica_id = replica_id
        self._named = named
        self._rows = rows
        self._there = {one.row["id"]: one for one in known}
        still_open = [one for one in self._there.values() if one.row["resolved_at"] is None]
        self._by_row: dict[Key, Record] = {(one.row["entity"], one.row["entity_id"]): one for one in still_open}
        self._written: dict[str, Record] = {}
        self._log: dict[int, tuple[str, int]] = {}

    def of(self, settled: Sequence[Settled]) -> RecordedConflicts:
        """All changes of the push, act by act."""
        done: list[Settled] = []
        for _, group in groupby(settled, key=lambda one: one.change.mutation.txn):
            act = list(group)
            act_id = self._act_id(act)
            done += [self._one(one, act_id) for one in act]
        return self._without_unseen(done)

    def _one(self, one: Settled, act_id: str) -> Settled:
        mutation = one.change.mutation
        if mutation.entity == CONFLICT and one.outcome == "accepted":
            self._written[mutation.id] = self._named[mutation.id]
        elif one.draft is not None:
            return self._clashing(one, one.draft, act_id)
        elif one.outcome != "accepted" and one.change.entity is not None and one.change.invalid_reason is None:
            self._follow(one)
        return one

    def _clashing(self, one: Settled, draft: Draft, act_id: str) -> Settled:
        key = (draft.mutation.entity, draft.mutation.id)
        new_id = conflict_id(self._project_id, self._replica_id, draft.mutation.number, draft.mutation.at)
        there = self._there.get(new_id)
        if there is not None and there.row["resolved_at"] is not None:
            # It was logged before, on a server that was set back since, and somebody has settled what came of it.
            return one._replace(outcome="lost", draft=None)
        earlier = self._by_row.get(key)
        if earlier is None:
            after = Record(record(self._project_id, self._replica_id, draft, act_id), 1)
        else:
            after = Record(joined(earlier.row, draft, act_id), earlier.version + 1)
            if not is_about_something(after.row):
                return self._settled_by(one, draft, after)
        self._by_row[key] = after
        self._write(one, after)
        return one

    def _settled_by(self, one: Settled, draft: Draft, after: Record) -> Settled:
        """The change clashes, and its branch comes to nothing that differs from the row: nothing is left to settle."""
        del self._by_row[draft.mutation.entity, draft.mutation.id]
        self._write(one, after._replace(row=settled_by(after.row, draft.mutation)))
        return one._replace(outcome="lost", draft=None)

    def _follow(self, one: Settled) -> None:
        key, entity, row = one.change.key, one.change.entity, self._rows.get(one.change.key)
        earlier = self._by_row.get(key)
        if earlier is None or entity is None or row is None:
            return
        later = followed(earlier.row, one.change.mutation, entity, one.change.fields, row)
        if later is None:
            return
        after = Record(later, earlier.version + 1)
        if later["resolved_at"] is None:
            self._by_row[key] = after
        else:
            del self._by_row[key]
        self._write(one, after)

    def _write(self, one: Settled, after: Record) -> None:
        self._written[after.row["id"]] = after
        self._log[one.change.mutation.number] = (after.row["id"], after.version)

    def _without_unseen(self, settled: Sequence[Settled]) -> RecordedConflicts:
        """A conflict that this push opened and settled again is nobody's business: what clashed is lost to what followed."""
        unseen = {
            row_id
            for row_id, after in self._written.items()
            if after.row["resolved_at"] is not None and row_id not in self._there and row_id not in self._named
        }
        if not unseen:
            return RecordedConflicts(list(settled), self._written, self._log)
        done = [
            one._replace(outcome="lost", draft=None)
            if one.draft and self._log[one.change.mutation.number][0] in unseen
            else one
            for one in settled
        ]
        written = {row_id: after for row_id, after in self._written.items() if row_id not in unseen}
        return RecordedConflicts(
            done, written, {number: entry for number, entry in self._log.items() if entry[0] not in unseen}
        )

    def _act_id(self, act: Sequence[Settled]) -> str:
        """An act that joins an open conflict takes that one's, so that all of it is settled together."""
        for one in act:
            earlier = self._by_row.get(one.change.key)
            if one.draft is not None and earlier is not None:
                return str(earlier.row["act_id"])
        return natural_id(self._project_id, "act", self._replica_id, str(act[0].change.mutation.number))
