"""Both stores hold what the entities say, however they came to be: begun anew, or migrated from an older version with data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
from localfirst_schema.entities import ENTITIES, Entity, Kind
from localfirst_sync.ports import CONFLICT_COLUMNS

from localfirst.replica.connection import connect
from localfirst.replica.migrate import LATEST, migrate, migrations
from localfirst.replica.opening import open_replica

_SQLITE_TYPE = {Kind.INTEGER: "INTEGER", Kind.BOOLEAN: "INTEGER"}
_POSTGRES_TYPES = {
    Kind.TEXT: {"text"},
    Kind.UUID: {"uuid"},
    Kind.INTEGER: {"bigint", "integer"},
    Kind.BOOLEAN: {"boolean"},
    Kind.JSON: {"jsonb"},
    Kind.TIMESTAMP: {"timestamp with time zone"},
}
_ONLY_HERE = {"local_id"}
"""What the replica has for itself."""


def sqlite_columns(connection: apsw.Connection, table: str) -> dict[str, str]:
    return {row[1]: row[2] for row in connection.execute(f"PRAGMA table_xinfo({table})") if row[1] not in _ONLY_HERE}


def postgres_columns(server: psycopg.Connection[Any], table: str) -> dict[str, str]:
    rows = server.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'localfirst' AND table_name = %s"
        " ORDER BY ordinal_position",
        (table,),
    ).fetchall()
    return {name: kind for name, kind in rows if name != "project_id"}


LOCAL = {("work_items", "ref")}
"""Columns that only a replica has: they are computed from others."""


@pytest.fixture
def replica(tmp_path: Path) -> apsw.Connection:
    return open_replica(tmp_path / "r.sqlite3", "team/board")


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_both_stores_have_the_columns_of_the_entity_in_its_order(
    entity: Entity, replica: apsw.Connection, database_url: str
) -> None:
    here = sqlite_columns(replica, entity.table)
    with psycopg.connect(database_url) as server:
        there = postgres_columns(server, entity.table)
    assert tuple(name for name in here if (entity.table, name) not in LOCAL) == tuple(there) == entity.column_names
    for column in entity.columns:
        assert here[column.name] == _SQLITE_TYPE.get(column.kind, "TEXT"), column.name
        assert there[column.name] in _POSTGRES_TYPES[column.kind], column.name


def test_conflicts_have_the_same_columns_in_both_stores(replica: apsw.Connection, database_url: str) -> None:
    with psycopg.connect(database_url) as server:
        there = postgres_columns(server, "conflicts")
    assert set(sqlite_columns(replica, "conflicts")) == set(CONFLICT_COLUMNS) <= set(there)


def test_every_key_in_postgresql_leads_with_the_project(database_url: str) -> None:
    query = """
        SELECT c.relname, i.indexrelid::regclass::text, a.attname
        FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
        JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS m ON m.oid = x.relam AND m.amname = 'btree'
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
        WHERE c.relnamespace = 'localfirst'::regnamespace
            AND c.relname NOT IN (
                'projects', 'schema_migrations', 'server_identity', 'deleted_projects', 'history_pending', 'history_markers',
                'tokens', 'token_projects', 'restricted_roles', 'role_projects'
            )
    """
    with psycopg.connect(database_url) as server:
        leading = server.execute(query).fetchall()
    assert leading
    assert [row for row in leading if row[2] != "project_id"] == []


def schema_of(connection: apsw.Connection) -> dict[str, str]:
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
    return {str(name): str(sql) for name, sql in rows}


def test_the_latest_number_is_that_of_the_last_file() -> None:
    assert [step.number for step in migrations()] == list(range(1, LATEST + 1))


@pytest.mark.parametrize("start", range(1, LATEST + 1))
def test_a_replica_migrated_from_any_older_version_equals_a_new_one_and_keeps_its_data(
    start: int, tmp_path: Path, replica: apsw.Connection
) -> None:
    path = tmp_path / "old.sqlite3"
    old = connect(path)
    for step in migrations()[:start]:
        for _ in old.execute(step.sql):
            pass
        old.pragma("user_version", step.number)
    old.execute(
        "INSERT INTO vendor_extractors (id, name, operational, metadata, version, created_at, updated_at)"
        " VALUES ('v', 'Kept', 1, '{}', 3, '2025', '2025')"
    )
    migrate(old, path)
    assert schema_of(old) == schema_of(replica)
    assert old.execute("SELECT name, version FROM vendor_extractors").fetchall() == [("Kept", 3)]
    assert old.pragma("user_version") == LATEST
    backups = list(tmp_path.glob("old.sqlite3.before-*"))
    assert len(backups) == (1 if start < LATEST else 0)
    old.close()


def test_a_replica_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite3"
    connection = connect(path)
    connection.pragma("user_version", LATEST + 1)
    with pytest.raises(Exception, match="upgrade localfirst"):
        migrate(connection, path)
    assert connection.execute("SELECT count(*) FROM sqlite_schema").get == 0


CASES = [
    ("work_items", "item_type", "'story'"),
    ("work_items", "title", "''"),
    ("work_items", "title", "repeat('x', 201)"),
    ("work_items", "status", "'done'"),
    ("work_items", "commit_hash", "'abc'"),
    ("work_items", "pr_number", "0"),
    ("work_items", "metadata", """'{"priority": "critical"}'"""),
    ("work_items", "metadata", """'{"estimated_hours": 1001}'"""),
    ("work_items", "metadata", "'[]'"),
    ("vendor_extractors", "metadata", """'{"test_results": {"passing": -1}}'"""),
    ("vendor_extractors", "metadata", """'{"extractor_version": ""}'"""),
    ("vendor_extractors", "name", "' padded'"),
    ("deployment_events", "metadata", """'{"commit_hash": "ABC"}'"""),
    ("deployment_events", "metadata", """'{"test_summary": {"passed": -1}}'"""),
    ("future_enhancements", "target_quarter", "'2026-Q1'"),
    ("future_enhancements", "priority", "'urgent'"),
]
_REQUIRED = {
    "work_items": {"item_type": "'task'", "title": "'t'"},
    "vendor_extractors": {"name": "'v'"},
    "deployment_events": {},
    "future_enhancements": {"title": "'e'"},
}


@pytest.mark.parametrize(("table", "column", "value"), CASES)
def test_what_the_tools_refuse_postgresql_refuses_too(table: str, column: str, value: str, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute("INSERT INTO localfirst.projects (id, name) VALUES (gen_random_uuid(), 'p')")
        values = {**_REQUIRED[table], column: value}
        insert = f"INSERT INTO localfirst.{table} ({', '.join(values)}) VALUES ({', '.join(values.values())})"
        with pytest.raises(psycopg.errors.CheckViolation):
            server.execute(insert.encode())
        good = _REQUIRED[table] or {"metadata": "'{}'"}
        server.execute(f"INSERT INTO localfirst.{table} ({', '.join(good)}) VALUES ({', '.join(good.values())})".encode())
