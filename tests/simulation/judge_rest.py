"""What must be true of a replica after each step, and of everything once the network is whole and all have synced."""

from __future__ import annotations

from collections import Counter
from typing import Any

import apsw
from localfirst_schema.entities import ENTITIES, ENTITY, WORK_ITEM, Role
from localfirst_schema.json_merge import merge
from localfirst_schema.limits import TREE_DEPTH_MAX
from localfirst_sync.conflict import CONFLICT
from localfirst_sync.lease import FREE, held
from localfirst_sync.ports import CONFLICT_COLUMNS

from localfirst.replica import fulltext, outbox
from localfirst.replica.rows import find
from simulation.content import canonical, content, equal, parsed, spelled_alike, whole
from simulation.direct_sql import broken_structure
from simulation.judge_tools import judge_histories, judge_lists
from simulation.machine import Machine
from simulation.model import Key, Model, Write, key_of
from simulation.tables import Tables
from simulation.violation import hold

_CONFLICT_JSON = frozenset({"fields", "base", "mine", "theirs"})
_TERMS = "SELECT term, doc, col, offset FROM temp.{} ORDER BY 1, 2, 3, 4"


def judge_displayed(machine: Machine) -> None:
    """Versions never fall where somebody looks."""
    floor = machine.floor
    for entity in ENTITIES:
        for row_id, version in machine.connection.execute(f"SELECT id, version FROM {entity.table}"):
            key = entity.name, row_id
            before = floor.get(key, 0)
            if version != before:
                hold(version > before, "a version fell on a replica", machine.name, *key, before, version)
                floor[key] = version
                row = find(machine.connection, entity, row_id)
                assert row is not None
                machine.album.shows(entity, row)


def judge_undo(machine: Machine, act: list[Write]) -> None:
    """What an act has changed is as it was before, and what it has made is deleted. A claim goes on its own way where the act
    was about data, and a first one is given back."""
    displayed = machine.displayed()
    of_data = [write for write in act if not ENTITY[write.key[0]].is_lease]
    act = of_data or act
    for write in act:
        if sum(one.key[:2] == write.key[:2] for one in act) > 1:
            continue  # (of several changes of one row it is not written down what was between them)
        row, entity = displayed[write.key[:2]], ENTITY[write.key[0]]
        now = content(entity, row) or {}
        if write.base is None and entity.is_lease:
            hold(held(row) == FREE, "an undo leaves a claim", machine.name, *write.key)
        elif write.base is None:
            hold(row["deleted_at"] is not None, "an undo leaves what was made", machine.name, *write.key)
        else:
            unlike = [name for name, value in write.base.items() if not equal(now[name], value)]
            hold(not unlike, "an undo leaves something", machine.name, *write.key, unlike)


def judge_pull(machine: Machine, tables: Tables, contents: dict[tuple[str, str, int], Any], *, was_set_back: bool) -> None:
    """Just after a pull: rows are the server's, those with waiting changes carry them, and the cursor is not ahead."""
    connection = machine.connection
    cursor: Any = connection.execute("SELECT cursor_seq, cursor_tag FROM replica").fetchall()[0]
    cursor_seq, cursor_tag = cursor
    if was_set_back and not any(e.seq == cursor_seq and e.tag == cursor_tag for e in tables.history):
        return  # it was set back after it had answered and before the replica was done; the next round notices
    hold(0 < cursor_seq <= tables.head, "the cursor is beyond the log", machine.name)
    hold(tables.history[cursor_seq - 1].tag == cursor_tag, "the cursor's tag is another one's", machine.name)
    waiting = outbox.waiting_rows(connection)
    displayed = machine.displayed()
    for (name, row_id), row in displayed.items():
        if (name, row_id) not in waiting:
            confirmed = contents.get((name, row_id, row["version"]))
            hold(
                confirmed is not None and confirmed == content(ENTITY[name], row),
                "a row without waiting changes is not the server's", machine.name, name, row_id, row["version"],
            )  # fmt: skip
    newest: dict[tuple[str, str], int] = {}
    there: set[tuple[str, str]] = set()
    for entry in tables.history[:cursor_seq]:
        key = entry.entity, entry.entity_id
        newest[key] = max(entry.version, newest.get(key, 0))
        if entry.outcome != "lost":
            there.add(key)  # of a creation that was refused there is no row, until it is created again after the cursor
    for key, version in newest.items():
        if key[0] in ENTITY and key in there:
            hold(
                key in displayed and displayed[key]["version"] >= version,
                "the cursor is beyond what was applied",
                machine.name,
                *key,
            )
    for name, row_id in waiting:
        if name in ENTITY and (name, row_id) in displayed:
            _judge_waiting(machine, name, row_id, displayed[name, row_id])


def _judge_waiting(machine: Machine, name: str, row_id: str, row: dict[str, Any]) -> None:
    """Carrying out what waits on what is displayed changes nothing more. (Of a claim it is what the server will make of it.)"""
    if ENTITY[name].is_lease:
        return
    now = content(ENTITY[name], row) or {}
    again = dict(now)
    for _, fields in outbox.of_row(machine.connection, name, row_id):
        if any(change.get("blind") for change in fields.values()):
            return
        for column in fields.keys() & now.keys():
            old, new = fields[column]["old"], fields[column]["new"]
            is_json = column in ENTITY[name].json_columns
            again[column] = merge(old, new, again[column], [], overwrite=True) if is_json else new
    for column, value in again.items():
        is_time = column == "deleted_at" or ENTITY[name].by_name[column].role is Role.EARLIEST
        if is_time and now[column] is not None and value is not None:
            continue  # two times meet: that which the server will let stand is displayed
        is_so = equal(now[column], value) or spelled_alike(ENTITY[name], column, now[column], value)
        hold(is_so, "a waiting change is not displayed", machine.name, name, row_id, column, value, now[column])


def judge_rest(machines: list[Machine], tables: Tables, model: Model) -> None:
    """Everything is level: nothing is lost, nothing is there twice, and all say the same."""
    _judge_writes(model, tables)
    _judge_server(tables)
    judge_histories(machines[-1], model, tables)
    server_history = _server_history(tables)
    for machine in machines:
        hold(not outbox.count(machine.connection), "an outbox is not empty", machine.name)
        cursor = tuple(machine.connection.execute("SELECT cursor_seq, cursor_tag FROM replica").fetchall()[0])
        hold(cursor == (tables.head, tables.tag), "a replica is not at the head", machine.name, cursor, tables.head)
        _judge_rows(machine, tables)
        _judge_conflicts(machine, tables)
        _judge_history(machine, server_history)
        _judge_text(machine)
        judge_lists(machines[0], machine)
        hold(machine.connection.execute("PRAGMA integrity_check").get == "ok", "SQLite finds damage", machine.name)


def _judge_writes(model: Model, tables: Tables) -> None:
    found = Counter(key_of(e.entity, e.entity_id, e.by, e.at, e.fields) for e in tables.history)
    for key in model.writes:
        times = found[key]
        if not times and not _is_settled(key, tables, model):
            hold(key in model.may_be_gone, "an acknowledged write is gone", *key)
        # Once more for each copy of a file in which it waited: a copy that has to take a new id before the original has sent
        # the change brings it under that id, and the server has no reason to doubt the original's first attempt.
        hold(times <= 1 + model.copies[key], "an acknowledged write is there twice", times, *key)


def _is_settled(key: Key, tables: Tables, model: Model) -> bool:
    """Whether a write settled a conflict that is settled, by it or by another; or came too late to, and the conflict is there.
    Of a conflict that was brought back to a server that had lost it the history tells no more than that."""
    if key[0] != CONFLICT or key[1] not in tables.conflicts:
        return False
    return tables.conflicts[key[1]]["resolved_at"] is not None or key in model.settled_in_vain


def _judge_server(tables: Tables) -> None:
    objection = broken_structure(tables)
    hold(objection is None, "the structure is broken", objection)
    items = tables.rows[WORK_ITEM.name]
    for row in items.values():
        path, up = [row["id"]], row
        while up["parent_id"] is not None:
            up = items[up["parent_id"]]
            path.insert(0, up["id"])
        hold(row["path"] == "/".join(path) and row["depth"] == len(path) - 1 <= TREE_DEPTH_MAX, "a path is wrong", row["id"])
    for entity in ENTITIES:
        versions: dict[str, int] = {}
        for entry in tables.history:
            if entry.entity == entity.name:
                versions[entry.entity_id] = max(entry.version, versions.get(entry.entity_id, 0))
        for row_id, row in tables.rows[entity.name].items():
            hold(row["version"] == versions.get(row_id), "the log and the row differ in the version", entity.name, row_id)


def _judge_rows(machine: Machine, tables: Tables) -> None:
    displayed = machine.displayed()
    there = {(entity.name, row_id) for entity in ENTITIES for row_id in tables.rows[entity.name]}
    hold(displayed.keys() == there, "rows are on one side only", machine.name, sorted(displayed.keys() ^ there))
    for (name, row_id), row in displayed.items():
        entity = ENTITY[name]
        here, on_server = whole(entity, row), whole(entity, tables.rows[name][row_id])
        unlike = {column: (here[column], on_server[column]) for column in here if not equal(here[column], on_server[column])}
        hold(not unlike, "a row differs from the server's", machine.name, name, row_id, unlike)


def _judge_conflicts(machine: Machine, tables: Tables) -> None:
    query = f"SELECT {', '.join(CONFLICT_COLUMNS)} FROM conflicts"
    here = {str(row[0]): _conflict(dict(zip(CONFLICT_COLUMNS, row, strict=True))) for row in machine.connection.execute(query)}
    there = {row_id: _conflict(row) for row_id, row in tables.conflicts.items()}
    unlike = sorted(row_id for row_id in here | there if here.get(row_id) != there.get(row_id))
    hold(not unlike, "conflicts differ from the server's", machine.name, unlike)


def _conflict(row: dict[str, Any]) -> dict[str, Any]:
    return {name: parsed(value) if name in _CONFLICT_JSON else value for name, value in row.items()}


def _server_history(tables: Tables) -> Counter[tuple[Any, ...]]:
    return Counter(
        (e.entity, e.entity_id, e.version, e.by, e.at, e.outcome, canonical(e.fields))
        for e in tables.history
        if e.entity in ENTITY
    )


def _judge_history(machine: Machine, on_server: Counter[tuple[Any, ...]]) -> None:
    query = "SELECT entity, entity_id, version, by, at, outcome, fields FROM history WHERE entity <> 'conflict'"
    here = Counter((*row[:6], canonical(str(row[6]))) for row in machine.connection.execute(query))
    hold(not here - on_server, "a replica's history has what the server's has not", machine.name, list(here - on_server)[:2])
    hold(not on_server - here, "a replica's history lacks something", machine.name, list(on_server - here)[:2])


def _judge_text(machine: Machine) -> None:
    """The index holds just the words of the rows: compared with one that is made afresh."""
    connection = machine.connection
    hold(fulltext.is_consistent(connection), "the full text lacks rows, or has too many", machine.name)
    for sql in (
        "CREATE VIRTUAL TABLE temp.anew USING fts5 (title, body, content = '', contentless_delete = 1,"
        " tokenize = 'porter unicode61 remove_diacritics 2')",
        "CREATE VIRTUAL TABLE temp.terms_here USING fts5vocab(main, work_items_text, instance)",
        "CREATE VIRTUAL TABLE temp.terms_anew USING fts5vocab(temp, anew, instance)",
    ):
        connection.execute(sql)
    rows = connection.execute("SELECT local_id, title, metadata FROM work_items").fetchall()
    connection.executemany(
        "INSERT INTO temp.anew (rowid, title, body) VALUES (?, ?, ?)",
        [(local_id, title, fulltext.body_of(str(metadata))) for local_id, title, metadata in rows],
    )
    here, anew = _terms(connection, "terms_here"), _terms(connection, "terms_anew")
    for table in ("terms_here", "terms_anew", "anew"):
        connection.execute(f"DROP TABLE temp.{table}")
    hold(here == anew, "the full text is not that of the rows", machine.name, sorted(here ^ anew)[:4])


def _terms(connection: apsw.Connection, table: str) -> set[tuple[Any, ...]]:
    return set(connection.execute(_TERMS.format(table)))
