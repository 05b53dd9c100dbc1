"""The conflicts of a replica while one push is recorded: new ones are opened, later clashes join, some are settled.

Pure. `log` says which changes of conflicts the history must tell, after which mutation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from localfirst_schema.identifiers import natural_id

from localfirst_sync.batch import Settled
from localfirst_sync.conflict import CONFLICT, Record, joined, record
from localfirst_sync.structure import Key


class Booked(NamedTuple):
    """Conflicts by id as they are to be written, and for each mutation that clashed its conflict's (id, version)."""

    written: dict[str, Record]
    log: dict[int, tuple[str, int]]


def book(
    project_id: str, replica_id: str, settled: Sequence[Settled], open_conflicts: Iterable[Record], named: Mapping[str, Record]
) -> Booked:
    """Books the drafts of a push.

    Args:
        open_conflicts: the replica's open conflicts of the rows that clash now, but for those in `named`.
        named: the conflicts that mutations of this push are about to settle, as they stand after it.
    """
    by_row: dict[Key, Record] = {(known.row["entity"], known.row["entity_id"]): known for known in open_conflicts}
    booked = Booked({}, {})
    for _, group in groupby(settled, key=lambda one: one.change.mutation.txn):
        act = list(group)
        act_id = _act_id(project_id, replica_id, act, by_row)
        for one in act:
            mutation = one.change.mutation
            if mutation.entity == CONFLICT and one.outcome == "accepted":
                booked.written[mutation.id] = after = named[mutation.id]
            if one.draft is None:
                continue
            key = (one.draft.mutation.entity, one.draft.mutation.id)
            earlier = by_row.get(key)
            if earlier is None:
                after = Record(record(project_id, replica_id, one.draft, act_id), 1)
            else:
                after = Record(joined(earlier.row, one.draft, act_id), earlier.version + 1)
            by_row[key] = booked.written[after.row["id"]] = after
            booked.log[mutation.number] = (after.row["id"], after.version)
    return booked


def _act_id(project_id: str, replica_id: str, act: Sequence[Settled], by_row: Mapping[Key, Record]) -> str:
    """An act that joins an open conflict takes that one's, so that all of it is settled together."""
    for one in act:
        earlier = by_row.get(one.change.key)
        if one.draft is not None and earlier is not None:
            return str(earlier.row["act_id"])
    return natural_id(project_id, "act", replica_id, str(act[0].change.mutation.number))
