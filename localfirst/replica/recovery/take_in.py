"""One replica takes in another one: all that the other's people did becomes changes of its own, by the engine's own rules.

What the other file holds is replayed (`replaying`): rows, their history with its authors and times, and what was never
sent, in the order in which it happened. Here it waits like any change of this replica's, above what is here. A server decides
it, as it does when two laptops meet: what only one side touched merges, what clashes becomes a conflict. Ids that follow from
the project are made those of this project. Open conflicts come along.

All of it is one transaction, and to do it again brings only what has come into the other file since: a change is known by its
row, author, time and content. Several laptops may take in copies of one replica; the server, too, knows their changes by that.
The other file is read and never written; its code index, which can be computed again, stays where it is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

import apsw
import msgspec
from localfirst_schema.entities import CONFIGURATION, ENTITIES, ENTITY, WORK_ITEM, Entity
from localfirst_schema.errors import ValidationError
from localfirst_schema.identifiers import natural_id
from localfirst_schema.wire import Fields, Mutation, Row, decode_fields, encode_json
from localfirst_sync.divergence import is_same, says_the_same
from localfirst_sync.ports import CONFLICT_COLUMNS, CONFLICT_TABLE, Line

from localfirst.replica import fulltext
from localfirst.replica.act import write_row
from localfirst.replica.backup import examined_copy
from localfirst.replica.connection import connect, immediate, snapshot, sqlite_errors
from localfirst.replica.migrate import migrate
from localfirst.replica.recovery.replaying import AFTER_ALL, Change, HistoryLine, carried_out, replayed_changes
from localfirst.replica.recovery.salvage import compare_everything
from localfirst.replica.replica import DEFAULT_CONTEXT, DEFAULT_TOKEN_BUDGET
from localfirst.replica.rows import find, select
from localfirst.replica.structure import derive_paths

_START = dict.fromkeys(name for name in CONFIGURATION.sent_columns if name != "created_at") | {
    "active_context_type": DEFAULT_CONTEXT,
    "default_token_budget": DEFAULT_TOKEN_BUDGET,
}
"""With what the configuration of every project starts."""

_HISTORY = """
    SELECT h.history_id, h.entity, h.entity_id, h.version, h.by, h.at, h.outcome, h.fields, o.txn, o.base_version
    FROM history AS h LEFT JOIN outbox AS o USING (history_id) ORDER BY h.history_id
"""
_KNOWN = "SELECT at, by, fields FROM history WHERE entity_id = ? AND entity = ?"
_INSERT_HISTORY = """
    INSERT INTO history (entity, entity_id, version, by, at, outcome, fields) VALUES (?, ?, ?, ?, ?, 'accepted', ?)
"""
_INSERT_OUTBOX = "INSERT INTO outbox (history_id, number, txn, base_version) VALUES (?, ?, ?, ?)"
_LAST_NUMBER = "SELECT coalesce((SELECT max(number) FROM outbox), acked_number) FROM replica"


@dataclass(slots=True)
class TakenIn:
    """What was taken in.

    Attributes:
        project: the name of the other file's project; None if it had none.
        rows: rows of the other file that were not here.
        changes: changes that were not here, of all rows.
        unsent: how many of them the other file had not sent to its own server, or had none to send them to.
        met: rows that were in both and have changed here by it.
        conflicts: open conflicts that came along.
        odd_rows: rows of the other file that no tool would have written, in words.
    """

    project: str | None = None
    rows: int = 0
    changes: int = 0
    unsent: int = 0
    met: int = 0
    conflicts: int = 0
    odd_rows: list[str] = field(default_factory=list)

    @property
    def is_nothing(self) -> bool:
        """Whether all of it was here already."""
        return self.changes == self.conflicts == 0


def take_in_file(source: Path, replica: apsw.Connection) -> TakenIn:
    """Takes in the replica's file at `source`, which may be in use, of an earlier version, or from somebody else.

    Raises NotFoundError, ValidationError for what is no sound replica (or this one itself), UnavailableError.
    """
    if source.exists() and source.samefile(replica.filename):
        words = f"{source} is this project's own replica. Nothing was changed."
        raise ValidationError("file", "must be another replica", words)
    with tempfile.TemporaryDirectory(prefix=".take-in-", dir=Path(replica.filename).parent) as folder:
        copy = Path(folder) / "replica.sqlite3"
        examined = examined_copy(source, copy)
        other = connect(copy)
        try:
            migrate(other, copy)
            done = take_in(other, replica)
            done.odd_rows = examined.odd_rows
            return done
        finally:
            other.close()


def take_in(other: apsw.Connection, replica: apsw.Connection) -> TakenIn:
    """Takes in what an open replica of this program's version holds."""
    with sqlite_errors(), snapshot(other), immediate(replica):
        project = str(replica.execute("SELECT project_id FROM replica").get)
        return _write(replica, _Reading(other, project))


class _Reading:
    """The other replica, with the ids that things have in `project`."""

    def __init__(self, other: apsw.Connection, project: str) -> None:
        self._other = other
        self.project_name: str | None = other.execute("SELECT project_name FROM replica").get
        self._renamed = _renamed(other, project)
        self._lines: dict[tuple[str, str], list[HistoryLine]] = {}
        self._rowless: dict[tuple[str, str], list[Change]] = {}
        self._read_history()

    def rows(self) -> Iterator[tuple[Entity, Row, list[HistoryLine]]]:
        """Every row, with the lines of its history."""
        for entity in ENTITIES:
            for row in select(self._other, entity, "true ORDER BY id"):
                lines = self._lines.pop((entity.name, row["id"]), [])
                for name in ("id", *entity.references):
                    row[name] = self._renamed.get(row[name], row[name])
                yield entity, row, lines

    def of_no_row(self) -> Iterator[tuple[Entity, str, list[Change]]]:
        """What waits of rows that are not there: changes by somebody who knew a row that this file has never seen."""
        for name, row_id in self._lines:
            if (changes := self._rowless.get((name, row_id))) is not None:
                yield ENTITY[name], row_id, changes

    def open_conflicts(self) -> Iterator[tuple[Any, ...]]:
        """What is open there, in the order of `CONFLICT_COLUMNS`."""
        place = CONFLICT_COLUMNS.index("entity_id")
        sql = f"SELECT {', '.join(CONFLICT_COLUMNS)} FROM {CONFLICT_TABLE} WHERE resolved_at IS NULL"
        rows: list[Any] = self._other.execute(sql).fetchall()
        for values in rows:
            yield (*values[:place], self._renamed.get(values[place], values[place]), *values[place + 1 :])

    def _read_history(self) -> None:
        for place, name, row_id, version, by, at, outcome, fields, txn, base_version in self._other.execute(_HISTORY):
            entity = ENTITY.get(name)
            if entity is None:
                continue  # a conflict's settlement: it is settled in the other's project
            line = Line(version, by, at, outcome, self._fields(entity, fields))
            self._lines.setdefault((name, row_id), []).append(HistoryLine(place, line, txn))
            if txn is not None:
                mutation = Mutation(0, 0, name, row_id, base_version, version, by, at, line.fields)
                self._rowless.setdefault((name, row_id), []).append(Change(place, txn, mutation))

    def _fields(self, entity: Entity, text: str) -> str:
        if not entity.references or not self._renamed:
            return text
        fields: Fields = decode_fields(text)
        named = fields.keys() & entity.references.keys()
        for name in named:
            fields[name] |= {side: self._renamed.get(value, value) for side, value in fields[name].items() if side != "blind"}
        return encode_json(fields) if named else text


def _renamed(other: apsw.Connection, project: str) -> dict[str, str]:
    """Ids that follow from the project, as they are there → as they are in `project`."""
    renamed: dict[str, str] = {}
    for entity in ENTITIES:
        if not entity.natural_key:
            continue
        keys = [name for name in entity.natural_key if name in entity.by_name]
        for old, *parts in other.execute(f"SELECT {', '.join(['id', *keys])} FROM {entity.table}"):
            current = [renamed.get(str(part), str(part)) for part in parts]
            new = natural_id(project, entity.name, *(current or ["singleton"]))
            if new != old:
                renamed[str(old)] = new
    return renamed


def _write(replica: apsw.Connection, reading: _Reading) -> TakenIn:
    done = TakenIn(project=reading.project_name)
    waiting: list[Change] = []
    moved: list[str] = []
    for entity, row, lines in reading.rows():
        here = find(replica, entity, row["id"])
        start = row | _START if entity is CONFIGURATION else None
        unknown = _unknown(replica, entity, here, row, replayed_changes(entity, row, lines, start))
        if unknown:
            waiting += unknown
            _show(replica, entity, here, [one.mutation for one in unknown])
            done.rows += here is None
            done.met += here is not None
            moved += [row["id"]] if entity is WORK_ITEM else []
    for entity, row_id, changes in reading.of_no_row():
        here = find(replica, entity, row_id)
        unknown = _unknown_lines(_known_lines(replica, entity.name, row_id), changes)
        waiting += unknown
        if here is not None and unknown:
            _show(replica, entity, here, [one.mutation for one in unknown])
            moved += [row_id] if entity is WORK_ITEM else []
    derive_paths(replica, moved)
    done.changes, done.unsent = len(waiting), sum(one.act is not None for one in waiting)
    _queue(replica, waiting)
    done.conflicts = _take_conflicts(replica, reading.open_conflicts())
    return done


def _unknown(replica: apsw.Connection, entity: Entity, here: Row | None, there: Row, changes: Sequence[Change]) -> list[Change]:
    """Those that are not here. Where the row here has the same past, what no line tells is not replayed either."""
    known = _known_lines(replica, entity.name, there["id"])
    unknown = _unknown_lines(known, changes)
    if here is not None and (
        not entity.natural_key or len(unknown) < len(changes) or is_same(entity, here, there, but_for_audit=True)
    ):
        unknown = [one for one in unknown if not one.is_added]
    return unknown


_Known = Mapping[tuple[str, str | None], Sequence[str]]


def _known_lines(replica: apsw.Connection, entity: str, row_id: str) -> _Known:
    known: dict[tuple[str, str | None], list[str]] = {}
    for at, by, fields in replica.execute(_KNOWN, (row_id, entity)):
        known.setdefault((at, by), []).append(fields)
    return known


def _unknown_lines(known: _Known, changes: Iterable[Change]) -> list[Change]:
    def is_known(one: Mutation) -> bool:
        return any(says_the_same(fields, one.fields) for fields in known.get((one.at, one.by), ()))

    return [one for one in changes if not is_known(one.mutation)]


def _show(replica: apsw.Connection, entity: Entity, here: Row | None, mutations: Sequence[Mutation]) -> None:
    """Carries out what waits from now on, above the row as it is here."""
    displayed = carried_out(entity, mutations, here)
    if displayed is None:
        return
    if here is not None:
        displayed["version"] = max(displayed["version"], here["version"])
    elif entity is WORK_ITEM:
        displayed |= {"path": displayed["id"], "depth": 0}
    local_id = write_row(replica, entity, here, displayed)
    if entity is WORK_ITEM:
        fulltext.index(replica, local_id, displayed["title"], displayed["metadata"], is_new=here is None)


def _queue(replica: apsw.Connection, waiting: list[Change]) -> None:
    """Puts the changes into history and outbox, behind what waits there, in the order in which they were made."""
    ranks = {entity.name: rank for rank, entity in enumerate(ENTITIES)}
    waiting.sort(key=attrgetter("place"))
    begin = [one for one in waiting if one.place < 0]
    begin.sort(key=lambda one: (ranks[one.mutation.entity], _depth(replica, one.mutation)))
    number = int(replica.execute(_LAST_NUMBER).get)
    acts: dict[int, int] = {}
    for one in (*begin, *waiting[len(begin) :]):
        number += 1
        txn = number if one.act is None or one.place == AFTER_ALL else acts.setdefault(one.act, number)
        mutation = msgspec.structs.replace(one.mutation, number=number, txn=txn)
        replica.execute(
            _INSERT_HISTORY,
            (mutation.entity, mutation.id, mutation.version, mutation.by, mutation.at, mutation.fields),
        )
        replica.execute(_INSERT_OUTBOX, (replica.last_insert_rowid(), number, txn, mutation.base_version))
    if waiting:
        # Another laptop may have brought the same changes to the server: there they are known by what they say.
        replica.execute("UPDATE replica SET maybe_applied_number = max(maybe_applied_number, ?)", (number,))


def _depth(replica: apsw.Connection, mutation: Mutation) -> int:
    if mutation.entity != WORK_ITEM.name:
        return 0
    return int(replica.execute("SELECT depth FROM work_items WHERE id = ?", (mutation.id,)).get or 0)


def _take_conflicts(replica: apsw.Connection, conflicts: Iterable[tuple[Any, ...]]) -> int:
    columns = f"({', '.join(CONFLICT_COLUMNS)}) VALUES ({', '.join('?' * len(CONFLICT_COLUMNS))})"
    taken = 0
    for values in conflicts:
        replica.execute(f"INSERT OR IGNORE INTO {CONFLICT_TABLE} {columns}", values)
        taken += replica.changes()
    if taken:
        compare_everything(replica)  # only so does a server get a conflict that it has not opened itself
    return taken
