"""The log's own tables: who may not write them changes nothing there, and odd values of who may are put right.

Counterpart of `test_sync_odd_values`, which leaves out the keys of the history. No check can keep a role that writes the log
from stopping its own project by the numbers. It stops no other project, no replica loses anything by it, and what
`localfirst doctor --verify --fix` does brings everybody on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from localfirst_schema.entities import ENTITIES, WORK_ITEM
from localfirst_schema.errors import LocalfirstError
from localfirst_schema.identifiers import project_id
from localfirst_sync.postgres import gaps, numbers
from localfirst_sync.postgres.connection import Connection, connect
from sync_laptop import PROJECT_NAME, Laptop, NewLaptop, laptops
from test_sync_odd_values import KEYS, VALUES, acting_as

OTHER = "example.org/team/other"
MAIN_ID, OTHER_ID = project_id(PROJECT_NAME), project_id(OTHER)

LAST = f"(SELECT max(seq) FROM localfirst.history WHERE project_id = '{MAIN_ID}')"
THROWN = {
    "history": f"project_id = '{MAIN_ID}' AND seq = {LAST}",
    "project_heads": f"project_id = '{MAIN_ID}'",
    "replicas": f"project_id = '{MAIN_ID}'",
    "push_receipts": f"project_id = '{MAIN_ID}'",
    "projects": f"id = '{MAIN_ID}'",
}
"""The tables by which replicas know where they are, and which of their rows is changed."""

LINE = (
    "INSERT INTO localfirst.history (project_id, seq, tag, entity, entity_id, version, at, outcome, fields)"
    " VALUES ({project_id}, {seq}, {tag}, 'work_item', gen_random_uuid(), 1, now(), 'accepted', '{{}}')"
)
LINE_OF = {"project_id": f"'{MAIN_ID}'", "seq": f"{LAST} + 1", "tag": "7"}

DIGESTS = ["''", "'\\x00'", "decode(repeat('ff', 1000), 'hex')", "NULL"]
TRIES = 4
"""So many rounds a laptop needs at most: one may find that the server was set back, the next one that others were quicker."""


@pytest.fixture
def psql(server: Connection, database_url: str) -> Iterator[Connection]:
    connection = connect(database_url)
    yield connection
    connection.close()


@pytest.fixture
def laptop(tmp_path: Path, database_url: str) -> Iterator[NewLaptop]:
    with laptops(tmp_path, database_url) as new:
        yield new


def columns(psql: Connection, table: str) -> list[tuple[str, str]]:
    found: list[Any] = psql.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'localfirst' AND table_name = %s"
        " AND is_generated = 'NEVER' ORDER BY ordinal_position",
        (table,),
    ).fetchall()
    return found


def values(kind: str) -> list[str]:
    """The odd values of a type, but for the large ones; of ids also those of both projects."""
    known = VALUES.get(kind, DIGESTS if kind == "bytea" else ["NULL"])
    more = [f"'{MAIN_ID}'", f"'{OTHER_ID}'"] if kind == "uuid" else []
    return [value for value in (*known, *more) if "000000)" not in value]


def statements(psql: Connection) -> Iterator[tuple[str, str]]:
    """What it does in a few words, and the statement. What else a line of the history may hold is the counterpart's."""
    for table, rows in THROWN.items():
        for column, kind in columns(psql, table):
            if table == "history" and column not in {*KEYS, "replica_id", "number"}:
                continue
            for value in values(kind):
                yield f"{table}.{column} = {value}", f"UPDATE localfirst.{table} SET {column} = {value} WHERE {rows}"
    types = dict(columns(psql, "history"))
    for column in LINE_OF:
        for value in values(types[column]):
            yield f"a line with {column} = {value}", LINE.format(**LINE_OF | {column: value})


def try_to_sync(one: Laptop) -> LocalfirstError | None:
    """Rounds until one goes through; else what the last one said. Nothing but what is said in words may come."""
    said: LocalfirstError | None = None
    for _ in range(TRIES):
        try:
            one.sync()
        except LocalfirstError as error:
            said = error
        else:
            return None
    return said


def assert_goes_on(one: Laptop, what: str) -> None:
    said = try_to_sync(one)
    assert said is None, (what, one.path.name, said)


def put_right(psql: Connection, team: dict[str, list[Laptop]]) -> None:
    """As `localfirst doctor --verify --fix` does it, on one laptop of each project."""
    for project, some in team.items():
        numbers.put_in_order(psql, project)
        gaps.fill(psql, some[0].local.identity(), [])


def work(one: Laptop) -> str:
    return one.create(WORK_ITEM, item_type="task", title=one.path.name, status="active", metadata={})


@pytest.mark.parametrize("grade", ["reader", "application"])
def test_who_may_not_write_the_log_changes_nothing_of_it(psql: Connection, laptop: NewLaptop, grade: str) -> None:
    ann = laptop("ann")
    work(ann)
    ann.sync()
    tables: list[Any] = psql.execute(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'localfirst'::regnamespace AND relkind = 'r'"
    ).fetchall()
    others = {table for (table,) in tables} - {entity.table for entity in ENTITIES}
    assert THROWN.keys() < others
    tried = [statement for _, statement in statements(psql)]
    tried += [f"DELETE FROM localfirst.{table}" for table in others] + [f"TRUNCATE localfirst.{table}" for table in others]
    tried += [f"UPDATE localfirst.{table} SET {column} = {column}" for table in others for column, _ in columns(psql, table)]
    tried += [f"INSERT INTO localfirst.{table} DEFAULT VALUES" for table in others]
    may = "SELECT has_any_column_privilege(%s, 'INSERT, UPDATE') OR has_table_privilege(%s, 'DELETE, TRUNCATE, TRIGGER')"
    with acting_as(psql, grade):
        for table in others:
            name = f"localfirst.{table}"
            assert psql.execute(may, (name, name)).fetchone() == (False,), table
        for statement in tried:
            with pytest.raises(psycopg.DatabaseError):
                psql.execute(statement.encode())


@pytest.mark.nightly
def test_odd_values_in_the_log_stop_its_own_project_at_most_and_are_put_right(
    psql: Connection, laptop: NewLaptop, database_url: str, tmp_path: Path
) -> None:
    with contextlib.closing(Laptop(tmp_path / "elsewhere", OTHER, database_url)) as elsewhere:
        team = {MAIN_ID: [laptop("ann"), laptop("bob")], OTHER_ID: [elsewhere]}
        everybody = [one for some in team.values() for one in some]
        made: dict[str, set[str]] = {project: set() for project in team}
        for one in everybody:
            work(one)
            one.sync()
        taken, stopped = 0, set[str]()
        for what, statement in statements(psql):
            with acting_as(psql, "laptop"):
                try:
                    if not psql.execute(statement.encode()).rowcount:
                        continue
                except psycopg.DatabaseError:
                    continue
            taken += 1
            for project, some in team.items():
                made[project] |= {work(one) for one in some}
            refused = {one.path.name: said for one in everybody if (said := try_to_sync(one)) is not None}
            assert "elsewhere" not in refused or OTHER_ID in statement, what
            if refused:
                stopped.add(what)
                put_right(psql, team)
            elif OTHER_ID in statement:  # a line that came into the other's log would stop that one later alone
                numbers.put_in_order(psql, OTHER_ID)
            for one in (*everybody, *everybody):
                assert_goes_on(one, what)
            assert [one.local.pending_count() for one in everybody] == [0, 0, 0], what
        team[MAIN_ID].append(laptop("new"))
        put_right(psql, team)
        for project, some in team.items():
            for one in some:
                assert_goes_on(one, "in the end")
                assert made[project] <= {str(row["id"]) for row in one.displayed()["work_items"]}, one.path.name
        assert taken > 50
        assert stopped, "what no check can keep; the page on what is left says so"
        by_the_keys = {what for what in stopped if any(key in what for key in ("seq", "tag", "head", "project_id"))}
        assert stopped == by_the_keys
