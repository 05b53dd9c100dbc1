"""The first fill of a replica: what a server has is staged aside page by page, then swapped in at once.

Counterpart: `localfirst_sync.bootstrap`. Each page is a short transaction together with the place that it reached, so that a
bootstrap which was interrupted, or killed, goes on there. Staged tables (``staged_…``) have the columns of the real ones and no
index but their key; the swap drops the real ones, renames, and builds the indexes. Nothing staged is anybody's only copy, so
pages do not wait for the disk; the swap does. Full text follows in small steps (`index_text`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from functools import cache
from typing import Any

import apsw
from localfirst_schema.entities import ENTITIES, ENTITY, VENDOR, WORK_ITEM, Entity
from localfirst_schema.wire import Row
from localfirst_sync import sieve
from localfirst_sync.conflict import CONFLICT
from localfirst_sync.decision import rebase
from localfirst_sync.ports import BEGINNING, CONFLICT_COLUMNS, CONFLICT_TABLE, Cursor, HistoryRow

from localfirst.replica import fulltext, outbox, set_aside, settlement
from localfirst.replica.act import insert_sql, write_row, written_columns
from localfirst.replica.connection import WAL_AUTOCHECKPOINT_PAGES, immediate
from localfirst.replica.rows import find
from localfirst.replica.spool import HISTORY
from localfirst.replica.structure import derive_paths

TEXT_BATCH = 100
"""Work items whose full text is written in one transaction: some 10 ms, which a person's write may have to wait for."""

CHECKPOINT_PAGES = 16_384
"""While pages are staged the log may grow to 64 MB before it is copied into the file: by default every page would be."""

CACHE_KIB = 32 * 1024
DEFAULT_CACHE_KIB = 2000

_HISTORY_COLUMNS = ("entity", "entity_id", "version", "by", "at", "outcome", "fields", "via")
_ENTITY_OF_TABLE = {entity.table: entity for entity in ENTITIES}
_TABLES = (*_ENTITY_OF_TABLE, CONFLICT_TABLE, HISTORY)
_VENDOR_STATUS = VENDOR.column_names.index("status")


class Bootstrap:
    """A bootstrap of one replica, new or taken up again (see `localfirst_sync.ports.Staging`).

    Args:
        check_fence: raises `Fenced` when a later round has begun; called in every transaction.
        own: the replica's id.
    """

    def __init__(self, connection: apsw.Connection, check_fence: Callable[[], None], own: str) -> None:
        self._connection = connection
        self._check_fence = check_fence
        self._own = own
        connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        connection.pragma("cache_size", -CACHE_KIB)
        connection.pragma("temp_store", "default")  # large sorts go to the disk

    @property
    def cursor(self) -> Cursor:
        """The server's head when it began; the beginning if nothing is staged."""
        found = self._connection.execute("SELECT cursor_seq, cursor_tag FROM bootstrap").fetchone()
        return Cursor(*found) if found else BEGINNING

    @property
    def read_at(self) -> Cursor:
        """The server's head at which the last pages were read; the beginning if nothing is staged."""
        found = self._connection.execute("SELECT read_seq, read_tag FROM bootstrap").fetchone()
        return Cursor(*found) if found else BEGINNING

    @property
    def place(self) -> tuple[str, str | int] | None:
        """The table that is being staged, and its last key; None before the first page."""
        found = self._connection.execute("SELECT table_name, last_key FROM bootstrap WHERE table_name IS NOT NULL").fetchone()
        return tuple(found) if found else None

    def begin(self, head: Cursor) -> None:
        """Makes the staged tables, empty."""
        with self._cheap_transaction():
            _drop_staged(self._connection)
            set_aside.forget_all(self._connection)
            for table in _TABLES:
                columns = self._sql("table", table)
                self._connection.execute(f"CREATE TABLE staged_{table} {columns[columns.index('(') :]}")
            self._connection.execute(
                "INSERT INTO bootstrap (singleton, cursor_seq, cursor_tag, read_seq, read_tag, foreign_changes)"
                " VALUES (1, ?, ?, ?, ?, 0)",
                (*head, *head),
            )

    def go_on(self, head: Cursor) -> None:
        """Notes at which head the pages that follow are read."""
        with self._cheap_transaction():
            self._connection.execute("UPDATE bootstrap SET read_seq = ?, read_tag = ?", head)

    def rows(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Stages a page of one table, by rising id."""
        last = str(rows[-1][0])
        taken, aside = sieve.rows(table, rows)
        if table == VENDOR.table:
            taken = [(*row[:_VENDOR_STATUS], *row[_VENDOR_STATUS + 1 :]) for row in taken]
        with self._cheap_transaction():
            set_aside.keep(self._connection, aside)
            self._connection.executemany(_stage_sql(table), taken)
            self._reached(table, last, 0)

    def history(self, rows: Sequence[HistoryRow]) -> None:
        """Stages a page of the history, by rising number."""
        taken, aside = sieve.history(rows)
        with self._cheap_transaction():
            set_aside.keep(self._connection, aside)
            if not outbox.is_empty(self._connection):
                self._mark_echoed(taken)
            self._connection.executemany(_stage_sql(HISTORY), [(*row[1:8], row[10]) for row in taken if row.entity != CONFLICT])
            self._reached(HISTORY, rows[-1].seq, sum(row.replica_id != self._own for row in rows))

    def _mark_echoed(self, rows: Sequence[HistoryRow]) -> None:
        """Notes which waiting changes the server's history tells."""
        maybe_applied: int = self._connection.execute("SELECT maybe_applied_number FROM replica").get
        outbox.mark_echoed(self._connection, [outbox.echoed_line(row, self._own) for row in rows], maybe_applied)

    def _reached(self, table: str, key: str | int, foreign: int) -> None:
        self._connection.execute(
            "UPDATE bootstrap SET table_name = ?, last_key = ?, foreign_changes = foreign_changes + ?", (table, key, foreign)
        )

    @contextmanager
    def _cheap_transaction(self) -> Iterator[None]:
        """A transaction that a power cut may undo, together with those after it."""
        durability = self._connection.pragma("synchronous")
        self._connection.pragma("synchronous", "normal")
        try:
            with immediate(self._connection):
                self._check_fence()
                yield
        finally:
            self._connection.pragma("synchronous", durability)

    def close(self) -> None:
        """The connection is again as every other."""
        self._connection.pragma("wal_autocheckpoint", WAL_AUTOCHECKPOINT_PAGES)
        self._connection.pragma("cache_size", -DEFAULT_CACHE_KIB)
        self._connection.pragma("temp_store", "memory")

    def swap(self, renewed: Set[tuple[str, str]] = frozenset()) -> int:
        """Puts what is staged in the place of what was there, own waiting changes on top; returns how many changes are not
        this replica's own. Within the caller's transaction.

        Args:
            renewed: (entity, id) of what the caller writes right after it. If it has waiting changes it is left as it was
                displayed: to rebase it on what is staged, which may be old, could raise its version for nothing.
        """
        connection = self._connection
        foreign: int = connection.execute("SELECT foreign_changes FROM bootstrap").get
        waiting = outbox.waiting_rows(connection)
        displayed = {key: _row(connection, *key) for key in waiting}
        old_ids: list[Any] = connection.execute("SELECT local_id FROM work_items").fetchall()
        self._take_over_waiting()
        for table in _TABLES:
            indexes = [sql for (sql,) in connection.execute(_INDEXES, (table,))]
            connection.execute(f"DROP TABLE {table}")
            connection.execute(f"ALTER TABLE staged_{table} RENAME TO {table}")
            for sql in indexes:
                connection.execute(sql)
        connection.execute("DELETE FROM bootstrap")
        connection.execute("DELETE FROM awaited")
        # What waits and was staged just as it is, is in the history twice by now. (It is not left out when it is staged, since
        # its verdict may come, and take it from the outbox, before the swap.)
        connection.executemany(_FORGET_STAGED, [(number,) for number in outbox.echoed_unchanged(connection)])
        for (name, row_id), row in displayed.items():
            _put_back(connection, name, row_id, row, is_renewed=(name, row_id) in renewed)
        self._forget_text(old_ids)
        derive_paths(connection, [row_id for name, row_id in waiting if name == WORK_ITEM.name])
        return foreign

    def _take_over_waiting(self) -> None:
        """The history of what waits goes behind the staged, in its order."""
        connection = self._connection
        last: int = connection.execute("SELECT coalesce(max(history_id), 0) FROM staged_history").get
        columns = ", ".join(_HISTORY_COLUMNS)
        waiting: list[Any] = connection.execute("SELECT history_id FROM outbox ORDER BY history_id").fetchall()
        # Above all ids of both tables first, so that none is taken while they are renumbered.
        far = max([last, *(history_id for (history_id,) in waiting)]) + len(waiting)
        for place, (history_id,) in enumerate(waiting, 1):
            connection.execute(
                f"INSERT INTO staged_history (history_id, {columns}) SELECT ?, {columns} FROM history WHERE history_id = ?",
                (last + place, history_id),
            )
            connection.execute("UPDATE outbox SET history_id = ? WHERE history_id = ?", (far + place, history_id))
        connection.execute("UPDATE outbox SET history_id = history_id - ?", (far - last,))

    def _forget_text(self, old_ids: Sequence[tuple[int]]) -> None:
        connection = self._connection
        connection.execute("INSERT INTO work_items_text (work_items_text) VALUES ('delete-all')")
        connection.execute("UPDATE replica SET text_from = 1 WHERE EXISTS (SELECT 1 FROM work_items)")
        connection.execute("INSERT OR IGNORE INTO work_item_vector_queue SELECT local_id FROM work_items")
        connection.executemany("INSERT OR IGNORE INTO work_item_vector_queue VALUES (?)", old_ids)

    def _sql(self, kind: str, name: str) -> str:
        return str(self._connection.execute("SELECT sql FROM sqlite_schema WHERE type = ? AND name = ?", (kind, name)).get)


_FORGET_STAGED = """
    DELETE FROM history WHERE history_id = (
        SELECT s.history_id FROM outbox AS o CROSS JOIN history AS w USING (history_id)
        CROSS JOIN history AS s ON s.entity_id = w.entity_id AND s.entity = w.entity AND s.version = w.version
        WHERE o.number = ? AND s.at = w.at AND s.by IS w.by AND s.outcome = 'accepted'
            AND s.history_id NOT IN (SELECT history_id FROM outbox) LIMIT 1
    )
"""
_INDEXES = "SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"


def discard(connection: apsw.Connection) -> None:
    """Gives up what is staged. Within the caller's transaction."""
    _drop_staged(connection)
    connection.execute("DELETE FROM bootstrap")


def index_text(connection: apsw.Connection, budget_s: float) -> bool:
    """Writes the full text that a bootstrap has left out, for so long; returns whether all of it is there."""
    deadline = time.monotonic() + budget_s
    while connection.execute("SELECT text_from FROM replica").get is not None:
        with immediate(connection):
            first = connection.execute("SELECT text_from FROM replica").get
            if first is None:
                break  # another process was quicker
            rows: list[Any] = connection.execute(_NEXT_TEXTS, (first, TEXT_BATCH)).fetchall()
            fulltext.index_new(connection, [row[:3] for row in rows if not row[3]])
            following = rows[-1][0] + 1 if len(rows) == TEXT_BATCH else None
            connection.execute("UPDATE replica SET text_from = ?", (following,))
        if time.monotonic() >= deadline:
            return bool(connection.execute("SELECT text_from IS NULL FROM replica").get)
    return True


# What was written since the swap has its text already.
_NEXT_TEXTS = """
    SELECT local_id, title, metadata, EXISTS (SELECT 1 FROM work_items_text_docsize AS d WHERE d.id = w.local_id)
    FROM work_items AS w WHERE local_id >= ? ORDER BY local_id LIMIT ?
"""


@cache
def _stage_sql(table: str) -> str:
    if table in _ENTITY_OF_TABLE:
        return insert_sql(_ENTITY_OF_TABLE[table], f"staged_{table}")
    columns: Sequence[str] = _HISTORY_COLUMNS if table == HISTORY else CONFLICT_COLUMNS
    return f"INSERT INTO staged_{table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def _drop_staged(connection: apsw.Connection) -> None:
    for table in _TABLES:
        connection.execute(f"DROP TABLE IF EXISTS staged_{table}")


def _row(connection: apsw.Connection, name: str, row_id: str) -> Any:
    """A row as it is displayed: by column name, or a conflict's columns; None if there is none."""
    if name in ENTITY:
        return find(connection, ENTITY[name], row_id)
    return settlement.displayed(connection, row_id)


def _put_back(connection: apsw.Connection, name: str, row_id: str, displayed: Any, *, is_renewed: bool) -> None:
    """A row with waiting changes, on top of what was swapped in."""
    if name in ENTITY and is_renewed and displayed is not None:
        staged = find(connection, ENTITY[name], row_id)
        if staged is None or staged != displayed:
            write_row(connection, ENTITY[name], staged, displayed)
    elif name in ENTITY:
        _rebase(connection, ENTITY[name], row_id, displayed)
    elif displayed is not None:
        theirs = settlement.displayed(connection, row_id)
        settlement.put(connection, [displayed if theirs is None else settlement.rebased(theirs, displayed)])


def _rebase(connection: apsw.Connection, entity: Entity, row_id: str, displayed: Row | None) -> None:
    server_row = find(connection, entity, row_id)
    if server_row is None:
        if displayed is not None:
            write_row(connection, entity, None, displayed)
        return
    rebased = rebase(entity, outbox.of_row(connection, entity.name, row_id), server_row)
    if displayed is not None:
        rebased["version"] = max(rebased["version"], displayed["version"])
    if any(rebased[name] != server_row[name] for name in written_columns(entity)):
        write_row(connection, entity, server_row, rebased)
