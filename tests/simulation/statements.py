"""A connection to a PostgreSQL that is not there: it answers exactly the statements which the engine's server side sends.

The engine's own code runs above it unchanged (`localfirst_sync.postgres`: push, transaction, pull, rows, log, conflicts,
structure), so that what is simulated is the engine and not a copy of it. A statement that is not known here is an error: add
its meaning below. What several connections do to each other is reduced to locks that somebody holds (`Connection.held`): a
transaction begins and ends within one call, as the head's lock would make it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import msgspec
from localfirst_schema.entities import ENTITIES, VENDOR, WORK_ITEM, Entity
from localfirst_schema.wire import EMPTY_HASH, PROTOCOL_VERSION, Row
from localfirst_sync.conflict import CONFLICT
from localfirst_sync.ports import CONFLICT_COLUMNS, HistoryRow
from localfirst_sync.postgres import (
    conflicts,
    earlier_rounds,
    held,
    log,
    pull,
    restore,
    rows,
    snapshot,
    structure_facts,
    transaction,
)
from localfirst_sync.receipts import Receipt
from localfirst_sync.structure import Key
from psycopg import errors
from psycopg.pq import ExecStatus

from simulation.fate import Fate
from simulation.tables import Entry, Tables, jsonb_of

Answer = list[tuple[Any, ...]]
Handler = Callable[["Connection", Any], Answer]

_AT = HistoryRow._fields.index("at")
_CONFLICT_JSON = ("fields", "base", "mine", "theirs")
_decode, _encode = msgspec.json.decode, msgspec.json.encode


class Result:
    """A cursor with everything fetched."""

    def __init__(self, found: Answer) -> None:
        self._found = iter(found)

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row."""
        return next(self._found, None)

    def fetchall(self) -> Answer:
        """All rows that are left."""
        return list(self._found)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._found


class Connection:
    """The engine's connection.

    Attributes:
        tables: what is committed, and what the open transaction has written besides.
        held: rows that somebody else has locked.
        going: those of them that somebody deletes: nobody can refer to them anew either.
        on_commit: called with the tables before and after each transaction that wrote something.
    """

    def __init__(self, fate: Fate, on_commit: Callable[[Tables, Tables], None]) -> None:
        self.tables = Tables()
        self.held: set[Key] = set()
        self.going: set[Key] = set()
        self.on_commit = on_commit
        self.fate = fate
        self._before: Tables | None = None
        self._savepoint: Tables | None = None

    @contextmanager
    def pipeline(self) -> Iterator[None]:
        """Statements are answered at once."""
        yield

    def is_to_answer(self) -> None:
        """It has."""

    @contextmanager
    def cursor(self) -> Iterator[Connection]:
        """A cursor to stream from."""
        yield self

    @contextmanager
    def copy(self, query: bytes, arguments: Any) -> Iterator[SimpleNamespace]:
        """``COPY (…) TO STDOUT``."""
        found = self.execute(query.decode(), arguments)
        yield SimpleNamespace(set_types=lambda _: None, rows=lambda: iter(found))

    def stream(self, query: str, arguments: Any, size: int) -> Iterator[tuple[Any, ...]]:
        """All rows."""
        return iter(self.execute(query, arguments))

    pooled = False

    def execute(self, query: str | bytes, arguments: Any = None, **_: object) -> Result:
        """One statement."""
        query = query.decode() if isinstance(query, bytes) else query
        handler = _HANDLERS.get(query) or _recognised(query)
        return Result(handler(self, arguments))

    def begin(self, _: Any = None) -> Answer:
        """A transaction begins."""
        assert self._before is None, "a transaction was left open"
        self._before = self.tables
        self.tables = self.tables.copy()
        return []

    def commit(self, _: Any = None) -> Answer:
        """It ends well, or its constraints say no."""
        assert self._before is not None
        if len(self.tables.history) > len(self._before.history):
            self.tables.check_references()
            self._check_going(self._before)
        before, self._before = self._before, None
        if len(self.tables.history) > len(before.history):
            self.on_commit(before, self.tables)
        return []

    def _check_going(self, before: Tables) -> None:
        """The foreign keys lock what is referred to anew."""
        for entity in ENTITIES if self.going else ():
            for row_id, row in self.tables.rows[entity.name].items():
                old = before.rows[entity.name].get(row_id, {})
                for column, referenced in entity.references.items():
                    if row[column] != old.get(column) and (referenced, row[column]) in self.going:
                        raise errors.LockNotAvailable

    def save(self, _: Any = None) -> Answer:
        """``SAVEPOINT part``."""
        self._savepoint = self.tables.copy()
        return []

    def check(self, _: Any = None) -> Answer:
        """``SET CONSTRAINTS ALL IMMEDIATE``."""
        self.tables.check_references()
        return []

    def command(self, command: bytes) -> SimpleNamespace:
        """A command past the driver: a rollback."""
        if command == b"ROLLBACK":
            if self._before is not None:
                self.tables, self._before = self._before, None
        elif command == b"ROLLBACK TO SAVEPOINT part":
            assert self._savepoint is not None
            self.tables = self._savepoint.copy()
        else:
            raise AssertionError(command)
        return SimpleNamespace(status=ExecStatus.COMMAND_OK)


def _nothing(_: Connection, __: Any) -> Answer:
    return []


def _select(entity: Entity, lock: str) -> Handler:
    def answer(connection: Connection, arguments: Any) -> Answer:
        table = connection.tables.rows[entity.name]
        found = [table[row_id] for row_id in sorted(arguments[1]) if row_id in table]
        if "SKIP LOCKED" in lock:
            locked = connection.going if "KEY SHARE" in lock else connection.held
            found = [row for row in found if (entity.name, row["id"]) not in locked]
        elif lock and any((entity.name, row["id"]) in connection.held for row in found):
            raise errors.LockNotAvailable
        return [tuple(row.values()) for row in found]

    return answer


def _insert(entity: Entity) -> Handler:
    def answer(connection: Connection, arguments: Any) -> Answer:
        for record in _decode(arguments[1]):
            if record["id"] in connection.tables.rows[entity.name]:
                raise errors.UniqueViolation(f"{entity.table}_pkey")
            connection.tables.put(entity, _stored(entity, dict.fromkeys(entity.column_names), record))
        return []

    return answer


def _update(entity: Entity) -> Handler:
    def answer(connection: Connection, arguments: Any) -> Answer:
        for record in _decode(arguments[0]):
            row = connection.tables.rows[entity.name][record["id"]]
            connection.tables.put(entity, _stored(entity, row, record))
        return []

    return answer


def _stored(entity: Entity, row: Row, record: Row) -> Row:
    stored = {**row, **record}
    for name in entity.json_columns & record.keys():
        if record[name] is not None:
            stored[name] = jsonb_of(record[name])
    return stored


def _derive_paths(connection: Connection, arguments: Any) -> Answer:
    before = connection.tables.rows[WORK_ITEM.name].copy()
    connection.tables.derive_paths(list(arguments[1]))
    after = connection.tables.rows[WORK_ITEM.name]
    held_items = {row_id for name, row_id in connection.held if name == WORK_ITEM.name}
    if any(after[row_id] is not before[row_id] for row_id in held_items & before.keys()):
        raise errors.LockNotAvailable
    return []


def _head(connection: Connection, _: Any) -> Answer:
    return [(connection.tables.head, connection.tables.tag)]


def _replica(connection: Connection, arguments: Any) -> Answer:
    known = connection.tables.replicas.get(arguments[1])
    return [(PROTOCOL_VERSION, *(known or (None, None, None)))]


def _receipts(connection: Connection, arguments: Any) -> Answer:
    receipts = connection.tables.receipts.get(arguments[1], {})
    return [tuple(receipts[first]) for first in sorted(receipts) if receipts[first].last_number > arguments[2]]


def _write_history(connection: Connection, arguments: Any) -> Answer:
    _, tag, replica_id, via, entries = arguments
    log_now = connection.tables.history
    for e in _decode(entries):
        if e["seq"] != len(log_now) + 1:
            raise errors.UniqueViolation("history_pkey")
        log_now.append(
            Entry(
                e["seq"], tag, e["entity"], e["entity_id"], e["version"], e["by"], e["at"], e["outcome"],
                jsonb_of(e["fields"]), replica_id, e["number"], via,
            )
        )  # fmt: skip
    return []


def _finish(connection: Connection, a: Any) -> Answer:
    tables = connection.tables
    if tables.head != a["head"]:
        tables.head, tables.tag = a["head"], a["tag"]
    tables.replicas[a["replica"]] = (a["epoch"], a["last_number"], a["last_hash"])
    receipts = tables.receipts.setdefault(a["replica"], {})
    if a["first_number"] in receipts:
        raise errors.UniqueViolation("push_receipts_pkey")
    for first in [first for first, receipt in receipts.items() if receipt.last_number <= a["acked_number"]]:
        del receipts[first]
    receipts[a["first_number"]] = Receipt(a["first_number"], a["last_number"], a["hashes"], a["verdicts"])
    return [("",)]


def _fence(connection: Connection, arguments: Any) -> Answer:
    _, replica, epoch = arguments
    before, last_number, last_hash = connection.tables.replicas.get(replica, (0, 0, EMPTY_HASH))
    connection.tables.replicas[replica] = (max(before, epoch), last_number, last_hash)
    return []


def _knows(connection: Connection, arguments: Any) -> Answer:
    _, seq, tag = arguments
    there = connection.tables.history
    return [(0 < seq <= len(there) and there[seq - 1].tag == tag,)]


def _brought(connection: Connection, a: Any) -> Answer:
    ids, lines = set(a["ids"]), connection.tables.history[a["seq"] :]
    brought = (e for e in lines if e.entity_id in ids and e.number is None and e.replica_id is not None)
    return [(e.entity, e.entity_id, e.version, e.by, e.at, e.outcome, e.fields) for e in brought]


def _lines(connection: Connection, arguments: Any) -> Answer:
    ids = set(arguments[1])
    found = [e for e in connection.tables.history if e.entity_id in ids]
    found.sort(key=lambda e: (e.entity_id, e.version, e.seq))
    return [(e.entity, e.entity_id, e.version, e.by, e.at, e.outcome, e.fields) for e in found]


def _versions(connection: Connection, arguments: Any) -> Answer:
    ids, found = set(arguments[1]), dict[Key, int]()
    for e in connection.tables.history:
        if e.entity_id in ids:
            found[e.entity, e.entity_id] = max(e.version, found.get((e.entity, e.entity_id), 0))
    return [(*key, version) for key, version in found.items()]


def _counts(connection: Connection, _: Any) -> Answer:
    logged = connection.tables.history
    lines = Counter((e.entity, e.entity_id) for e in logged)
    accepted = Counter((e.entity, e.entity_id) for e in logged if e.outcome == "accepted")
    versions: Counter[tuple[str, str]] = Counter()
    for e in logged:
        versions[e.entity, e.entity_id] += e.version
    return [(*key, count, accepted[key], versions[key]) for key, count in lines.items()]


def _move_head(connection: Connection, a: Any) -> Answer:
    connection.tables.head, connection.tables.tag = a["head"], a["tag"]
    return [("",)]


def _conflicts_by_id(connection: Connection, arguments: Any) -> Answer:
    there = connection.tables.conflicts
    return [_with_version(connection, there[one]) for one in arguments[1] if one in there]


def _open_conflicts(connection: Connection, arguments: Any) -> Answer:
    _, row_ids, replica_id, _, opened = arguments
    return [
        _with_version(connection, row)
        for row in connection.tables.conflicts.values()
        if (row["entity_id"] in row_ids and row["resolved_at"] is None and row["replica_id"] == replica_id)
        or row["id"] in opened
    ]


def _with_version(connection: Connection, row: Row) -> tuple[Any, ...]:
    versions = [entry.version for entry in connection.tables.history if entry.entity_id == row["id"]]
    return (*(row[name] for name in CONFLICT_COLUMNS), max(versions, default=None))


def _write_conflicts(connection: Connection, arguments: Any) -> Answer:
    for record in _decode(arguments[1]):
        row = dict.fromkeys(CONFLICT_COLUMNS) | record
        row |= {name: jsonb_of(row[name]) for name in _CONFLICT_JSON}
        earlier = connection.tables.conflicts.get(row["id"])
        row["created_at"] = earlier["created_at"] if earlier else row["created_at"] or connection.fate.now()
        connection.tables.conflicts[row["id"]] = row
    return []


def _referenced(entity: Entity) -> Handler:
    def answer(connection: Connection, arguments: Any) -> Answer:
        table = connection.tables.rows[entity.name]
        found = [table[row_id] for row_id in arguments[1] if row_id in table]
        path = ("path",) if entity is WORK_ITEM else ()
        return [(row["id"], row["deleted_at"] is None, *(row[name] for name in path)) for row in found]

    return answer


def _live_parents(connection: Connection, a: Any) -> Answer:
    def has_live_child(item: str) -> bool:
        return any(row["deleted_at"] is None and row["id"] not in a["touched"] for row in connection.tables.children(item))

    return [(item,) for item in a["ids"] if has_live_child(item)]


def _below(connection: Connection, a: Any) -> Answer:
    found: dict[tuple[str, str], None] = {}
    level = list(a["ids"])
    for _ in range(6):
        below = [(row["id"], item) for item in level for row in connection.tables.children(item)]
        level = [row_id for row_id, _ in below]
        found |= dict.fromkeys(below)
    return list(found)


def _reachable(connection: Connection, a: Any) -> Answer:
    waits = connection.tables.waits()
    awaited = {waited_for for _, _, waited_for in waits}
    followed = [end for waiting, end in zip(a["waiting"], a["waited_for"], strict=True) if waiting in awaited]
    reached, stack = set[str](), a["ids"] + followed
    while stack:
        item = stack.pop()
        if item not in reached:
            reached.add(item)
            stack += [waited_for for _, waiting, waited_for in waits if waiting == item]
    return [wait for wait in waits if wait[1] in reached]


def _pull_head(connection: Connection, a: Any) -> Answer:
    tables = connection.tables
    known = 0 < a["seq"] <= len(tables.history) and tables.history[a["seq"] - 1].tag == a["tag"]
    return [(tables.head, tables.tag, known)]


def _log(connection: Connection, a: Any) -> Answer:
    return [_logged(entry) for entry in connection.tables.history[a["seq"] :]]


def _few_of_log(connection: Connection, a: Any) -> Answer:
    return _log(connection, a)[: pull.SMALL + 1]


def _logged(e: Entry) -> tuple[Any, ...]:
    return e.seq, e.entity, e.entity_id, e.version, e.by, e.at, e.outcome, e.fields, e.replica_id, e.number, e.via


def _pulled(name: str, row: Row) -> tuple[Any, ...]:
    if name == VENDOR.name:
        row = {**row, "operational": int(row["operational"])}
    return tuple(row.values())


def _by_ids(name: str) -> Handler:
    def answer(connection: Connection, arguments: Any) -> Answer:
        table = _table(connection, name)
        return [_pulled(name, table[row_id]) for row_id in arguments[1] if row_id in table]

    return answer


def _rows_of_few(connection: Connection, a: Any) -> Answer:
    if len(_few_of_log(connection, a)) > pull.SMALL:
        return []
    return [
        (place, _encode(row).decode())
        for place, (name, *_) in enumerate(pull._tables())
        for row in _changed(name)(connection, a)
    ]


def _filled(connection: Connection, _: Any) -> Answer:
    return [tuple(bool(_table(connection, name)) for name, *_ in pull._tables())]


def _changed(name: str) -> Handler:
    def answer(connection: Connection, a: Any) -> Answer:
        changed = {entry.entity_id: None for entry in connection.tables.history[a["seq"] :] if entry.entity == name}
        return _by_ids(name)(connection, (None, list(changed)))

    return answer


def _everything(name: str) -> Handler:
    def answer(connection: Connection, _: Any) -> Answer:
        return [_pulled(name, row) for row in _table(connection, name).values()]

    return answer


def _everything_after(name: str) -> Handler:
    def answer(connection: Connection, a: Any) -> Answer:
        table = _table(connection, name)
        return [_pulled(name, table[row_id]) for row_id in sorted(table) if row_id > a["after"]]

    return answer


def _none_ended(connection: Connection, a: Any) -> Answer:
    """A push that was left open in the simulation goes with its connection."""
    return [(0,)]


def _recent_log(connection: Connection, a: Any) -> Answer:
    """A replica that begins, or begins again, is given the lines of so many days."""
    since = connection.fate.days_ago(pull.HISTORY_DAYS)
    return [row for row in _log(connection, a) if row[_AT] >= since]


def _recent_log_between(connection: Connection, a: Any) -> Answer:
    return [row for row in _recent_log(connection, a) if row[0] <= a["last"]]


def _table(connection: Connection, name: str) -> dict[str, Row]:
    return connection.tables.conflicts if name == CONFLICT else connection.tables.rows[name]


def _known() -> dict[str, Handler]:
    found: dict[str, Handler] = {
        transaction._BEGIN: Connection.begin,
        pull.BEGIN: Connection.begin,
        "BEGIN": Connection.begin,
        "COMMIT": Connection.commit,
        "SAVEPOINT part": Connection.save,
        "RELEASE SAVEPOINT part": _nothing,
        "SET CONSTRAINTS ALL IMMEDIATE": Connection.check,
        transaction._OPEN: _nothing,
        earlier_rounds.SIGN: _nothing,
        earlier_rounds.END: _none_ended,
        restore._AS_ENGINE: _nothing,
        pull.PATIENT: _nothing,
        transaction._DERIVE_PATHS: _derive_paths,
        log._LOCK_HEAD: _head,
        log._REPLICA: _replica,
        log._RECEIPTS: _receipts,
        log._WRITE_HISTORY: _write_history,
        log._FINISH: _finish,
        held.HEAD: _head,
        held.HURRY: _nothing,
        log._KNOWS: _knows,
        log._LINES: _lines,
        log._BROUGHT: _brought,
        log._COUNTS: _counts,
        log._FENCE: _fence,
        log._VERSIONS: _versions,
        log._MOVE_HEAD: _move_head,
        conflicts._BY_ID: _conflicts_by_id,
        conflicts._OPEN: _open_conflicts,
        conflicts._WRITE: _write_conflicts,
        structure_facts._LIVE_PARENTS: _live_parents,
        structure_facts.BELOW: _below,
        structure_facts._REACHABLE: _reachable,
        structure_facts._REFERENCED_ITEMS: _referenced(WORK_ITEM),
        pull.HEAD: _pull_head,
        pull._FEW_OF_LOG: _few_of_log,
        pull.rows_of_few(): _rows_of_few,
        snapshot.filled_query(): _filled,
        pull._RECENT_LOG: _recent_log,
        pull._ALL_OF_LOG: _log,
    }
    for entity in ENTITIES:
        found[structure_facts._REFERENCED.format(table=entity.table)] = _referenced(entity)
        found[rows._insert(entity)] = _insert(entity)
    for name, _, by_ids, changed, everything in pull._tables():
        found |= {by_ids: _by_ids(name), changed: _changed(name), everything: _everything(name)}
    for (name, *_), copied in zip(pull._tables(), snapshot.queries(), strict=True):
        found[copied.sql] = _everything_after(name)
    found[snapshot.HISTORY_QUERY.sql] = _recent_log_between
    return found


_HANDLERS = _known()


def _recognised(query: str) -> Handler:
    """The handler of a statement that is made of parts (which lock, which columns); found once."""
    for entity in ENTITIES:
        select = rows._select(entity, "")
        if query.startswith(select):
            return _HANDLERS.setdefault(query, _select(entity, query.removeprefix(select).strip()))
        if query.startswith(f"UPDATE localfirst.{entity.table} AS t SET "):
            return _HANDLERS.setdefault(query, _update(entity))
    raise AssertionError(f"the simulated server does not know this statement: {query}")
