"""The replica as the sync engine sees it (`localfirst_sync.ports.LocalStore`)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

import apsw
from localfirst_schema import timestamps
from localfirst_schema.entities import ENTITIES, ENTITY, VENDOR, WORK_ITEM, Entity
from localfirst_schema.errors import UnavailableError
from localfirst_schema.limits import VERSION_MAX
from localfirst_schema.wire import EMPTY_HASH, Mutation, Row, chain_hash, encode_json
from localfirst_sync.conflict import CONFLICT
from localfirst_sync.decision import rebase
from localfirst_sync.line_digest import Held
from localfirst_sync.ports import (
    BEGINNING,
    CONFLICT_TABLE,
    Access,
    Again,
    Cursor,
    Fenced,
    HistoryCount,
    Identity,
    PullSink,
    Push,
    Pushed,
    RecoveryPart,
    Staging,
)
from localfirst_sync.structure import Key

from localfirst.replica import bootstrap, fulltext, leases, outbox, postponing, set_aside, settlement
from localfirst.replica.act import upsert_sql, write_row, written_columns
from localfirst.replica.bootstrap import Bootstrap
from localfirst.replica.connection import immediate, sqlite_errors
from localfirst.replica.known_server import KnownServer
from localfirst.replica.recovery.parts import Snapshot, forget_logged, recovery_parts
from localfirst.replica.rows import as_row, find
from localfirst.replica.spool import HISTORY, Spool
from localfirst.replica.structure import derive_paths

_ENTITY_OF_TABLE = {entity.table: entity for entity in ENTITIES}
_VENDOR_STATUS = VENDOR.column_names.index("status")
_INSERT_HISTORY = (
    "INSERT INTO history (entity, entity_id, version, by, at, outcome, fields, via, reached_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_CAME_BY = "UPDATE history SET via = ? WHERE history_id IN (SELECT history_id FROM outbox ORDER BY history_id LIMIT ?)"
_AWAIT_HISTORY = """
    INSERT INTO awaited (history_id, txn, base_version, accepted)
    SELECT history_id, txn, base_version, ? FROM outbox WHERE number = ? AND echoed = 0
"""
_FORGET_AWAITED = "DELETE FROM history WHERE history_id IN (SELECT history_id FROM awaited WHERE NOT accepted)"
_WAIT_AGAIN = "INSERT INTO outbox (history_id, number, txn, base_version) SELECT history_id, 0, -txn, base_version FROM awaited"
_DROP_HISTORY = f"""
    DELETE FROM history WHERE history_id = (SELECT history_id FROM outbox WHERE number = ? AND echoed = {outbox.ECHOED_CHANGED})
"""
_STANDING = f"""
    SELECT cursor_seq, cursor_tag, pushed_seq, EXISTS (SELECT 1 FROM outbox) OR {set_aside.IS_ANY_OLDER}, access FROM replica
"""
_HOLDS = "SELECT EXISTS (SELECT 1 FROM history WHERE entity_id = ? AND entity = ? AND at = ? AND by IS ?)"
_IS_BLIND = '"blind":true'
_VERSIONS = "SELECT id, version FROM {table} WHERE id IN (SELECT value FROM json_each(?))"


class ReplicaStore:
    """`LocalStore` over one connection to the replica; it belongs to the thread that made it."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._epoch = 0

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def known_server(self, on_name: Callable[[str], None] = lambda _: None) -> KnownServer:
        """What this replica keeps of its server, over the same connection. `on_name`: see `KnownServer`."""
        return KnownServer(self._connection, on_name)

    def identity(self) -> Identity:
        """Who this replica is. Raises UnavailableError while its project has no name."""
        with sqlite_errors():
            project_id, name, replica_id = self._replica("project_id, project_name, replica_id")
        if name is None:
            raise UnavailableError(
                "this project has no name yet, so it stays local; set LOCALFIRST_PROJECT (or project = … in .localfirst.toml)"
                " to the name that all who work on it share.",
                cause="settings",
            )
        return Identity(project_id, name, replica_id, self._epoch)

    def _replica(self, columns: str) -> tuple[Any, ...]:
        return self._connection.execute(f"SELECT {columns} FROM replica").fetchall()[0]

    def begin_round(self) -> None:
        """Raises the fencing epoch."""
        with immediate(self._connection):
            self._epoch = self._connection.execute("UPDATE replica SET epoch = epoch + 1 RETURNING epoch").get

    def _check_fence(self) -> None:
        if self._connection.execute("SELECT epoch FROM replica").get != self._epoch:
            raise Fenced

    def pending_count(self) -> int:
        """How many mutations wait."""
        with sqlite_errors():
            return outbox.count(self._connection)

    def next_push(self, limit: int) -> Push | None:
        """The next mutations with their chained hashes."""
        with immediate(self._connection):
            self._check_fence()
            acked_number, acked_hash, maybe_applied = self._replica("acked_number, acked_hash, maybe_applied_number")
            latest = max(self._cursor(), Cursor(*self._replica("pushed_seq, pushed_tag")), key=lambda cursor: cursor.seq)
            mutations = outbox.next_mutations(self._connection, limit)
            if not mutations:
                return None
            if acked_number == 0:
                # Nothing was ever answered under this id. The file may be an old copy, and the server have been set back to
                # where it does not know the id; others may have brought it these changes by then.
                maybe_applied = max(maybe_applied, outbox.last_number(self._connection))
            displayed = self._displayed(mutations)
            version_floors = self._version_floors(mutations, displayed)
            last_number = mutations[-1].number
            # The next time these are sent it is no longer sure that the server has not had them.
            self._connection.execute(
                "UPDATE replica SET maybe_applied_number = max(maybe_applied_number, ?)", (max(maybe_applied, last_number),)
            )
        hashes, last = [], acked_hash
        for mutation in mutations:
            last = chain_hash(last, mutation)
            hashes.append(last)
        return Push(acked_number, acked_hash, mutations, hashes, latest, maybe_applied, displayed, version_floors)

    def _displayed(self, mutations: Sequence[Mutation]) -> list[int]:
        """The version at which each mutation's row is displayed now; 0 where there is none."""
        ids: dict[str, set[str]] = {}
        for mutation in mutations:
            ids.setdefault(mutation.entity, set()).add(mutation.id)
        versions: dict[tuple[str, str], int] = {}
        for name in ids.keys() & ENTITY.keys():
            found = self._connection.execute(_VERSIONS.format(table=ENTITY[name].table), (encode_json(sorted(ids[name])),))
            versions |= {(name, str(row_id)): int(version) for row_id, version in found}
        return [versions.get((mutation.entity, mutation.id), 0) for mutation in mutations]

    def _version_floors(self, mutations: Sequence[Mutation], displayed: Sequence[int]) -> list[int]:
        """The version at which a mutation's row is displayed, if above all that waits of it and this is the last; else 0."""
        version_floors = [0] * len(mutations)
        last = {(mutation.entity, mutation.id): place for place, mutation in enumerate(mutations)}
        for key, place in last.items():
            if displayed[place] > mutations[place].version and displayed[place] > outbox.last_version(self._connection, *key):
                version_floors[place] = displayed[place]
        return version_floors

    def acknowledge(self, push: Push, pushed: Pushed) -> None:
        """Takes the verdicts."""
        connection = self._connection
        with immediate(connection):
            self._check_fence()
            awaited = _awaited_acts(push, pushed)
            for mutation, verdict in zip(push.mutations, pushed.verdicts, strict=True):
                if verdict.outcome != "accepted":
                    # What really happened comes with the next pull, as the server wrote it (or came with an earlier one).
                    # Until then it stays as it is: the server may have forgotten it by that time.
                    connection.execute(_AWAIT_HISTORY, (False, mutation.number))
                    connection.execute(_DROP_HISTORY, (mutation.number,))
                    continue
                if mutation.txn in awaited:
                    connection.execute(_AWAIT_HISTORY, (True, mutation.number))
                if mutation.version != verdict.version <= VERSION_MAX:
                    self._take_version(mutation.entity, mutation.id, verdict.version)
            if pushed.via is not None:
                connection.execute(_CAME_BY, (pushed.via, len(push.mutations)))
            connection.execute(
                "DELETE FROM outbox WHERE history_id IN (SELECT history_id FROM outbox ORDER BY history_id LIMIT ?)",
                (len(push.mutations),),
            )
            connection.execute(
                "UPDATE replica SET acked_number = ?, acked_hash = ?", (push.mutations[-1].number, push.hashes[-1])
            )
            if pushed.before == self._cursor() and _all_accepted(pushed):
                self._set_cursor(pushed.after)
            else:
                connection.execute("UPDATE replica SET pushed_seq = ?, pushed_tag = ?", pushed.after)

    def postpone(self, held: Sequence[int], after: int, allowed: int | None) -> int:
        """See `LocalStore.postpone`."""
        with immediate(self._connection):
            self._check_fence()
            free = postponing.postpone(self._connection, frozenset(held), after, allowed)
            self._connection.execute(
                "UPDATE replica SET maybe_applied_number = max(maybe_applied_number, ?)",
                (outbox.last_number(self._connection),),
            )
        return free

    def _take_version(self, entity: str, row_id: str, version: int) -> None:
        if entity not in ENTITY:
            return  # of a conflict the pull brings everything
        table = ENTITY[entity].table
        self._connection.execute(f"UPDATE {table} SET version = max(version, ?) WHERE id = ?", (version, row_id))

    def is_level(self, head: Cursor, access: Access = "write") -> bool:
        """See `LocalStore.is_level`. One query, since every idle round asks it."""
        with sqlite_errors():
            found: list[Any] = self._connection.execute(_STANDING, (set_aside.GENERATION,)).fetchall()
        cursor_seq, cursor_tag, pushed_seq, is_open, noted = found[0]
        is_reached = head.seq == cursor_seq and head.tag == cursor_tag and pushed_seq <= head.seq
        return is_reached and not is_open and noted == access

    def note_access(self, access: Access) -> None:
        """Keeps what the server allows."""
        with sqlite_errors():
            (noted,) = self._replica("access")
        if noted != access:
            with immediate(self._connection):
                self._connection.execute("UPDATE replica SET access = ?", (access,))

    def note_clock(self, offset_s: float) -> None:
        """Keeps how far the server's clock is ahead of this machine's."""
        with sqlite_errors():
            leases.note_clock(self._connection, offset_s)

    def cursor(self) -> Cursor:
        """How far this replica has read."""
        with sqlite_errors():
            return self._cursor()

    def _cursor(self) -> Cursor:
        return Cursor(*self._replica("cursor_seq, cursor_tag"))

    def last_push(self) -> Cursor:
        """The head after the last push, if the cursor is not yet there."""
        with sqlite_errors():
            pushed = Cursor(*self._replica("pushed_seq, pushed_tag"))
            return pushed if pushed.seq > self._cursor().seq else BEGINNING

    def _set_cursor(self, cursor: Cursor) -> None:
        self._connection.execute(
            "UPDATE replica SET cursor_seq = ?, cursor_tag = ?, last_sync_at = ?", (*cursor, timestamps.now())
        )

    def mark_synced(self) -> None:
        """Notes that the replica is level with the server at this moment."""
        with immediate(self._connection):
            self._connection.execute("UPDATE replica SET last_sync_at = ?", (timestamps.now(),))

    def set_aside_again(self) -> Again | None:
        """What an older program could not take."""
        with sqlite_errors():
            return set_aside.again(self._connection)

    def begin_pull(self) -> Spool:
        """A spool for one pull."""
        return Spool()

    def finish_pull(self, sink: PullSink, reached: Cursor) -> int:
        """Applies a complete pull; see `LocalStore.finish_pull`."""
        assert isinstance(sink, Spool), "the sink is the one that begin_pull gave"
        with immediate(self._connection):
            self._check_fence()
            (own,) = self._replica("replica_id")
            self._connection.execute(_FORGET_AWAITED)
            self._connection.execute("DELETE FROM awaited")
            foreign = self._apply(sink, own, known=own)
            set_aside.mark_asked(self._connection)
            self._connection.execute("DELETE FROM former_ids")
            self._set_cursor(reached)
        sink.close()
        return foreign

    def begin_bootstrap(self) -> Bootstrap:
        """A bootstrap: a new one, or the one that was interrupted."""
        with sqlite_errors():
            return Bootstrap(self._connection, self._check_fence, self._replica("replica_id")[0])

    def discard_bootstrap(self) -> None:
        """Gives up what is staged."""
        with immediate(self._connection):
            self._check_fence()
            bootstrap.discard(self._connection)

    def finish_bootstrap(self, staging: Staging, sink: PullSink, reached: Cursor) -> int:
        """See `LocalStore.finish_bootstrap`."""
        assert isinstance(staging, Bootstrap), "the staging is the one that begin_bootstrap gave"
        assert isinstance(sink, Spool), "the sink is the one that begin_pull gave"
        with immediate(self._connection):
            self._check_fence()
            foreign = staging.swap(_rows_in(sink))
            foreign += self._apply(sink, self._replica("replica_id")[0], known=None)
            self._connection.execute("DELETE FROM former_ids")
            self._set_cursor(reached)
        staging.close()
        sink.close()
        return foreign

    def lacks_text(self) -> bool:
        """Whether a bootstrap has left full text to be written."""
        with sqlite_errors():
            return self._replica("text_from")[0] is not None

    def index_text(self, budget_s: float) -> bool:
        """Writes full text that is missing, for about so long; returns whether all of it is there."""
        with sqlite_errors():
            return bootstrap.index_text(self._connection, budget_s)

    def begin_recovery(self) -> Snapshot:
        """A sink for a snapshot of a server that was set back. What it has acknowledged and no pull has brought waits again."""
        with immediate(self._connection):
            self._check_fence()
            if self._connection.execute("SELECT EXISTS (SELECT 1 FROM awaited)").get:
                self._connection.execute(_WAIT_AGAIN)
                self._connection.execute("DELETE FROM awaited")
                become_new(self._connection)
        return Snapshot()

    def recovery_parts(self, sink: PullSink, history_counts: Mapping[Key, HistoryCount], limit: int) -> Iterator[RecoveryPart]:
        """See `LocalStore.recovery parts`."""
        assert isinstance(sink, Snapshot), "the sink is the one that begin_recovery gave"
        with sqlite_errors():
            return recovery_parts(self._connection, sink, history_counts, limit)

    def finish_recovery(self, sink: PullSink, reached: Cursor, restored: int) -> int:
        """See `LocalStore.finish_recovery`."""
        assert isinstance(sink, Snapshot), "the sink is the one that begin_recovery gave"
        with sqlite_errors():
            sink.let_go_of_own(self._connection)
        with immediate(self._connection):
            self._check_fence()
            bootstrap.discard(self._connection)
            forget_logged(self._connection, sink)
            set_aside.forget_all(self._connection)
            (own,) = self._replica("replica_id")
            foreign = self._apply(sink, own, known=None, standing=sink.standing)
            become_new(self._connection)
            self._connection.execute("DELETE FROM former_ids")
            self._connection.execute("DELETE FROM awaited")
            self._connection.execute(
                "UPDATE replica SET pushed_seq = 0, pushed_tag = 0, recovered_at = ?, recovered_changes = ?",
                (timestamps.now(), restored),
            )
            self._set_cursor(reached)
        sink.close()
        return foreign

    def _apply(self, spool: Spool | Snapshot, own: str, known: str | None, standing: Set[Key] = frozenset()) -> int:
        """Writes what was pulled, and returns how many changes were not of the replica `own`.

        Args:
            known: accepted changes of this replica are in the history already.
            standing: rows that the server has just as they are here.
        """
        connection = self._connection
        foreign = 0
        aside = spool.aside
        set_aside.keep(connection, aside)
        is_any_aside = set_aside.is_any(connection)
        self._mark_echoed(spool, own)
        waiting = outbox.waiting_rows(connection)
        mine = self._own_numbers(own, known)
        moved: set[str] = set()
        lost: set[tuple[str, str]] = set()
        for table, rows in spool.batches():
            if is_any_aside:
                self._take_back(table, rows)
            if table == HISTORY:
                others = [r for r in rows if not (r[6] == "accepted" and mine.include(r[8], r[9]) and self._holds(r, own))]
                foreign += sum(1 for r in others if r[8] != own)
                moved |= {r[2] for r in others if r[1] == WORK_ITEM.name and _may_move(r[6], r[7])}
                lost |= {(r[1], r[2]) for r in others if r[6] == "lost"}
                now = timestamps.now()
                connection.executemany(_INSERT_HISTORY, [(*r[1:8], r[10], now) for r in others if r[1] != CONFLICT])
            elif table == CONFLICT_TABLE:
                settlement.put(connection, [self._rebased_conflict(row, waiting) for row in rows])
            else:
                moved |= self._apply_rows(_ENTITY_OF_TABLE[table], rows, waiting)
        if waiting:
            moved |= outbox.moved_items(connection)  # what came from the server stands below them, as it does there
        unseen = {(_ENTITY_OF_TABLE[misfit.table].name, misfit.id) for misfit in aside if misfit.table in _ENTITY_OF_TABLE}
        self._drop_refused(spool, lost - waiting - standing - unseen)
        derive_paths(connection, moved)
        return foreign

    def _rebased_conflict(self, theirs: Sequence[Any], waiting: set[tuple[str, str]]) -> Sequence[Any]:
        """A conflict as the server has it; one that was settled here stays settled until that is decided."""
        if (CONFLICT, theirs[0]) not in waiting:
            return theirs
        return settlement.rebased(theirs, settlement.displayed(self._connection, theirs[0]))

    def _holds(self, line: Sequence[Any], own: str) -> bool:
        """Whether an own line is in the history here. What was accepted under an id that was given up in a recovery, and has
        waited again, may have gone from it: it was answered as merged then, since the server had it in its log already."""
        if line[8] == own:
            return True
        return bool(self._connection.execute(_HOLDS, (line[2], line[1], line[5], line[4])).get)

    def _take_back(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """What has come and can be taken is set aside no more."""
        if table == HISTORY:
            set_aside.forget_lines(self._connection, [row[0] for row in rows])
        else:
            set_aside.forget_rows(self._connection, table, [str(row[0]) for row in rows])

    def _mark_echoed(self, spool: Spool | Snapshot, own: str) -> None:
        if outbox.is_empty(self._connection):
            return
        (maybe_applied,) = self._replica("maybe_applied_number")
        for table, rows in spool.batches():
            if table == HISTORY:
                outbox.mark_echoed(self._connection, [outbox.echoed_line(row, own) for row in rows], maybe_applied)

    def _own_numbers(self, own: str, known: str | None) -> _OwnNumbers:
        """The changes that are in the history since they were made, if they were accepted."""
        (acked_number,) = self._replica("acked_number")
        former: list[Any] = self._connection.execute("SELECT replica_id, acked_number FROM former_ids").fetchall()
        acked: dict[str, int] = {**dict(former), own: acked_number} if known is not None else {}
        return _OwnNumbers(acked, {(own, number) for number in outbox.echoed_unchanged(self._connection)})

    def _drop_refused(self, sink: Spool | Snapshot, lost: set[tuple[str, str]]) -> None:
        """A creation that the server refused stands in a conflict alone: no row comes with its lost change."""
        if not lost:
            return
        for name, row_id in lost - _rows_in(sink):
            if name not in ENTITY:
                continue
            if ENTITY[name] is WORK_ITEM:
                fulltext.remove(self._connection, row_id)
            self._connection.execute(f"DELETE FROM {ENTITY[name].table} WHERE id = ?", (row_id,))

    def _apply_rows(self, entity: Entity, rows: Sequence[Sequence[Any]], waiting: set[tuple[str, str]]) -> set[str]:
        """Writes rows as the server has them, those with waiting changes rebased; returns the ids of the rebased."""
        rebased = set()
        if waiting:
            rest = []
            for values in rows:
                if (entity.name, values[0]) in waiting:
                    self._rebase(entity, as_row(entity, values))
                    rebased.add(str(values[0]))
                else:
                    rest.append(values)
            rows = rest
        if entity is WORK_ITEM:
            upserted = self._connection.executemany(f"{upsert_sql(entity)} RETURNING local_id, title, metadata", rows)
            fulltext.index_many(self._connection, upserted)
        elif entity is VENDOR:
            columns = [tuple(v for i, v in enumerate(values) if i != _VENDOR_STATUS) for values in rows]
            self._connection.executemany(upsert_sql(entity), columns)
        else:
            self._connection.executemany(upsert_sql(entity), rows)
        return rebased if entity is WORK_ITEM else set()

    def _rebase(self, entity: Entity, server_row: Row) -> None:
        before = find(self._connection, entity, server_row["id"])
        displayed = rebase(entity, outbox.of_row(self._connection, entity.name, server_row["id"]), server_row)
        if before is not None:
            displayed["version"] = max(displayed["version"], before["version"])
            if all(displayed[name] == before[name] for name in written_columns(entity)):
                return
        local_id = write_row(self._connection, entity, before, displayed)
        if entity is WORK_ITEM:
            fulltext.index(self._connection, local_id, displayed["title"], displayed["metadata"], is_new=before is None)

    def rewrite_history(self, gone: Sequence[int], logged: Sequence[Held]) -> None:
        """Takes lines off the history, and adds others, as the server has them."""
        with immediate(self._connection):
            self._check_fence()
            self._connection.executemany("DELETE FROM history WHERE history_id = ?", [(place,) for place in gone])
            self._connection.executemany(
                _INSERT_HISTORY, [(one.entity, one.entity_id, *one.line, None, None) for one in logged]
            )

    def take_new_identity(self) -> None:
        """A new random id; the queue is kept and numbered from 1."""
        with immediate(self._connection):
            self._check_fence()
            become_new(self._connection)


def become_new(connection: apsw.Connection) -> None:
    """A new random id, within the caller's transaction; what waits is numbered from 1 and maybe applied."""
    connection.execute("INSERT OR REPLACE INTO former_ids SELECT replica_id, acked_number FROM replica")
    waiting = outbox.renumber(connection)
    connection.execute(
        "UPDATE replica SET replica_id = ?, acked_number = 0, acked_hash = ?, maybe_applied_number = ?",
        (str(uuid.uuid4()), EMPTY_HASH, waiting),
    )


class _OwnNumbers(NamedTuple):
    """Numbers of this replica's changes: by id up to which, and those that wait but were echoed."""

    acked: dict[str, int]
    logged: set[tuple[str, int]]

    def include(self, replica_id: str | None, number: int | None) -> bool:
        """Whether that change is one of them."""
        if replica_id is None or number is None:
            return False
        return number <= self.acked.get(replica_id, 0) or (replica_id, number) in self.logged


def _may_move(outcome: str, fields: str) -> bool:
    """Whether a change may have moved a work item. The creation of a root names no parent; what it revives may have one."""
    return '"parent_id"' in fields or (outcome == "merged" and '"item_type"' in fields)


def _rows_in(spool: Spool | Snapshot) -> set[tuple[str, str]]:
    """(entity, id) of the rows that a pull brings."""
    return {(_ENTITY_OF_TABLE[t].name, row[0]) for t, rows in spool.batches() if t in _ENTITY_OF_TABLE for row in rows}


def _awaited_acts(push: Push, pushed: Pushed) -> set[int]:
    """The acts of which nothing here shows what they came to before the next pull: not all was accepted, or it was blind."""
    pairs = zip(push.mutations, pushed.verdicts, strict=True)
    return {m.txn for m, verdict in pairs if verdict.outcome != "accepted" or _IS_BLIND in m.fields}


def _all_accepted(pushed: Pushed) -> bool:
    return all(verdict.outcome == "accepted" for verdict in pushed.verdicts)
