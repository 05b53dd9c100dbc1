"""What this replica remembers that a server of another past may lack (see `localfirst_sync.recovery`).

The snapshot of the server is compared with the replica in one read transaction, which locks nobody out. What is equal is let go
of; what is not is collected in small reads, without the replica's own waiting changes: those follow by the ordinary way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import apsw
from localfirst_schema.entities import CONFIGURATION, ENTITIES, ENTITY, WORK_ITEM, Entity, Role
from localfirst_schema.json_merge import same
from localfirst_schema.wire import Fields, Mutation, Row, decode_json
from localfirst_sync.conflict import CONFLICT
from localfirst_sync.divergence import match, redone, says_the_same, undone
from localfirst_sync.ports import CONFLICT_COLUMNS, CONFLICT_TABLE, HistoryCount, HistoryRow, Line, RecoveryPart, Remembered
from localfirst_sync.sieve import Misfit
from localfirst_sync.structure import Key

from localfirst.replica import outbox, settlement
from localfirst.replica.connection import snapshot
from localfirst.replica.rows import as_row, find, select_sql
from localfirst.replica.spool import HISTORY, Spool

Batches: TypeAlias = Iterator[tuple[str, Sequence[Sequence[Any]]]]
"""Rows by table, as `Spool.batches` gives them."""

_ENTITY_OF_TABLE = {entity.table: entity for entity in ENTITIES}
_NAME_OF_TABLE = {entity.table: entity.name for entity in ENTITIES} | {CONFLICT_TABLE: CONFLICT}
NOT_WAITING = f"history_id NOT IN (SELECT history_id FROM outbox WHERE echoed <> {outbox.ECHOED_UNCHANGED})"
"""What waits for its verdict alone, logged by the server just as it is here, is part of the past like what was answered."""

_LINES = f"""
    SELECT version, by, at, outcome, fields FROM history
    WHERE entity_id = ? AND entity = ? AND {NOT_WAITING} ORDER BY version, history_id
"""
_COUNTS = f"""
    SELECT entity, entity_id, count(*), sum(outcome = 'accepted'), sum(version) FROM history
    WHERE {NOT_WAITING} GROUP BY entity, entity_id
"""
_ROWLESS = f"""
    SELECT DISTINCT entity_id FROM history WHERE entity = ? AND {NOT_WAITING} AND entity_id NOT IN (SELECT id FROM {{table}})
"""
_SAME_MOMENT = f"""
    SELECT history_id, fields FROM history WHERE entity_id = ? AND entity = ? AND at = ? AND by IS ? AND {NOT_WAITING}
"""
_IS_LOGGED = f"""
    SELECT fields FROM history
    WHERE entity_id = ? AND entity = ? AND at = ? AND by IS ? AND version = ? AND outcome = ? AND {NOT_WAITING}
"""
_CONFLICTS = f"SELECT {', '.join(CONFLICT_COLUMNS)} FROM {CONFLICT_TABLE}"
_NOTHING = HistoryCount(0, 0, 0)


class Snapshot:
    """A `PullSink` for a recovery: first the server as it is, then, once that was compared, what is added to it.

    Attributes:
        standing: the rows that came back just as the replica has them.
    """

    def __init__(self) -> None:
        self._server: Spool | None = Spool()
        self._kept = Spool()
        self._added = Spool()
        self._aside: list[Misfit] = []
        self._added_rows: set[Key] = set()
        self.standing: set[Key] = set()

    def expects(self, changes: int) -> None:
        """It holds as much as comes."""

    def rows(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Takes current rows of one table."""
        if self._server is not None:
            self._server.rows(table, rows)
        else:
            self._added.rows(table, rows)
            self._added_rows.update(_keys(table, rows))

    def history(self, rows: Sequence[HistoryRow]) -> None:
        """Takes history rows."""
        (self._server or self._added).history(rows)

    @property
    def aside(self) -> list[Misfit]:
        """What the server has and cannot be taken."""
        return self._aside + (self._server.aside if self._server is not None else []) + self._added.aside

    def server(self) -> Batches:
        """The server as it was when the recovery began."""
        assert self._server is not None
        return self._server.batches()

    def keep_all_but(self, equal: set[Key]) -> None:
        """Keeps what is not about these rows; from here on what comes is what was added since."""
        for table, rows in self.server():
            if rest := [row for row, key in zip(rows, _keys(table, rows), strict=True) if key not in equal]:
                self._kept.keep(table, rest)
        assert self._server is not None
        self._aside += self._server.aside
        self._server.close()
        self._server = None

    def let_go_of_own(self, connection: apsw.Connection) -> None:
        """Lets go of what came back as the replica has it: most of what was added is what it sent itself."""
        with snapshot(connection):
            equal, _ = _compared(connection, self._added.batches())
            self.standing = equal
            added, self._added = self._added, Spool()
            self._aside += added.aside
            for table, rows in added.batches():
                keyed = zip(rows, _keys(table, rows), strict=True)
                if table == HISTORY:
                    rest = [row for row, key in keyed if key not in equal or not _is_logged(connection, row)]
                    self._added.keep(table, rest)
                else:
                    self._added.keep(table, [row for row, key in keyed if key not in equal])
        added.close()

    def batches(self) -> Batches:
        """What the replica has to take over; of a row that changed meanwhile only the newest state."""
        for table, rows in self._kept.batches():
            if table != HISTORY:
                rows = [row for row, key in zip(rows, _keys(table, rows), strict=True) if key not in self._added_rows]
            yield table, rows
        yield from self._added.batches()

    def close(self) -> None:
        """Lets go of the memory and the files."""
        for spool in (self._server, self._kept, self._added):
            if spool is not None:
                spool.close()


class _Place(NamedTuple):
    """Where a row stands in the order in which the server can take them."""

    is_deletion: bool
    entity: int
    depth: int
    id: str

    @property
    def key(self) -> Key:
        """Which row it is."""
        return ENTITIES[self.entity].name, self.id


def _keys(table: str, rows: Sequence[Sequence[Any]]) -> Iterator[Key]:
    """What each row of a batch is about. An id alone does not say it: by SQL two rows may get one, in different tables."""
    if table == HISTORY:
        return ((row[1], row[2]) for row in rows)
    name = _NAME_OF_TABLE[table]
    return ((name, row[0]) for row in rows)


def recovery_parts(
    connection: apsw.Connection, server: Snapshot, history_counts: Mapping[Key, HistoryCount], limit: int
) -> Iterator[RecoveryPart]:
    """See `LocalStore.recovery parts`."""
    with snapshot(connection):
        equal, places = _compared(connection, server.server())
        places |= _unseen(connection, server.server())
        counts = {(entity, row_id): HistoryCount(*logged) for entity, row_id, *logged in connection.execute(_COUNTS)}
        places |= _longer_histories(counts, history_counts, {place.key for place in places})
        places |= _known_by_history(connection)
        # What the server has in a state that cannot be taken is not lacking there, nor is it for this replica to decide.
        aside = {(_NAME_OF_TABLE.get(misfit.table), misfit.id) for misfit in server.aside}
        places = {place for place in places if place.key not in aside}
        # Of an equal row too the server may tell more, or otherwise: what was merged or lost, and has not come here since.
        equal = {key for key in equal if history_counts.get(key, _NOTHING) == counts.get(key, _NOTHING)}
        conflicts = _conflicts(connection, server)
        settled = _logged_whole(connection, server.server())
    server.keep_all_but(equal)
    return _in_parts(connection, sorted(places), settled, conflicts, limit)


def forget_logged(connection: apsw.Connection, kept: Snapshot) -> None:
    """Takes off what the server tells of from now on: waiting changes that it has already, and its own lines of history."""
    outbox.forget_echoed(connection)  # what pulls echoed of them belongs to the past that is left
    waiting = outbox.waiting_rows(connection)
    for table, rows in kept.batches():
        if table != HISTORY:
            continue
        for row in rows:
            if (row[1], row[2]) in waiting:
                _take_off(connection, HistoryRow(*row))
        for row in rows:
            _forget(connection, HistoryRow(*row))


def _forget(connection: apsw.Connection, logged: HistoryRow) -> None:
    """Takes off the own line that says the same; one of the same person and moment may say something else."""
    for history_id, fields in connection.execute(
        _SAME_MOMENT, (logged.entity_id, logged.entity, logged.at, logged.by)
    ).fetchall():
        if says_the_same(str(fields), logged.fields):
            connection.execute("DELETE FROM history WHERE history_id = ?", (history_id,))


def _take_off(connection: apsw.Connection, logged: HistoryRow) -> None:
    for mutation, _ in outbox.of_row(connection, logged.entity, logged.entity_id):
        if (mutation.by, mutation.at) == (logged.by, logged.at) and says_the_same(mutation.fields, logged.fields):
            number = (mutation.number,)
            connection.execute(
                "DELETE FROM history WHERE history_id = (SELECT history_id FROM outbox WHERE number = ?)", number
            )
            connection.execute("DELETE FROM outbox WHERE number = ?", number)
            return


def _compared(connection: apsw.Connection, server: Batches) -> tuple[set[Key], set[_Place]]:
    """The rows that are equal, and the places of those that are not. Rows with changes in the queue never are."""
    queued = outbox.queued_rows(connection)
    equal: set[Key] = set()
    places: set[_Place] = set()
    for table, rows in server:
        entity = _ENTITY_OF_TABLE.get(table)
        if entity is None:
            continue
        mine = _by_id(connection, entity, [row[0] for row in rows])
        for theirs in rows:
            ours = mine.get(theirs[0])
            if ours is None:
                continue
            # Of the row with which every project starts the histories may differ even so.
            comparable = (entity.name, theirs[0]) not in queued and entity is not CONFIGURATION
            if comparable and _are_equal(entity, ours, theirs):
                equal.add((entity.name, theirs[0]))
            else:
                row = as_row(entity, ours)
                is_deletion = row["deleted_at"] is not None and as_row(entity, theirs)["deleted_at"] is None
                places.add(_place(entity, row, is_deletion=is_deletion))
    return equal, places


def _unseen(connection: apsw.Connection, server: Batches) -> set[_Place]:
    """The places of the rows that the server lacks."""
    seen = {key for table, rows in server if table in _ENTITY_OF_TABLE for key in _keys(table, rows)}
    places = set()
    for entity in ENTITIES:
        depth = "depth" if entity is WORK_ITEM else "0"
        for row_id, level in connection.execute(f"SELECT id, {depth} FROM {entity.table}"):
            if (entity.name, row_id) not in seen:
                places.add(_place(entity, {"id": row_id, "depth": level}, is_deletion=False))
    return places


def _is_logged(connection: apsw.Connection, row: Sequence[Any]) -> bool:
    """Whether the replica's history has this line, as it is. (A transaction may change a row several times, at one moment.)"""
    found = connection.execute(_IS_LOGGED, (row[2], row[1], row[5], row[4], row[3], row[6])).fetchall()
    return any(says_the_same(str(fields), row[7]) for (fields,) in found)


def _place(entity: Entity, row: Row, *, is_deletion: bool) -> _Place:
    number, depth = ENTITIES.index(entity), row["depth"] if entity is WORK_ITEM else 0
    # Deletions last, children before parents.
    return _Place(is_deletion, number, -depth if is_deletion else depth, row["id"])


def _known_by_history(connection: apsw.Connection) -> set[_Place]:
    """Rows that are not here, but of which there is history: changes of what was never seen here, or creations refused."""
    return {
        _Place(False, number, 0, row_id)
        for number, entity in enumerate(ENTITIES)
        for (row_id,) in connection.execute(_ROWLESS.format(table=entity.table), (entity.name,))
    }


def _longer_histories(
    counts: Mapping[Key, HistoryCount], history_counts: Mapping[Key, HistoryCount], known: set[Key]
) -> set[_Place]:
    """Rows of which this replica has more history than the server, whatever is with the row."""
    return {
        _Place(False, ENTITIES.index(ENTITY[name]), 0, row_id)
        for (name, row_id), logged in counts.items()
        if logged.lines > history_counts.get((name, row_id), _NOTHING).lines and name in ENTITY and (name, row_id) not in known
    }


def _in_parts(
    connection: apsw.Connection,
    places: Sequence[_Place],
    settled: set[Key],
    conflicts: Sequence[tuple[object, ...]],
    limit: int,
) -> Iterator[RecoveryPart]:
    for first in range(0, len(places), limit):
        some = places[first : first + limit]
        with snapshot(connection):
            waiting = outbox.waiting_rows(connection)
            rows = [_remembered(connection, ENTITIES[place.entity], place.id, waiting, settled) for place in some]
        yield RecoveryPart([row for row in rows if row.row is not None or row.lines], ())
    if conflicts:
        yield RecoveryPart((), conflicts)


def _logged_whole(connection: apsw.Connection, server: Batches) -> set[Key]:
    """Rows of which something waits that the server tells, all of it: nothing will be pushed of them any more."""
    waiting = outbox.waiting_rows(connection)
    logged: dict[Key, list[Line]] = {}
    for table, rows in server if waiting else ():
        for row in rows if table == HISTORY else ():
            if (row[1], row[2]) in waiting:
                logged.setdefault((row[1], row[2]), []).append(Line(row[3], row[4], row[5], row[6], row[7]))
    return {key for key, lines in logged.items() if None not in match(_waiting_lines(connection, key), lines)}


def _waiting_lines(connection: apsw.Connection, key: Key) -> list[Line]:
    return [Line(m.version, m.by, m.at, "accepted", m.fields) for m, _ in outbox.of_row(connection, *key)]


def _remembered(connection: apsw.Connection, entity: Entity, row_id: str, waiting: set[Key], settled: set[Key]) -> Remembered:
    row = find(connection, entity, row_id)
    key = (entity.name, row_id)
    displayed = row["version"] if row is not None and (key not in waiting or key in settled) else 0
    lines = [Line(*line) for line in connection.execute(_LINES, (row_id, entity.name))]
    if row is not None:
        row |= {name: bool(row[name]) for name in entity.boolean_columns}
        if key in waiting:
            row = _without_waiting(entity, row, lines, outbox.of_row(connection, entity.name, row_id))
    if row is not None and entity is CONFIGURATION and row["version"] == 1:
        return Remembered(entity.name, row_id, None, lines)  # every project starts with this row; the server's own will do
    return Remembered(entity.name, row_id, row, lines, displayed)


def _without_waiting(entity: Entity, row: Row, lines: Sequence[Line], pending: Sequence[tuple[Mutation, Fields]]) -> Row | None:
    """The row as the server last had it: waiting changes undone, and earlier ones that they cover redone."""
    first = pending[0][0]
    if first.base_version == 0 and all(line.outcome == "lost" for line in lines):
        return None  # the server never had it, or refused it
    before = undone(entity, row, [Line(m.version, m.by, m.at, "accepted", m.fields) for m, _ in pending])
    again = redone(entity, before, lines)
    touched = {name for _, fields in pending for name in fields if name in before}
    before |= {name: again[name] for name in touched}
    before["version"] = max((line.version for line in lines), default=first.base_version)
    if lines:
        before |= {"updated_by": lines[-1].by, "updated_at": lines[-1].at}
    return before


def _conflicts(connection: apsw.Connection, server: Snapshot) -> list[tuple[object, ...]]:
    """Conflicts that the server lacks, or that are settled here and open there, or have had more in them here."""
    theirs = {row[0]: row for table, rows in server.server() if table == CONFLICT_TABLE for row in rows}
    waiting = outbox.waiting_rows(connection)
    mine_version, resolved = CONFLICT_COLUMNS.index("my_version"), CONFLICT_COLUMNS.index("resolved_at")
    found: list[tuple[object, ...]] = []
    for row in connection.execute(_CONFLICTS):
        if ("conflict", row[0]) in waiting:  # settled here alone: that is on its way
            row = settlement.unsettled(row)
        other = theirs.get(row[0])
        goes_on = row[resolved] is not None or (other is not None and row[mine_version] > other[mine_version])
        if other is None or (other[resolved] is None and goes_on):
            found.append(row)
    return found


@cache
def _by_ids_sql(entity: Entity) -> str:
    return f"{select_sql(entity)} WHERE id IN (SELECT value FROM json_each(?))"


def _by_id(connection: apsw.Connection, entity: Entity, ids: Sequence[str]) -> dict[str, Sequence[Any]]:
    listed = "[" + ",".join(f'"{row_id}"' for row_id in ids) + "]"
    return {str(row[0]): row for row in connection.execute(_by_ids_sql(entity), (listed,))}


@cache
def _compared_columns(entity: Entity) -> tuple[tuple[int, bool], ...]:
    """Place and being JSON of all columns but the derived ones."""
    return tuple(
        (place, column.name in entity.json_columns)
        for place, column in enumerate(entity.columns)
        if column.role is not Role.DERIVED
    )


def _are_equal(entity: Entity, ours: Sequence[Any], theirs: Sequence[Any]) -> bool:
    for place, is_json in _compared_columns(entity):
        one, other = ours[place], theirs[place]
        if one != other and not (
            is_json and one is not None and other is not None and same(decode_json(one), decode_json(other))
        ):
            return False
    return True
