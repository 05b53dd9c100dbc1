"""Brings back what a restored server lacks, out of a replica's memory; its decisions are made by `divergence`.

One transaction for each recovery part, locked like a push (rows, then the head). What the history tells already is left alone:
it makes no difference how often, and by whom, something is brought.
"""

from __future__ import annotations

import logging
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
from localfirst_schema.entities import CONFIGURATION, ENTITIES, ENTITY, WORK_ITEM, Entity
from localfirst_schema.errors import UnavailableError
from localfirst_schema.identifiers import new_id
from localfirst_schema.json_merge import same
from localfirst_schema.wire import Fields, Mutation, Row, encode_json

from localfirst_sync.batch import Batch, Change, Settled
from localfirst_sync.conflict import CONFLICT, SETTLING_FIELDS, Record
from localfirst_sync.conflict_recording import record_conflicts
from localfirst_sync.displayed_versions import begins_with_creation, content, nothing, replayed
from localfirst_sync.divergence import Union, is_same, unite
from localfirst_sync.ports import (
    BEGINNING,
    CONFLICT_COLUMNS,
    Busy,
    Cursor,
    HistoryCount,
    Identity,
    Line,
    RecoveryPart,
    Remembered,
    Restored,
)
from localfirst_sync.postgres import conflicts, log, rows
from localfirst_sync.postgres.bulk import BULK_ROWS
from localfirst_sync.postgres.connection import Connection, begin, roll_back_quietly, writing
from localfirst_sync.postgres.failure import blames_the_data, is_temporary, name_of_refusal, unavailable
from localfirst_sync.postgres.structure_facts import load_structure
from localfirst_sync.structure import Key, RememberedStructure

logger = logging.getLogger("localfirst.sync")

ATTEMPTS = 5
LOCK_TIMEOUT_MS = 1_000
_LONGEST_PAUSE_S = 0.5

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_AS_ENGINE = (
    f"SELECT localfirst.act_as_engine(), pg_catalog.set_config('lock_timeout', '{LOCK_TIMEOUT_MS}ms', true),"
    " pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),"
    " pg_catalog.set_config('idle_in_transaction_session_timeout', '120s', true),"
    " pg_catalog.row_security_active('localfirst.history')"
)
_DERIVE_PATHS = "SELECT localfirst.derive_paths(%s::uuid, %s::uuid[])"


def confirm(connection: Connection, project_id: str, cursor: Cursor) -> None:
    """See `RemoteStore.confirm`. The beginning costs no round trip."""
    try:
        log.check_cursor(log.send_cursor(connection, project_id, cursor))
    except psycopg.Error as error:
        raise unavailable(error) from None


def fence(connection: Connection, identity: Identity) -> None:
    """See `RemoteStore.fence`."""
    try:
        with writing(connection):
            log.fence(connection, identity)
    except psycopg.Error as error:
        raise unavailable(error) from None


def history_counts(connection: Connection, project_id: str) -> dict[Key, HistoryCount]:
    """See `RemoteStore.history_counts`."""
    try:
        return log.counts(connection, project_id)
    except psycopg.Error as error:
        raise unavailable(error) from None


def restore(
    connection: Connection, identity: Identity, recovery_part: RecoveryPart, known: Cursor, forced_reason: str | None = None
) -> Restored:
    """See `RemoteStore.restore`. `forced_reason` says why a row must end as a conflict although nothing else opposes it."""
    for attempt in range(ATTEMPTS):
        try:
            return _Restoration(connection, identity, recovery_part, known).carry_out(forced_reason)
        except psycopg.Error as error:
            roll_back_quietly(connection)
            if blames_the_data(error) and forced_reason is None:
                return _in_parts(connection, identity, recovery_part, known, f"constraint: {name_of_refusal(error)}")
            if not is_temporary(error):
                raise unavailable(error) from None
            logger.debug("recovery gives way (attempt %d): %s", attempt + 1, type(error).__name__)
            time.sleep(random.uniform(0, _LONGEST_PAUSE_S))  # noqa: S311 - it spreads clients, it hides nothing
        except BaseException:
            roll_back_quietly(connection)
            raise
    raise Busy


def bring_conflicts(connection: Connection, identity: Identity, kept: Sequence[tuple[object, ...]]) -> None:
    """Brings conflicts that a replica has and the server lacks, as rows of `CONFLICT_COLUMNS`.

    Raises `UnavailableError`.
    """
    if not kept:
        return
    try:
        restore(connection, identity, RecoveryPart((), kept), BEGINNING)
    except Busy:
        raise UnavailableError(
            "PostgreSQL's rows are held by somebody's open transaction; try again.", cause="timeout"
        ) from None


def _in_parts(connection: Connection, identity: Identity, recovery_part: RecoveryPart, known: Cursor, refusal: str) -> Restored:
    """What the server refuses for its values, in ever smaller parts, down to the row that it refuses."""
    found, open_conflicts = recovery_part
    if len(found) <= 1:
        return restore(connection, identity, recovery_part, known, refusal)
    middle = len(found) // 2
    first = restore(connection, identity, RecoveryPart(found[:middle], ()), known)
    second = restore(connection, identity, RecoveryPart(found[middle:], open_conflicts), first.head)
    return second._replace(changes=first.changes + second.changes)


class _Restoration:
    """One transaction; the caller rolls it back when anything is raised."""

    def __init__(self, connection: Connection, identity: Identity, recovery_part: RecoveryPart, known: Cursor) -> None:
        self._connection = connection
        self._identity = identity
        self._project = identity.project_id
        self._cursor = known
        self._rows: Sequence[Remembered] = recovery_part.rows
        self._conflicts: list[Row] = [dict(zip(CONFLICT_COLUMNS, one, strict=True)) for one in recovery_part.conflicts]
        self._history: list[log.LogEntry] = []
        self._settled: list[Settled] = []

    def carry_out(self, forced_reason: str | None) -> Restored:
        """Reads, decides, writes and commits."""
        self._read()
        unions = [self._united(remembered) for remembered in self._rows]
        changes = [self._change(place, union) for place, union in enumerate(unions)]
        wanted = [change for change in changes if change is not None]
        structure = load_structure(self._connection, self._project, wanted, self._server, RememberedStructure)
        logged = {key: max(line.version for line in lines) for key, lines in self._lines.items() if key not in self._server}
        self._batch = Batch(self._server, {}, structure, logged=logged)
        for remembered, union, change in zip(self._rows, unions, changes, strict=True):
            begins = len(self._history)
            self._settle(remembered, union, change, forced_reason)
            self._raise(remembered, self._history[begins:])
        written = self._brought_conflicts()
        count = len(self._history)
        written += self._new_conflicts()
        head = self._write(written) if self._history else self._before
        self._connection.execute("COMMIT")
        return Restored(count, head)

    def _read(self) -> None:
        connection, project = self._connection, self._project
        keys = dict.fromkeys((one.entity, one.id) for one in self._rows)
        with connection.pipeline():
            begin(connection, _BEGIN)
            opened = connection.execute(_AS_ENGINE)
            locked = rows.send_locks(connection, project, keys)
            head = log.send_head_lock(connection, project)
            cursor = log.send_cursor(connection, project, self._cursor)
            # What was not there to be locked may have been brought by another replica while this one waited for the head.
            read_again = rows.send_reads(connection, project, keys)
            lines = log.send_lines(connection, project, [row_id for _, row_id in keys])
            known = conflicts.send_by_id(connection, project, [conflict["id"] for conflict in self._conflicts])
        self._is_row_secured = bool((opened.fetchone() or (False,))[-1])
        found: Any = head.fetchone()
        if found is None:
            raise UnavailableError(
                "PostgreSQL no longer has this project; the next round says what becomes of it.", cause="project"
            )
        self._before = Cursor(*found)
        log.check_cursor(cursor)
        self._server = rows.fetch(read_again) | rows.fetch(locked)
        self._lines = log.lines(lines)
        self._known = {one.row["id"]: one for one in conflicts.records(known)}

    def _united(self, remembered: Remembered) -> Union:
        key = (remembered.entity, remembered.id)
        theirs, their_lines = self._server.get(key), self._lines.get(key, ())
        return unite(ENTITY[remembered.entity], remembered.row, remembered.lines, theirs, their_lines)

    def _change(self, place: int, union: Union) -> Change | None:
        """The branch as one change of the row, if there is anything in it that the row can take."""
        remembered, fields = self._rows[place], union.fields
        if not fields or remembered.row is None:
            return None
        entity, last = ENTITY[remembered.entity], union.branch[-1]
        if entity is WORK_ITEM and union.parted and _claim_is_taken(fields, self._server[remembered.entity, remembered.id]):
            fields = {name: sides for name, sides in fields.items() if name != "claimed_by"}
        number, version = place + 1, remembered.row["version"]
        mutation = Mutation(
            number, number, entity.name, remembered.id, union.base_version, version, last.by, last.at, encode_json(fields)
        )
        return Change(mutation, entity, fields, None)

    def _settle(self, remembered: Remembered, union: Union, change: Change | None, forced_reason: str | None) -> None:
        key, mine = (remembered.entity, remembered.id), remembered.row
        theirs = self._server.get(key)
        if mine is None and theirs is not None and key[0] != CONFIGURATION.name:
            self._log_past(key, theirs, union.older)
            return
        self._history += [_entry(key, line) for line in union.older]
        if mine is None or union.fields is None:
            return
        outcome: str
        outcome, row = "merged" if union.parted else "accepted", theirs
        if change is not None and (change.fields or forced_reason):
            (settled,) = self._batch.decide([change], forced_reason)
            self._settled.append(settled)
            outcome, row = settled.outcome, self._batch.rows.get(key)
        is_lost = outcome in ("conflict", "lost") or (change is not None and not union.fields.keys() <= change.fields.keys())
        continues = not union.parted and outcome == "accepted" and (theirs is None or theirs["version"] < mine["version"])
        if continues and row is not None:
            self._stand(key, row, {name: mine[name] for name in _AUDIT})
            self._history += [_entry(key, line) for line in union.branch]
            return
        last = max((line.version for line in self._lines.get(key, ())), default=0)
        version = max(mine["version"], last if theirs is None else theirs["version"])
        for line in union.branch:
            version += 1
            logged = line._replace(version=version, outcome="lost" if is_lost or line.outcome == "lost" else "merged")
            self._history.append(_entry(key, logged))
        if row is not None:
            self._stand(key, row, {"version": version})

    def _raise(self, remembered: Remembered, logged: Sequence[log.LogEntry]) -> None:
        """What the replica has displayed of a row, it displayed at its version: the row stands at that one, or past it if it is
        another. It stands at the last version of its history too; where no change brings it there, a change of nothing does.
        A move is always logged, since by it the replicas know what else has got another path.

        Args:
            logged: what was just logged of the row.
        """
        key, mine = (remembered.entity, remembered.id), remembered.row
        row = self._batch.rows.get(key)
        if row is None:
            return
        least = max(remembered.displayed, 0 if mine is None else mine["version"])
        if mine is None or remembered.displayed > mine["version"] or not is_same(ENTITY[key[0]], mine, row, but_for_audit=True):
            least += least > 0
        lines = [*self._lines.get(key, ()), *(Line(e.version, e.by, e.at, e.outcome, e.fields) for e in logged)]
        last = max((line.version for line in lines), default=0)
        unlogged = _move(self._server.get(key), row, logged) | _unlogged(ENTITY[key[0]], row, lines)
        version = max(least, last + bool(unlogged), row["version"])
        if version > last:
            # By nobody: who wrote the row last may have written a change of nothing at that moment.
            line = Line(version, None, row["updated_at"], "merged", encode_json(unlogged))
            self._history.append(_entry(key, line))
        if version > row["version"]:
            self._stand(key, row, {"version": version})

    def _log_past(self, key: Key, theirs: Row, lines: Sequence[Line]) -> None:
        """Changes of which nothing is in the row: logged with versions past it, which it takes."""
        version = theirs["version"]
        for line in lines:
            version = max(version + 1, line.version)
            self._history.append(_entry(key, line._replace(version=version)))
        if lines:
            self._stand(key, theirs, {"version": version})

    def _stand(self, key: Key, row: Row, audit: Row) -> None:
        self._batch.rows[key] = {**row, **audit}

    def _brought_conflicts(self) -> list[Record]:
        """Conflicts that the server lacks, or that were settled, or had more in them, before it was restored."""
        written = []
        for conflict in self._conflicts:
            conflict |= {name: msgspec.json.decode(conflict[name]) for name in ("fields", "base", "mine", "theirs")}
            known = self._known.get(conflict["id"])
            version = 1 if conflict["resolved_at"] is None else 2
            if known is not None:
                if known.row["resolved_at"] is not None:
                    continue
                if conflict["resolved_at"] is None and conflict["my_version"] <= known.row["my_version"]:
                    continue
                version = known.version + 1
                if conflict["my_version"] < known.row["my_version"]:  # settled before that was joined to it
                    conflict = known.row | {name: conflict[name] for name in SETTLING_FIELDS}
            by, at = conflict["resolved_by"] or conflict["my_by"], conflict["resolved_at"] or conflict["created_at"]
            self._history.append(log.LogEntry(CONFLICT, conflict["id"], version, by, at, "accepted", "{}", None))
            written.append(Record(conflict, version))
        return written

    def _new_conflicts(self) -> list[Record]:
        recorded = record_conflicts(self._project, new_id(), self._settled, (), {}, self._batch.rows)
        for settled in self._settled:
            mutation = settled.change.mutation
            if mutation.number in recorded.log:
                entry = (CONFLICT, *recorded.log[mutation.number], mutation.by, mutation.at, "accepted", "{}", None)
                self._history.append(log.LogEntry(*entry))
        return list(recorded.written.values())

    def _write(self, written: Sequence[Record]) -> Cursor:
        connection, project = self._connection, self._project
        new: defaultdict[Entity, list[Row]] = defaultdict(list)
        changed: defaultdict[Entity, list[rows.Changed]] = defaultdict(list)
        moved: list[str] = []
        for key, row in self._batch.rows.items():
            old, entity = self._server.get(key), ENTITY[key[0]]
            if row is None or row is old:
                continue
            if entity is WORK_ITEM and (old is None or old["parent_id"] != row["parent_id"]):
                above = self._batch.ancestry(key[1])
                row = {**row, "path": "/".join(above), "depth": len(above) - 1}
                if old is not None:
                    moved.append(key[1])
            if old is None:
                new[entity].append(row)
            else:
                changed[entity].append((old, row))
        after = Cursor(self._before.seq + len(self._history), random.getrandbits(31))
        first = Cursor(self._before.seq + 1, after.tag)
        if len(self._history) >= BULK_ROWS and not self._is_row_secured:
            for entity in ENTITIES:
                rows.write_in_bulk(connection, project, entity, new[entity], changed[entity])
            log.copy_history(connection, self._identity, first, self._history)
            self._write_rest(written, moved, after)
        else:
            with connection.pipeline():
                for entity in ENTITIES:
                    rows.write(connection, project, entity, new[entity], changed[entity])
                log.write_history(connection, self._identity, first, self._history)
                self._write_rest(written, moved, after)
        return after

    def _write_rest(self, written: Sequence[Record], moved: Sequence[str], after: Cursor) -> None:
        if moved:
            self._connection.execute(_DERIVE_PATHS, (self._project, moved))
        conflicts.write(self._connection, self._project, written)
        log.move_head(self._connection, self._project, after)


def _entry(key: Key, line: Line) -> log.LogEntry:
    return log.LogEntry(*key, line.version, line.by, line.at, line.outcome, line.fields, None)


def _move(before: Row | None, after: Row, logged: Sequence[log.LogEntry]) -> Fields:
    """The move of a work item, if there was one and nothing that was logged says so."""
    if before is None or before.get("parent_id") == after.get("parent_id") or any('"parent_id"' in e.fields for e in logged):
        return {}
    return {"parent_id": {"old": before["parent_id"], "new": after["parent_id"]}}


def _unlogged(entity: Entity, row: Row, lines: Sequence[Line]) -> Fields:
    """What the row has otherwise than its history says, if that begins with the creation: a branch is decided as one change,
    and logged change by change."""
    ordered = sorted(lines, key=lambda line: line.version)
    if not begins_with_creation(ordered):
        return {}
    *_, said = replayed(entity, ordered, nothing(entity))
    stands = content(entity, row)
    return {name: {"old": said[name], "new": stands[name]} for name in said if not same(said[name], stands[name])}


_AUDIT = ("version", "created_at", "created_by", "updated_at", "updated_by")


def _claim_is_taken(fields: Fields, theirs: Row) -> bool:
    """The first claim stands; what else the branch did is another matter."""
    claim = fields.get("claimed_by")
    return claim is not None and theirs["claimed_by"] not in (claim["old"], claim["new"])
