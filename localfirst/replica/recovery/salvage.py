"""Saving what can still be read of a damaged replica into the new one: rows, history, conflicts, and above all what waits.

Everything happens in one transaction, on a replica that may already be in use. The new replica keeps its own id: what waits is
numbered anew and marked as maybe applied, so that a server recognises by their content the changes that it has already. The
cursor stays at the beginning: a server's rows come anew and stand, and only what waits is carried out on them again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
from localfirst_schema.entities import CONFIGURATION, ENTITIES, ENTITY, WORK_ITEM, Entity
from localfirst_schema.project_key import is_one_project
from localfirst_schema.wire import Fields, Mutation
from localfirst_sync.decision import decide, rebase
from localfirst_sync.ports import CONFLICT_COLUMNS, CONFLICT_TABLE

from localfirst.replica import fulltext, outbox
from localfirst.replica.act import insert_sql, written_columns
from localfirst.replica.connection import immediate
from localfirst.replica.naming import make_ids_anew
from localfirst.replica.pages import Record, records
from localfirst.replica.recovery.damaged import Reading
from localfirst.replica.shape import HISTORY, is_conflict, is_history, is_row
from localfirst.replica.structure import derive_paths

_NO_TAG = -1
"""A tag that no server gives. With it a server is taken for one with another past, and everything is compared: where it is not
known any more which changes waited, that finds those that the server lacks (`localfirst_sync.recovery`)."""

_OUTBOX = ("history_id", "number", "txn", "base_version")
_IDENTITY = ("project_id", "project_name", "replica_id", "acked_number")


@dataclass(slots=True)
class Salvage:
    """What became of a damaged replica's content.

    Attributes:
        rows: rows of people's data that were saved.
        changes: lines of history that were saved.
        waiting: changes that the server has not answered yet, saved.
        waiting_lost: such changes of which it is known that they were there, and not what they said.
        gaps: places of the file that could not be read.
        others: whether the file was another project's: then nothing was taken from it.
    """

    rows: int = 0
    changes: int = 0
    waiting: int = 0
    waiting_lost: int = 0
    gaps: int = 0
    others: bool = False
    tables: list[str] = field(default_factory=list)


def salvage(damaged: apsw.Connection, replica: apsw.Connection, project_name: str | None) -> Salvage:
    """Brings what can be read of `damaged` into `replica`."""
    done = Salvage()
    identity = next(_read(damaged, "replica", _IDENTITY, done), None)
    name = None if identity is None else identity[1]
    if name is not None and project_name is not None and not is_one_project(name, project_name):
        done.others = True
        return done
    with immediate(replica):
        _take_identity(replica, identity)
        _take_rows(damaged, replica, done)
        known_lines = _take_history(damaged, replica, done)
        _take_outbox(damaged, replica, known_lines, done)
        _take_conflicts(damaged, replica, done)
        make_ids_anew(replica)
        _restore_waiting_rows(replica, done)
        waiting = outbox.renumber(replica)
        replica.execute("UPDATE replica SET acked_number = 0, acked_hash = zeroblob(16), maybe_applied_number = ?", (waiting,))
        if "outbox" in done.tables:
            compare_everything(replica)
    return done


def compare_everything(replica: apsw.Connection) -> None:
    """The next round compares the replica with its server row by row, and brings there what it lacks. Within a transaction."""
    replica.execute("UPDATE replica SET cursor_seq = 1, cursor_tag = ?", (_NO_TAG,))


def _rows_of(damaged: apsw.Connection, entity: Entity, done: Salvage) -> Iterator[tuple[Any, ...]]:
    """The rows of an entity: by the table's tree and, where that is broken, from its leaves, the newest of each first."""
    columns = written_columns(entity)
    gaps = done.gaps
    yield from (values for values in _read(damaged, entity.table, columns, done) if is_row(entity, values))
    if done.gaps > gaps:
        if entity is WORK_ITEM:
            # Its integer key comes first; its ref is the last, and is not in rows that are older than refs.
            lengths, columns_of = [len(columns) + 1, len(columns) + 2], slice(1, len(columns) + 1)
        else:
            lengths, columns_of = [len(columns)], slice(len(columns))
        found = [one.values[columns_of] for length in lengths for one in _leaves(damaged, length)]
        version = columns.index("version")
        yield from sorted((v for v in found if is_row(entity, v)), key=lambda v: -int(v[version]))  # type: ignore[arg-type]  # `is_row` saw it


def _history_of(damaged: apsw.Connection, longest: int, done: Salvage) -> Iterator[tuple[Any, ...]]:
    """The lines of the history, likewise, in their order as far as that is known. `longest`: the columns of a line of today."""
    gaps, seen = done.gaps, set()
    for values in _read(damaged, "history", HISTORY, done):
        if is_history(values):
            seen.add(values[0])
            yield values
    if done.gaps > gaps:
        # Columns that were added to the table come last, and a line that is older than one is shorter.
        leaves = (one for length in range(len(HISTORY), longest + 1) for one in _leaves(damaged, length))
        lines = ((one.rowid, (one.rowid, *one.values[1 : len(HISTORY)])) for one in leaves)
        found = {rowid: line for rowid, line in lines if is_history(line)}
        yield from (found[rowid] for rowid in sorted(found.keys() - seen))


def _leaves(damaged: apsw.Connection, columns: int) -> Iterator[Record]:
    return records(Path(damaged.filename), int(damaged.pragma("page_size")), columns)


def _read(damaged: apsw.Connection, table: str, columns: tuple[str, ...], done: Salvage) -> Iterator[tuple[Any, ...]]:
    reading = Reading(damaged, table, columns)
    yield from reading.rows()
    if reading.gaps:
        done.gaps += reading.gaps
        done.tables.append(table)


def _take_identity(replica: apsw.Connection, identity: tuple[Any, ...] | None) -> None:
    """The project of the damaged file, where it can be read: its id was given once, and its name counts if it has one."""
    if identity is None:
        return
    project, name, replica_id, acked_number = identity
    replica.execute("INSERT OR IGNORE INTO former_ids (replica_id, acked_number) VALUES (?, ?)", (replica_id, acked_number))
    replica.execute("UPDATE replica SET project_id = ?, project_name = coalesce(?, project_name)", (project, name))


def _take_rows(damaged: apsw.Connection, replica: apsw.Connection, done: Salvage) -> None:
    for entity in ENTITIES:
        insert = insert_sql(entity, verb="INSERT OR IGNORE")
        if entity is CONFIGURATION:
            found = list(_rows_of(damaged, entity, done))
            if found:  # it takes the place of the one with which a replica begins
                replica.execute(f"DELETE FROM {entity.table} WHERE id = ? OR updated_by IS NULL", (found[0][0],))
            rows = iter(found[:1])
        else:
            rows = _rows_of(damaged, entity, done)
        for values in rows:
            done.rows += _inserted(replica, insert, values)
    items: list[Any] = replica.execute("SELECT local_id, title, metadata, id FROM work_items").fetchall()
    fulltext.index_many(replica, (item[:3] for item in items))
    derive_paths(replica, [item[3] for item in items])


def _inserted(replica: apsw.Connection, insert: str, values: tuple[Any, ...]) -> bool:
    """A row that a strict table refuses is damaged itself."""
    try:
        replica.execute(insert, values)
    except (apsw.ConstraintError, apsw.MismatchError, UnicodeEncodeError):
        return False
    return replica.changes() > 0


def _take_history(damaged: apsw.Connection, replica: apsw.Connection, done: Salvage) -> dict[int, int]:
    """Returns which line of the damaged file is which one here."""
    columns = ", ".join(HISTORY[1:])
    insert = f"INSERT INTO history ({columns}) VALUES ({', '.join('?' * (len(HISTORY) - 1))})"
    lines: dict[int, int] = {}
    longest = int(replica.execute("SELECT count(*) FROM pragma_table_info('history')").get)
    for old_id, *values in _history_of(damaged, longest, done):
        if _inserted(replica, insert, tuple(values)):
            lines[old_id] = replica.last_insert_rowid()
    done.changes = len(lines)
    return lines


def _take_outbox(damaged: apsw.Connection, replica: apsw.Connection, lines: dict[int, int], done: Salvage) -> None:
    # Acts of the damaged file stay apart from those that are here already.
    first = -1 - int(replica.execute("SELECT coalesce(max(abs(txn)), 0) FROM outbox").get)
    for old_id, number, txn, base_version in _read(damaged, "outbox", _OUTBOX, done):
        if old_id not in lines:
            done.waiting_lost += 1
            continue
        replica.execute(
            "INSERT INTO outbox (history_id, number, txn, base_version) VALUES (?, ?, ?, ?)",
            (lines[old_id], number, first - txn, base_version),
        )
        done.waiting += 1


def _take_conflicts(damaged: apsw.Connection, replica: apsw.Connection, done: Salvage) -> None:
    columns = ", ".join(CONFLICT_COLUMNS)
    insert = f"INSERT OR IGNORE INTO {CONFLICT_TABLE} ({columns}) VALUES ({', '.join('?' * len(CONFLICT_COLUMNS))})"
    for values in _read(damaged, CONFLICT_TABLE, tuple(CONFLICT_COLUMNS), done):
        if is_conflict(values):
            _inserted(replica, insert, values)


def _restore_waiting_rows(replica: apsw.Connection, done: Salvage) -> None:
    """A row that was created here and has never reached the server is made again from the changes that wait."""
    for name, row_id in sorted(outbox.waiting_rows(replica)):
        entity = ENTITY.get(name)
        if entity is None or replica.execute(f"SELECT EXISTS (SELECT 1 FROM {entity.table} WHERE id = ?)", (row_id,)).get:
            continue
        changes = outbox.of_row(replica, name, row_id)
        if changes and changes[0][0].base_version == 0:
            done.rows += _made_again(replica, entity, changes)


def _made_again(replica: apsw.Connection, entity: Entity, changes: list[tuple[Mutation, Fields]]) -> bool:
    (first, fields), *rest = changes
    row = decide(entity, first, fields, None).row
    assert row is not None, "a creation of what is not there is accepted"
    if rest:
        row = rebase(entity, rest, row)
    if entity is WORK_ITEM:
        row |= {"path": row["id"], "depth": 0}
    made = _inserted(
        replica, insert_sql(entity, verb="INSERT OR IGNORE"), tuple(row[column] for column in written_columns(entity))
    )
    if made and entity is WORK_ITEM:
        fulltext.index(replica, replica.last_insert_rowid(), row["title"], row["metadata"], is_new=True)
        derive_paths(replica, [row["id"]])
    return made
