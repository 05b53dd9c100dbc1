"""Rows are made with odd values (INSERT, COPY, ON CONFLICT), and keys are changed, as each grade of role: nobody stops.

Counterpart of `test_sync_odd_values`, which changes rows that are there.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from localfirst_schema.entities import ENTITIES, WORK_ITEM
from localfirst_schema.identifiers import project_id
from localfirst_sync.ports import CONFLICT_TABLE
from localfirst_sync.postgres.connection import Connection, connect
from localfirst_sync.postgres.migrate import ensure_project
from sync_laptop import Laptop, NewLaptop, laptops
from test_sync_odd_values import GRADES, VALUES, acting_as
from test_sync_set_aside import UNCONSTRAINED

OTHER = "example.org/team/other"

CASES = [*((grade, True) for grade in GRADES), ("owner", False)]
"""Who throws, and whether PostgreSQL has its limits; on an older server it has not."""

Rows = Mapping[str, Mapping[str, str]]
"""Of each table the columns of a row that PostgreSQL takes, as SQL."""

ZONES = ("UTC", "Europe/Amsterdam", "<+167>-167:59", "<-167>+167:59")
"""Whoever writes has a time zone, and PostgreSQL prints times in it; of old, zones differed by seconds."""


class World:
    """Two projects, what is in the first of them, and the connection of whoever throws."""

    def __init__(self, psql: Connection, main: str, other: str) -> None:
        self.psql = psql
        self.main = main
        self.other = other
        self.item, self.to, self.vendor, self.deployment = (str(uuid.uuid4()) for _ in range(4))
        for item in (self.item, self.to):
            self._make("work_items", id=item, item_type="task", title="from")
        self._make("deployment_events", id=self.deployment)
        self._make("vendor_extractors", name="Alder")
        self.vendor = self.one("SELECT id::text FROM localfirst.vendor_extractors")

    def _make(self, table: str, **values: str) -> None:
        names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
        query = f"INSERT INTO localfirst.{table} (project_id, {names}) VALUES (%s, {marks})"
        self.psql.execute(query.encode(), (self.main, *values.values()))

    def one(self, query: str) -> Any:
        """The only value of a query."""
        [(value,)] = self.psql.execute(query.encode()).fetchall()
        return value

    def rows(self) -> Rows:
        """A row for each table, other than all before it where the table has an identity of its own."""
        new = "gen_random_uuid()"
        audit = {"created_by": "'eve'", "updated_by": "'eve'", "created_at": "now()", "updated_at": "now()", "version": "1"}
        own = {"project_id": f"'{self.main}'", "id": new, "deleted_at": "NULL", **audit}
        item = {
            "item_type": "'task'",
            "title": "'thrown'",
            "status": "'active'",
            "parent_id": f"'{self.item}'",
            "path": "'x'",
            "depth": "0",
            "branch_name": "'b'",
            "commit_hash": "repeat('a', 40)",
            "pr_number": "1",
            "metadata": "'{}'",
            "claimed_by": "NULL",
            "archived_at": "NULL",
        }
        vendor = {"name": "gen_random_uuid()::text", "operational": "true", "metadata": "'{}'"}
        return {
            "work_items": own | item,
            "work_item_dependencies": own
            | {"work_item_id": f"'{self.item}'", "depends_on_id": f"'{self.to}'", "dependency_type": "'depends_on'"},
            "work_item_claims": own
            | {"work_item_id": f"'{self.item}'", "claimed_by": "'thrown'", "claimed_until": "now() + interval '1 hour'"},
            "work_item_comments": own | {"work_item_id": f"'{self.item}'", "body": "'thrown'"},
            "vendor_extractors": own | vendor,
            "deployment_events": own | {"deployed_at": "now()", "metadata": "'{}'"},
            "vendor_deployment_links": own | {"deployment_id": f"'{self.deployment}'", "vendor_id": f"'{self.vendor}'"},
            "work_item_deployment_links": own | {"deployment_id": f"'{self.deployment}'", "work_item_id": f"'{self.item}'"},
            "future_enhancements": own
            | {
                "title": "'thrown'",
                "description": "'d'",
                "priority": "'low'",
                "status": "'planned'",
                "target_quarter": "'Q1 2026'",
                "requires_constitutional_principles": "'[]'",
            },
            "project_configuration": own
            | {
                "active_context_type": "'feature'",
                "current_session_id": f"'{self.item}'",
                "git_branch": "'b'",
                "git_head_commit": "repeat('a', 40)",
                "default_token_budget": "1000",
            },
            CONFLICT_TABLE: {
                "project_id": f"'{self.main}'",
                "id": new,
                "entity": "'work_item'",
                "entity_id": f"'{self.item}'",
                "fields": "'[\"title\"]'",
                "base": "'{}'",
                "mine": "'{}'",
                "theirs": "'{}'",
                "base_version": "1",
                "my_version": "2",
                "their_version": "2",
                "my_by": "'eve'",
                "their_by": "'eve'",
                "reason": "'fields'",
                "act_id": new,
                "replica_id": new,
                "created_at": "now()",
                "resolved_at": "NULL",
                "resolved_by": "NULL",
                "resolution": "NULL",
            },
            "history": {
                "entity": "'work_item'",
                "entity_id": f"'{self.item}'",
                "version": "1",
                "by": "'eve'",
                "at": "now()",
                "outcome": "'accepted'",
                "fields": "'{}'",
                "replica_id": "NULL",
                "number": "NULL",
                "via": "'the team'",
            },
        }

    def values(self, kind: str, column: str) -> list[str]:
        """The odd values of a type; of ids also those that something else has."""
        if kind != "uuid":
            return VALUES[kind]
        taken = [self.main, self.other, self.item, self.vendor, self.deployment]
        return [*VALUES[kind], *(f"'{one}'" for one in taken if column != "project_id" or one in taken[:2])]


@pytest.fixture
def laptop(tmp_path: Path, database_url: str) -> Iterator[NewLaptop]:
    with laptops(tmp_path, database_url) as new:
        yield new


@pytest.fixture
def world(server: Connection, project: str, database_url: str) -> Iterator[World]:
    ensure_project(server, project_id(OTHER), OTHER)
    psql = connect(database_url)
    yield World(psql, project, project_id(OTHER))
    psql.close()


def kinds(psql: Connection, table: str) -> dict[str, str]:
    found: list[Any] = psql.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'localfirst' AND table_name = %s",
        (table,),
    ).fetchall()
    return dict(found)


def is_small(value: str) -> bool:
    return "000000)" not in value


def insert(world: World, table: str, row: Mapping[str, str], column: str) -> None:
    """A row by INSERT. What replicas hear of by the log alone comes with a line of it."""
    names, values = ", ".join(row), ", ".join(row.values())
    if table == "history":
        query = (
            f"WITH moved AS (UPDATE localfirst.project_heads SET head = head + 1, tag = 7 WHERE project_id = '{world.main}'"
            f" RETURNING project_id, head) INSERT INTO localfirst.history (project_id, seq, tag, {names})"
            f" SELECT project_id, head, 7, {values} FROM moved"
        )
    elif table == CONFLICT_TABLE:
        query = (
            f"WITH made AS (INSERT INTO localfirst.conflicts ({names}) VALUES ({values}) RETURNING id, project_id), moved AS ("
            "UPDATE localfirst.project_heads AS p SET head = head + 1, tag = 7 FROM made AS m WHERE p.project_id = m.project_id"
            " RETURNING p.project_id, p.head, m.id)"
            " INSERT INTO localfirst.history (project_id, seq, tag, entity, entity_id, version, at, outcome, fields)"
            " SELECT project_id, head, 7, 'conflict', id, 1, now(), 'accepted', '{}' FROM moved"
        )
    else:
        query = f"INSERT INTO localfirst.{table} ({names}) VALUES ({values})"
    world.psql.execute(query.encode())


def insert_or_update(world: World, table: str, row: Mapping[str, str], column: str) -> None:
    """A row that is there already is changed by an INSERT."""
    names = ", ".join(row)
    there = {**row, "id": f"'{world.one(f'SELECT id FROM localfirst.{table} ORDER BY created_at LIMIT 1')}'"}
    if column == "id":
        there["id"] = row["id"]
    query = (
        f"INSERT INTO localfirst.{table} ({names}) VALUES ({', '.join(there.values())})"
        f" ON CONFLICT (project_id, id) DO UPDATE SET {column} = {row[column]}"
    )
    world.psql.execute(query.encode())


def change(world: World, table: str, row: Mapping[str, str], column: str) -> None:
    """A key is changed, which is refused, or does not come to it."""
    query = f"SELECT project_id, id FROM localfirst.{table} ORDER BY 1, 2"
    before = world.psql.execute(query.encode()).fetchall()
    world.psql.execute(f"UPDATE localfirst.{table} SET {column} = {row[column]}".encode())
    assert world.psql.execute(query.encode()).fetchall() == before


def copy(world: World, table: str, row: Mapping[str, str], column: str) -> None:
    """A row by COPY."""
    types = kinds(world.psql, table)
    texts = ", ".join(f"({value})::{types[name]}::text" for name, value in row.items())
    [given] = world.psql.execute(f"SELECT {texts}".encode()).fetchall()
    with (
        world.psql.cursor() as cursor,
        cursor.copy(f"COPY localfirst.{table} ({', '.join(row)}) FROM STDIN".encode()) as stream,
    ):
        stream.write_row(given)


WAYS: dict[str, Callable[[World, str, Mapping[str, str], str], None]] = {
    "insert": insert,
    "insert or update": insert_or_update,
    "copy": copy,
    "change": change,
}


def ways_of(table: str, column: str) -> list[str]:
    if table in (CONFLICT_TABLE, "history"):
        return ["insert"]
    return [*WAYS] if column in ("id", "project_id") else ["insert", "insert or update", "copy"]


def throw(world: World, grade: str, table: str, row: Mapping[str, str]) -> set[str]:
    """Makes rows with one odd value each; in which ways PostgreSQL has taken any."""
    taken = set()
    types = kinds(world.psql, table)
    with acting_as(world.psql, grade):
        for number, column in enumerate(row):
            world.psql.execute("SELECT set_config('TimeZone', %s, false)", (ZONES[number % len(ZONES)],))
            for value in [row[column], *world.values(types[column], column)]:
                for way in ways_of(table, column):
                    if way != "insert" and not is_small(value):
                        continue
                    with contextlib.suppress(psycopg.DatabaseError):
                        WAYS[way](world, table, {**row, column: value}, column)
                        taken.add(way)
    return taken


def assert_nobody_has_stopped(teams: Mapping[str, list[Laptop]], world: World, what: str) -> None:
    for project, team in teams.items():
        mine = {one.create(WORK_ITEM, item_type="task", title=one.path.name, status="active", metadata={}) for one in team}
        for one in (*team, *team):
            one.sync()
        [head] = world.psql.execute(
            "SELECT head, tag FROM localfirst.project_heads WHERE project_id = %s", (project,)
        ).fetchall()
        for one in team:
            assert one.local.cursor() == head, what
            assert one.local.pending_count() == 0, what
            assert mine <= {str(row["id"]) for row in one.displayed()["work_items"]}, what


def test_rows_are_made_in_every_table_with_every_column(world: World) -> None:
    tables = world.rows()
    assert tables.keys() == {*(entity.table for entity in ENTITIES), CONFLICT_TABLE, "history"}
    for table, row in tables.items():
        left_out = {"project_id", "seq", "tag"} if table == "history" else {"status"} if table == "vendor_extractors" else set()
        assert row.keys() == kinds(world.psql, table).keys() - left_out
    for table, row in tables.items():
        if table != "project_configuration":  # each project has its own from the beginning
            insert(world, table, row, "id")


@pytest.mark.parametrize(
    ("grade", "constrained"), CASES, ids=[f"{grade}, {'with' if limits else 'no'} limits" for grade, limits in CASES]
)
def test_nobody_stops(
    world: World, laptop: NewLaptop, database_url: str, tmp_path: Path, grade: str, constrained: bool
) -> None:
    elsewhere = Laptop(tmp_path / "elsewhere", OTHER, database_url)
    teams = {world.main: [laptop("ann"), laptop("bob"), laptop("carl")], world.other: [elsewhere]}
    try:
        for table, row in world.rows().items():
            if table != "project_configuration":
                insert(world, table, row, "id")
        assert_nobody_has_stopped(teams, world, "before")
        if not constrained:
            world.psql.execute(UNCONSTRAINED)
        taken: set[str] = set()
        for table, row in world.rows().items():
            taken |= throw(world, grade, table, row)
            assert_nobody_has_stopped(teams, world, table)
        teams[world.main].append(laptop("new"))
        assert_nobody_has_stopped(teams, world, "in the end")
        assert taken == ({*WAYS} if grade != "reader" else set()), "whoever may write could"
        aside = [one.replica.execute("SELECT count(*) FROM set_aside").get for team in teams.values() for one in team]
        if constrained or grade == "reader":
            assert aside == [0] * 5, "what PostgreSQL takes every replica can hold"
        else:
            assert max(aside) >= 5
    finally:
        elsewhere.close()
