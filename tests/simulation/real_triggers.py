"""The model of the triggers held against a real PostgreSQL: the same statements, the same open transactions, the same pushes.

A plan made from a seed: people with psql insert, change, move and delete rows, in transactions of their own that stay open
while others commit, and a laptop pushes between them. Each statement goes to both when it is typed, and both see by then what
others have committed, and what their own transaction has written. That nobody else changes that meanwhile is PostgreSQL's part
(locks). After each commit rows (versions, paths, depths, tombstones) and the log (numbers, fields) are compared, and so is what
was refused, by a statement or at the commit.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import psycopg
from localfirst_schema.entities import ENTITIES, ENTITY, VENDOR, WORK_ITEM, WORK_ITEM_COMMENT, WORK_ITEM_DEPENDENCY, Kind
from localfirst_schema.identifiers import natural_id, project_id
from localfirst_schema.wire import EMPTY_HASH, Mutation, chain_hash, encode_json
from localfirst_sync.ports import Busy, Identity, Push, Pushed
from localfirst_sync.postgres.columns import pull_list
from localfirst_sync.postgres.connection import connect
from localfirst_sync.postgres.migrate import ensure_project
from localfirst_sync.postgres.push import push
from localfirst_sync.structure import Key
from postgres import Server
from psycopg import errors, sql

from simulation.direct_sql import Psql
from simulation.fate import Fate, ruled_by, seed_of
from simulation.statements import Connection as ModelConnection

STEPS = 60
SESSIONS = 3
"""So many people type at once."""

LOCK_TIMEOUT_MS = 100
"""Who has to wait for another one's rows gives up soon: everything here happens one after the other."""

_TIMES = ("created_at", "updated_at")
_ROWS = {
    entity.name: f"SELECT {pull_list(entity, 't')} FROM localfirst.{entity.table} AS t WHERE t.project_id = %s ORDER BY t.id"
    for entity in ENTITIES
}
_LOG = """
    SELECT seq, entity, entity_id::text, version, by, outcome, fields FROM localfirst.history WHERE project_id = %s ORDER BY seq
"""
_HEAD = "SELECT head FROM localfirst.project_heads WHERE project_id = %s"
_REFUSED = (errors.IntegrityError, errors.RaiseException)


class Differs(AssertionError):
    """The model and PostgreSQL say different things."""


class Statement(NamedTuple):
    """One statement; `values` are columns, JSON as Python objects."""

    kind: str
    entity: str
    id: str
    values: dict[str, Any]


class Session:
    """Somebody with psql, and what the open transaction has done so far; `twin` is the same transaction in the model."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url)
        self.connection.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
        self.connection.commit()
        self.done: list[Statement] = []
        self.twin: Psql | None = None
        self.going: set[Key] = set()

    @property
    def held(self) -> set[Key]:
        """The rows that the open transaction has named, or written: a move writes the paths below it."""
        return {(one.entity, one.id) for one in self.done} | (self.twin.written.keys() if self.twin else set())

    def end(self) -> list[Statement]:
        """The transaction is over: what it has done."""
        done, self.done, self.twin, self.going = self.done, [], None, set()
        return done


class Place:
    """A database, with the connections that all seeds use: the engine's, and those of the people with psql."""

    def __init__(self, url: str) -> None:
        self.server = connect(url)
        self.sessions = [Session(url) for _ in range(SESSIONS)]

    def close(self) -> None:
        """Closes the connections."""
        for connection in (self.server, *(session.connection for session in self.sessions)):
            connection.close()


class Twins:
    """One project in PostgreSQL and in the model.

    Attributes:
        counted: how often what happened.
    """

    def __init__(self, place: Place, seed: int) -> None:
        self._name = f"twins/{seed}"
        self._project = project_id(self._name)
        self._fate = Fate()
        self._dice = Random(seed_of("twins", seed))
        self._fate.dice = Random(seed_of("fate", seed))
        self._server = place.server
        ensure_project(self._server, self._project, self._name)
        self._model = ModelConnection(self._fate, lambda *_: None)
        with ruled_by(self._fate):
            Psql(self._model, self._project).run(_begins)
        self._sessions = place.sessions
        self._made = 0
        self._sent: list[Mutation] = []
        self._last_hash = EMPTY_HASH
        self._replica = natural_id("", "replica", str(seed))
        self.counted: Counter[str] = Counter()

    def run(self) -> None:
        """The whole plan. Raises `Differs`."""
        with ruled_by(self._fate):
            self._compare("the beginning")
            for step in range(STEPS):
                session = self._dice.choice(self._sessions)
                drawn = self._dice.random()
                if drawn < 0.25:
                    self._push(step)
                elif drawn < 0.65 or not session.done:
                    self._type(session)
                    if self._dice.random() < 0.4:
                        self._commit(session)
                elif drawn < 0.95:
                    self._commit(session)
                else:
                    session.connection.rollback()
                    session.end()
                    self.counted["rolled back"] += 1
            for session in self._sessions:
                self._commit(session)

    # psql

    def _type(self, session: Session) -> None:
        for _ in range(self._dice.choice((1, 1, 2, 3))):
            statement = self._statement(session)
            if statement is None:
                continue
            try:
                session.connection.execute(*_as_sql(self._project, statement))
                refusal = None
            except errors.LockNotAvailable:
                session.connection.rollback()
                session.end()
                self.counted["had to wait"] += 1
                return
            except _REFUSED as error:
                session.connection.rollback()
                refusal = error
            session.done.append(statement)
            session.twin = session.twin or Psql(self._model, self._project)
            taken = session.twin.type(lambda typed: _in_model(typed, statement))  # noqa: B023
            if taken is not (refusal is None):
                raise Differs(_unlike_answers(session.end(), refusal))
            if refusal is not None:
                session.end()
                self.counted["statements refused"] += 1
                return
            session.going |= {(statement.entity, statement.id)} if statement.kind == "delete" else set()

    def _statement(self, session: Session) -> Statement | None:
        """Something to type about rows that no other session holds."""
        dice = self._dice
        self._made += 1
        parents = [None, self._some(session, WORK_ITEM.name, held=True)]
        match dice.randrange(12):
            case 0 | 1 | 2:
                values: dict[str, Any] = {"item_type": "task", "title": f"typed {self._made}", "status": "active"}
                values |= {"metadata": {"n": self._made}, "parent_id": dice.choice(parents)}
                return Statement("insert", WORK_ITEM.name, self._new(), values)
            case 3:
                name = f"vendor {self._made}"
                made = natural_id(self._project, VENDOR.name, name)
                return Statement("insert", VENDOR.name, made, {"name": name, "operational": True, "metadata": {}})
            case 4:
                ends = self._some(session, WORK_ITEM.name, held=True), self._some(session, WORK_ITEM.name, held=True)
                kind = dice.choice(("depends_on", "blocks"))
                made = natural_id(self._project, WORK_ITEM_DEPENDENCY.name, *map(str, ends), kind)
                if None in ends or self._is_known(WORK_ITEM_DEPENDENCY.name, made):
                    return None
                values = {"work_item_id": ends[0], "depends_on_id": ends[1], "dependency_type": kind}
                return Statement("insert", WORK_ITEM_DEPENDENCY.name, made, values)
            case 5:
                item = self._some(session, WORK_ITEM.name, held=True)
                return (
                    Statement("insert", WORK_ITEM_COMMENT.name, self._new(), {"work_item_id": item, "body": "said"})
                    if item
                    else None
                )
            case 6:
                name = dice.choice((WORK_ITEM.name, WORK_ITEM.name, VENDOR.name, WORK_ITEM_DEPENDENCY.name))
                row_id = self._some(session, name)
                return Statement("delete", name, row_id, {}) if row_id else None
            case 7 | 8 | 9:
                item = self._some(session, WORK_ITEM.name)
                return Statement("update", WORK_ITEM.name, item, {"parent_id": dice.choice(parents)}) if item else None
            case 10:
                item = self._some(session, WORK_ITEM.name)
                options: list[dict[str, Any]] = [
                    {"title": f"changed {self._made}"}, {"title": "x" * 300}, {"status": dice.choice(("active", "blocked"))},
                    {"metadata": {"n": self._made, "deep": {"list": [1, None, "é"]}}}, {"deleted_at": None},
                    {"claimed_by": dice.choice((None, "psql"))},
                ]  # fmt: skip
                return Statement("update", WORK_ITEM.name, item, dice.choice(options)) if item else None
            case _:
                vendor = self._some(session, VENDOR.name)
                changes: list[dict[str, Any]] = [
                    {"operational": False}, {"operational": True, "deleted_at": None}, {"metadata": {"a": 1}},
                ]  # fmt: skip
                return Statement("update", VENDOR.name, vendor, dice.choice(changes)) if vendor else None

    def _some(self, session: Session | None, name: str, *, held: bool = False) -> str | None:
        """A committed row; `held`: also one that somebody else holds."""
        others = set[Key]().union(*(one.held for one in self._sessions if one is not session and not held))
        found = [row_id for row_id in sorted(self._model.tables.rows[name]) if (name, row_id) not in others]
        return self._dice.choice(found) if found else None

    def _is_known(self, name: str, row_id: str) -> bool:
        return row_id in self._model.tables.rows[name] or any((name, row_id) in one.held for one in self._sessions)

    def _new(self) -> str:
        return natural_id(self._project, "made", str(self._made))

    def _commit(self, session: Session) -> None:
        twin, done = session.twin, session.end()
        try:
            session.connection.commit()
            refusal = None
        except errors.LockNotAvailable:
            session.connection.rollback()
            self.counted["commits had to wait"] += 1
            return
        except _REFUSED as error:
            session.connection.rollback()
            refusal = error
        if twin is not None and twin.commit() is not (refusal is None):
            raise Differs(_unlike_answers(done, refusal))
        self.counted["commits" if refusal is None else "commits refused"] += bool(done)
        self._compare(f"{done}")

    # A laptop

    def _push(self, step: int) -> None:
        """A laptop's change of what is committed: a creation below something, a move, a change, a deletion."""
        change = self._change(step)
        if change is None:
            return
        row_id, base_version, fields = change
        mutation = Mutation(
            len(self._sent) + 1, len(self._sent) + 1, WORK_ITEM.name, row_id, base_version, base_version + 1, "ann",
            self._fate.now(), encode_json(fields),
        )  # fmt: skip
        hashed = chain_hash(self._last_hash, mutation)
        letter = Push(len(self._sent), self._last_hash, [mutation], [hashed])
        self._model.held = set[Key]().union(*(session.held for session in self._sessions))
        self._model.going = set[Key]().union(*(session.going for session in self._sessions))
        in_model, on_server = self._pushed(self._model, letter), self._pushed(self._server, letter)
        self._model.held, self._model.going = set(), set()
        if in_model != on_server:
            raise Differs(f"{mutation}: PostgreSQL answers {on_server}, the model {in_model}")
        if on_server:
            self._sent.append(mutation)
            self._last_hash = hashed
        self.counted["pushes" if on_server else "pushes that had to wait"] += 1
        self._compare(f"{mutation}")

    def _change(self, step: int) -> tuple[str, int, dict[str, Any]] | None:
        dice = self._dice
        if dice.random() < 0.4:
            values = {"item_type": "task", "title": f"pushed {step}", "status": "active", "metadata": {}}
            values |= {"parent_id": parent} if (parent := self._some(None, WORK_ITEM.name, held=True)) else {}
            return natural_id(self._project, "pushed", str(step)), 0, {n: {"old": None, "new": v} for n, v in values.items()}
        item = self._some(None, WORK_ITEM.name, held=dice.random() < 0.1)
        if item is None:
            return None
        row = self._model.tables.rows[WORK_ITEM.name][item]
        new: dict[str, Any] = {"title": f"pushed {step}"}
        if (drawn := dice.random()) < 0.6:
            new = {"parent_id": dice.choice((None, self._some(None, WORK_ITEM.name, held=True)))}
        elif drawn < 0.8:
            if row["deleted_at"] is not None:
                return None  # when it was deleted is said by PostgreSQL's clock, which the change would have to name
            new = {"deleted_at": self._fate.now()}
        ((name, value),) = new.items()
        return None if row[name] == value else (item, row["version"], {name: {"old": row[name], "new": value}})

    def _pushed(self, connection: Any, letter: Push) -> list[Any]:
        """The verdicts; none where rows are held."""
        try:
            answer: Pushed = push(connection, Identity(self._project, self._name, self._replica, 1), letter)
        except Busy:
            return []
        return list(answer.verdicts)

    # Comparing

    def _compare(self, after: str) -> None:
        tables, server = self._model.tables, self._server
        with server.pipeline():
            asked = [server.execute(_ROWS[entity.name].encode(), (self._project,), prepare=True) for entity in ENTITIES]
            log = server.execute(_LOG, (self._project,), prepare=True)
            head = server.execute(_HEAD, (self._project,), prepare=True)
        for entity, rows in zip(ENTITIES, asked, strict=True):
            found: list[Any] = rows.fetchall()
            there = {row[0]: _comparable(entity.name, dict(zip(entity.column_names, row, strict=True))) for row in found}
            here = {row_id: _comparable(entity.name, row) for row_id, row in tables.rows[entity.name].items()}
            if there != here:
                unlike = {i: (there.get(i), here.get(i)) for i in there | here if there.get(i) != here.get(i)}
                raise Differs(f"{entity.table} differ after {after}: (PostgreSQL, model) {unlike}")
        lines: list[Any] = log.fetchall()
        logged = [(*line[:6], _untimed(line[6])) for line in lines]
        model = [
            (e.seq, e.entity, e.entity_id, e.version, e.by, e.outcome, _untimed(json.loads(e.fields))) for e in tables.history
        ]
        if logged != model:
            first = next((pair for pair in zip(logged, model, strict=False) if pair[0] != pair[1]), (logged[-1:], model[-1:]))
            raise Differs(f"the logs differ after {after} ({len(logged)} and {len(model)} lines): (PostgreSQL, model) {first}")
        if head.fetchone() != (tables.head,):
            raise Differs(f"the heads differ after {after}")


def _unlike_answers(done: list[Statement], refusal: Exception | None) -> str:
    if refusal is None:
        return f"PostgreSQL takes {done}, the model does not"
    return f"PostgreSQL refuses {done} ({refusal}), the model does not"


def _begins(typed: Psql) -> None:
    """What a trigger makes for each project."""
    typed.insert(ENTITY["configuration"], active_context_type="feature", default_token_budget=200_000)


def _as_sql(project: str, one: Statement) -> tuple[sql.Composed, list[Any]]:
    table, entity = sql.Identifier("localfirst", ENTITY[one.entity].table), ENTITY[one.entity]
    values = [json.dumps(v) if n in entity.json_columns and v is not None else v for n, v in one.values.items()]
    if one.kind == "insert":
        names = ["project_id", "id", *one.values]
        columns = sql.SQL(", ").join(map(sql.Identifier, names))
        marks = sql.SQL(", ").join(sql.Placeholder() * len(names))
        return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(table, columns, marks), [project, one.id, *values]
    if one.kind == "delete":
        return sql.SQL("DELETE FROM {} WHERE project_id = %s AND id = %s").format(table), [project, one.id]
    sets = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in one.values)
    return sql.SQL("UPDATE {} SET {} WHERE project_id = %s AND id = %s").format(table, sets), [*values, project, one.id]


def _in_model(typed: Psql, one: Statement) -> None:
    entity = ENTITY[one.entity]
    if one.kind == "insert":
        typed.insert(entity, **{"id": one.id, **one.values})
    elif one.kind == "delete":
        typed.delete(entity, one.id)
    else:
        typed.update(entity, one.id, **one.values)


def _comparable(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row without what each clock says; JSON as objects."""
    entity = ENTITY[name]
    displayed = {column: value for column, value in row.items() if column not in _TIMES}
    for column in entity.columns:
        value = displayed.get(column.name)
        if column.kind is Kind.JSON and value is not None:
            displayed[column.name] = json.loads(value)
        elif column.kind is Kind.TIMESTAMP and column.name in displayed:
            displayed[column.name] = value is not None
        elif column.kind is Kind.BOOLEAN:
            displayed[column.name] = bool(value)
    return displayed


def _untimed(fields: dict[str, Any]) -> dict[str, Any]:
    """A line's fields without the times in them."""
    return {
        name: {side: value is not None for side, value in change.items()} if name.endswith("_at") else change
        for name, change in fields.items()
    }


def run_twins(place: Place, seed: int) -> Counter[str]:
    """Runs a seed against a database; returns how often what happened. Raises `Differs`."""
    twins = Twins(place, seed)
    try:
        twins.run()
    finally:
        for session in place.sessions:
            session.connection.rollback()
            session.end()
    return twins.counted


def run_all(seeds: Iterable[int]) -> int:
    """Runs seeds against a PostgreSQL of their own and says what came of it; 0 if the model and PostgreSQL agree."""
    began = time.monotonic()
    counted: Counter[str] = Counter()
    done = differ = 0
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            with server.database() as url, closing(Place(url)) as place:
                for seed in seeds:
                    done += 1
                    try:
                        counted += run_twins(place, seed)
                    except Differs as difference:
                        differ += 1
                        print(f"seed {seed}: {difference}", flush=True)
        finally:
            server.stop()
    logged = ", ".join(f"{number} {what}" for what, number in counted.most_common())
    print(f"{done} seeds against PostgreSQL, {differ} differ, {time.monotonic() - began:.0f} s: {logged}")
    return 1 if differ else 0
