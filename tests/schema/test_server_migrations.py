"""A server that was migrated step by step, with data in it, equals one that was made at once."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from localfirst_sync.postgres import migrate as engine
from localfirst_sync.postgres.connection import connect
from postgres import Server

_CATALOG = """
    SELECT 'column', table_name || '.' || column_name, data_type || coalesce(column_default, '') || is_nullable
    FROM information_schema.columns WHERE table_schema = 'localfirst'
    UNION ALL
    SELECT 'constraint', conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'localfirst'::regnamespace
    UNION ALL
    SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'localfirst'
    UNION ALL
    SELECT 'function', oid::regprocedure::text, md5(pg_get_functiondef(oid)) FROM pg_proc
    WHERE pronamespace = 'localfirst'::regnamespace
    UNION ALL
    SELECT 'trigger', tgrelid::regclass || ' ' || tgname, pg_get_triggerdef(oid) FROM pg_trigger
    WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'localfirst.%'
    ORDER BY 1, 2
"""


def catalog(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as server:
        return server.execute(_CATALOG).fetchall()


def test_every_migration_has_a_number_of_its_own() -> None:
    assert [step.number for step in engine.migrations()] == list(range(1, len(engine.migrations()) + 1))


@pytest.mark.parametrize("steps", range(1, len(engine.migrations())))
def test_a_server_of_any_older_version_becomes_a_new_one_and_keeps_its_data(
    steps: int, postgres_server: Server, database_url: str
) -> None:
    with postgres_server.database(template="template0") as url:
        with psycopg.connect(url, autocommit=True) as old:
            old.execute(engine._PREPARE.encode())
            for step in engine.migrations()[:steps]:
                old.execute(step.sql.encode())
                old.execute(
                    "INSERT INTO localfirst.schema_migrations (number, name, sha256, protocol) VALUES (%s, %s, '', %s)",
                    (step.number, step.name, step.protocol),
                )
            old.execute("INSERT INTO localfirst.projects (id, name) VALUES (gen_random_uuid(), 'kept')")
        connection = connect(url)
        assert engine.migrate(connection) == len(engine.migrations()) - steps
        assert connection.execute("SELECT name FROM localfirst.projects").fetchall() == [("kept",)]
        connection.close()
        assert catalog(url) == catalog(database_url)
