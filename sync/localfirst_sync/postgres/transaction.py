"""The transaction of a push: opened and read in one round trip, decided, written at once or in parts, and finished.

Under the head's lock everything that was committed before is visible, and nothing of the project can be committed meanwhile.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from localfirst_schema.entities import ENTITIES, WORK_ITEM
from localfirst_schema.errors import UnavailableError
from localfirst_schema.wire import Row, Verdict, encode_json

from localfirst_sync.batch import Act, Batch, Change, Savepoint, Settled
from localfirst_sync.conflict import CONFLICT, Record
from localfirst_sync.conflict_recording import RecordedConflicts, opened_by, record_conflicts
from localfirst_sync.divergence import says_the_same
from localfirst_sync.ports import Cursor, Fenced, Identity, Line, Push
from localfirst_sync.postgres import conflicts, log, rows, structure_facts
from localfirst_sync.postgres.connection import Connection, begin
from localfirst_sync.postgres.earlier_rounds import SIGN, signature
from localfirst_sync.postgres.structure_facts import load_structure
from localfirst_sync.receipts import receipt, repeated
from localfirst_sync.sieve import misfit_keys
from localfirst_sync.structure import Key

LOCK_TIMEOUT_MS = 500

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
# It fails for a role that may not act as the engine: nothing is written then that the triggers would write again.
AS_ENGINE = (
    f"SELECT localfirst.act_as_engine(), pg_catalog.set_config('lock_timeout', '{LOCK_TIMEOUT_MS}ms', true),"
    " pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)"
)
# Its statements look rows up by their keys: to plan them anew for each push would cost more than it could bring.
_OPEN = (
    f"{AS_ENGINE}, pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true),"
    " pg_catalog.row_security_active('localfirst.history')"
)
_DERIVE_PATHS = "SELECT localfirst.derive_paths(%s::uuid, %s::uuid[])"


class Part(NamedTuple):
    """Some acts, decided: the rows and the log to be written, the answers, and the numbers and rows as they stood before."""

    new: dict[str, list[Row]]
    changed: dict[str, list[rows.Changed]]
    moved: list[str]
    conflicts: list[Record]
    history: list[log.LogEntry]
    verdicts: list[Verdict]
    seq: int
    before: Savepoint


class Transaction:
    """One transaction of a push on `connection`. The caller rolls it back when anything is raised."""

    before: Cursor
    """The head when it was locked."""

    is_row_secured: bool
    """Whether row-level security binds this role: it may not `COPY` into tables then."""

    def __init__(self, connection: Connection, identity: Identity) -> None:
        self._connection = connection
        self._identity = identity
        self._project = identity.project_id
        self._tag = random.getrandbits(31)
        self._moved: set[str] = set()

    def open(self, push: Push, changes: Sequence[Change]) -> list[Verdict]:
        """Begins, locks and reads; returns the verdicts of the leading mutations that the server has had before.

        Raises `IdentityTaken`, `Fenced` or `ServerWasRestored`.
        """
        connection = self._connection
        keys = dict.fromkeys(change.key for change in changes if change.entity is not None)
        created = dict.fromkeys(c.key for c in changes if c.entity is not None and c.mutation.base_version == 0)
        named = [change.mutation.id for change in changes if change.mutation.entity == CONFLICT]
        with connection.pipeline():
            begin(connection, _BEGIN)
            connection.is_to_answer()  # before any lock is waited for
            opened = connection.execute(_OPEN, prepare=True)
            connection.execute(SIGN, (signature(self._identity),), prepare=True)
            locked = rows.send_locks(connection, self._project, keys)
            head = log.send_head_lock(connection, self._project)
            # What was not there to be locked may have been made by somebody while this push waited for the head.
            read_again = rows.send_reads(connection, self._project, created)
            versions = log.send_versions(connection, self._project, [row_id for _, row_id in created])
            replica = log.send_replica(connection, self._identity, push.acked_number)
            cursor = log.send_cursor(connection, self._project, push.cursor)
            maybe_applied = [change for change in changes if change.mutation.number <= push.maybe_applied]
            lines = log.send_lines(connection, self._project, [change.mutation.id for change in maybe_applied])
            # The others were never sent before; but this push may be late, and others may have brought what it once did to a
            # server that was set back meanwhile.
            first_sent = [change for change in changes if change.mutation.number > push.maybe_applied]
            brought = log.send_brought(connection, self._project, push.cursor, [c.mutation.id for c in first_sent])
            named_conflicts = conflicts.send_by_id(connection, self._project, named)
            self._around = structure_facts.send(connection, self._project, changes, keys)
        self.is_row_secured = bool((opened.fetchone() or (False,))[-1])
        found = head.fetchone()
        if found is None:
            raise UnavailableError(
                "PostgreSQL no longer has this project; the next round says what becomes of it.", cause="project"
            )
        self.before = Cursor(*found)
        self._seq = self.before.seq
        log.check_cursor(cursor)
        self._versions = log.versions(versions)
        self._displayed = {mutation.number: version for mutation, version in zip(push.mutations, push.displayed, strict=False)}
        self._version_floors = {
            mutation.number: version for mutation, version in zip(push.mutations, push.version_floors, strict=False)
        }
        known = log.known_replica(replica)
        verdicts = repeated(push, known)
        self._already_logged = _already_logged(maybe_applied, log.lines(lines))
        self._already_logged |= _already_logged(first_sent, log.lines(brought))
        if known.epoch > self._identity.epoch:
            raise Fenced
        self._rows = rows.fetch(read_again) | rows.fetch(locked)
        if missing := keys.keys() - created.keys() - self._rows.keys():
            self._rows |= rows.fetch(rows.send_reads(connection, self._project, missing))
        self._conflicts = {known.row["id"]: known for known in conflicts.records(named_conflicts)}
        return verdicts

    def load(self, changes: Sequence[Change]) -> None:
        """Makes ready to decide `changes`."""
        aside = misfit_keys(self._rows)
        structure = load_structure(self._connection, self._project, changes, self._rows, asked=self._around)
        self._batch = Batch(
            self._rows, self._conflicts, structure, self._displayed, self._versions, self._version_floors, aside
        )

    def decide(self, some: Sequence[Act], forced_reason: str | None = None) -> Part:
        """Decides acts. What comes out is given to `write`, or to `forget`."""
        before = self._batch.savepoint(tuple(chain.from_iterable(some)))
        already_logged = [change for act in some for change in act if change.mutation.number in self._already_logged]
        # Of an act that another replica has brought back in part, the rest alone is new.
        rests = (
            (tuple(change for change in act if change.mutation.number not in self._already_logged) for act in some)
            if already_logged
            else some
        )
        new_acts = [act for act in rests if act]
        settled = [one for act in new_acts for one in self._batch.decide(act, forced_reason)]
        recorded = self._record_conflicts(settled)
        settled = recorded.settled
        new: defaultdict[str, list[Row]] = defaultdict(list)
        changed: defaultdict[str, list[rows.Changed]] = defaultdict(list)
        moved: list[str] = []
        for key in before.rows:
            old, row = self._rows.get(key), self._batch.rows.get(key)
            if row is None or row is old:
                continue
            is_moved = key[0] == WORK_ITEM.name and (old is None or old["parent_id"] != row["parent_id"])
            if is_moved or self._is_below_moved(key):
                row = self._placed(key, row)
                if old is not None:
                    old = old | {"path": None, "depth": None}  # an earlier part may have derived them anew: they are written
                    moved += [key[1]] if is_moved else ()
            if old is None:
                new[key[0]].append(row)
            else:
                changed[key[0]].append((old, row))
        history = list(chain.from_iterable(_logged(one, recorded) for one in settled))
        verdicts = [_verdict(one, recorded) for one in settled]
        if already_logged:
            answered = {verdict.number for verdict in verdicts}
            verdicts += [self._already_logged[c.mutation.number] for c in already_logged if c.mutation.number not in answered]
            verdicts.sort(key=lambda verdict: verdict.number)
        return Part(new, changed, moved, list(recorded.written.values()), history, verdicts, self._seq, before)

    def write(self, part: Part) -> None:
        """Writes what was decided; within a pipeline nothing is waited for."""
        for entity in ENTITIES:
            new, changed = part.new.get(entity.name, ()), part.changed.get(entity.name, ())
            rows.write(self._connection, self._project, entity, new, changed)
        log.write_history(self._connection, self._identity, Cursor(part.seq + 1, self._tag), part.history)
        self._write_rest(part)

    def write_in_bulk(self, part: Part) -> None:
        """The same for a large part; not within a pipeline."""
        for entity in ENTITIES:
            new, changed = part.new.get(entity.name, ()), part.changed.get(entity.name, ())
            rows.write_in_bulk(self._connection, self._project, entity, new, changed)
        log.copy_history(self._connection, self._identity, Cursor(part.seq + 1, self._tag), part.history)
        self._write_rest(part)

    def _write_rest(self, part: Part) -> None:
        if part.moved:
            self._connection.execute(_DERIVE_PATHS, (self._project, part.moved), prepare=True)
            self._moved.update(part.moved)
        conflicts.write(self._connection, self._project, part.conflicts)
        self._seq = part.seq + len(part.history)
        self._rows |= {key: self._batch.rows[key] for key in part.before.rows if key in self._batch.rows}

    def forget(self, part: Part) -> None:
        """Takes back a part that the server refused, after the caller has rolled it back there."""
        self._batch.restore(part.before)
        self._seq = part.seq
        for key, row in part.before.rows.items():
            if row is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = row

    def finish(self, push: Push, answers: Sequence[Verdict]) -> Cursor:
        """Moves the head and remembers the answers (to the last mutations of the push); returns the new head."""
        after = Cursor(self._seq, self._tag) if self._seq > self.before.seq else self.before
        remembered = receipt(push, len(push.mutations) - len(answers), answers)
        log.finish(self._connection, self._identity, after, remembered, push.acked_number)
        return after

    def _record_conflicts(self, settled: Sequence[Settled]) -> RecordedConflicts:
        """Of a push whose changes are all accepted no conflict is asked for."""
        touching = {one.change.mutation.id for one in settled if one.outcome != "accepted" and one.change.entity is not None}
        touching |= {one.draft.mutation.id for one in settled if one.draft is not None}
        if not touching and not self._conflicts:
            return RecordedConflicts(list(settled), {}, {})
        opened = opened_by(self._project, self._identity.replica_id, settled)
        found = conflicts.send_open(self._connection, self._identity, sorted(touching), opened)
        named = self._batch.conflicts
        # Whoever settles a conflict has not seen what clashes in the same push: that opens one of its own.
        known = [one for one in conflicts.records(found) if one.row["id"] not in named]
        return record_conflicts(self._project, self._identity.replica_id, settled, known, named, self._batch.rows)

    def _is_below_moved(self, key: Key) -> bool:
        """Whether an earlier part moved something above this row, so that its path is no longer the one that was read."""
        return key[0] == WORK_ITEM.name and bool(self._moved) and not self._moved.isdisjoint(self._batch.ancestry(key[1]))

    def _placed(self, key: Key, row: Row) -> Row:
        above = self._batch.ancestry(key[1])
        self._batch.rows[key] = placed = {**row, "path": "/".join(above), "depth": len(above) - 1}
        return placed


def _already_logged(changes: Sequence[Change], lines: dict[Key, list[Line]]) -> dict[int, Verdict]:
    """The verdicts of mutations that the history tells already: pushed under an id that the replica gave up, or brought back by
    another replica."""
    found = {}
    for change in changes:
        if change.invalid_reason is not None:
            continue
        mutation = change.mutation
        for line in lines.get(change.key, ()):
            if (line.by, line.at) == (mutation.by, mutation.at) and says_the_same(line.fields, mutation.fields):
                found[mutation.number] = Verdict(mutation.number, "merged", line.version)
    return found


def _verdict(one: Settled, recorded: RecordedConflicts) -> Verdict:
    number = one.change.mutation.number
    match one.outcome:
        case "accepted":
            return Verdict(number, "accepted", one.version)
        case "merged" | "lost":
            return Verdict(number, "merged", one.version)
        case "conflict":
            return Verdict(number, "conflict", one.version, recorded.log[number][0])


def _logged(one: Settled, recorded: RecordedConflicts) -> list[log.LogEntry]:
    mutation = one.change.mutation
    outcome = "lost" if one.outcome == "conflict" else one.outcome
    entry = log.LogEntry(
        mutation.entity, mutation.id, one.version, mutation.by, mutation.at, outcome, mutation.fields, mutation.number
    )
    # What went in although something else clashes is logged by itself: of a change that is lost nothing is in the row.
    already_logged = (
        [entry._replace(outcome="merged", fields=encode_json(one.part), number=None), entry] if one.part else [entry]
    )
    if mutation.number not in recorded.log:
        return already_logged
    conflict_id, version = recorded.log[mutation.number]
    return [*already_logged, log.LogEntry(CONFLICT, conflict_id, version, mutation.by, mutation.at, "accepted", "{}", None)]
