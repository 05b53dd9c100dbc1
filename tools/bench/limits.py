"""What PostgreSQL's limits cost a direct writer: INSERT and UPDATE of many rows, with and without them, and the migration.

Without them is the same server whose ``_limit`` constraints were dropped; both take their turn in every round.
"""

from __future__ import annotations

import argparse
import sys
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent))

from localfirst_sync.postgres import migrate as engine
from localfirst_sync.postgres.connection import connect
from measure import figure, interleaved, table, timed
from place import own_server

_DROP = """
    DO $$
    DECLARE c record;
    BEGIN
        FOR c IN SELECT conrelid::regclass AS tab, conname FROM pg_constraint WHERE conname LIKE '%\\_limit' LOOP
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.tab, c.conname);
        END LOOP;
    END $$
"""
_INSERT = """
    INSERT INTO localfirst.work_items (item_type, title, metadata)
    SELECT 'task', 'Work item number ' || i, jsonb_build_object('priority', 'high', 'note', repeat('word ', %s))
    FROM generate_series(1, %s) AS i
"""
_UPDATE = "UPDATE localfirst.work_items SET status = CASE status WHEN 'active' THEN 'blocked' ELSE 'active' END"


def _database(admin: psycopg.Connection[tuple[object, ...]], uri: str, up_to: int | None = None) -> str:
    """A database with the migrations up to that number (None: all), and a project."""
    name = f"limits_{uuid.uuid4().hex}"
    admin.execute(f"CREATE DATABASE {name}".encode())
    url = psycopg.conninfo.make_conninfo(uri, dbname=name)
    connection = connect(url)
    if up_to is None:
        engine.migrate(connection)
    else:
        connection.execute(engine._PREPARE.encode())
        for step in engine.migrations():
            if step.number <= up_to:
                connection.execute(step.sql.encode())
                note = "INSERT INTO localfirst.schema_migrations (number, name, sha256, protocol) VALUES (%s, %s, '', 1)"
                connection.execute(note, (step.number, step.name))
    connection.execute("INSERT INTO localfirst.projects (id, name) VALUES (gen_random_uuid(), 'bench')")
    connection.close()
    return url


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--words", type=int, default=40, help="words of five letters in the metadata of each row")
    given = parser.parse_args()
    with own_server() as uri, psycopg.connect(uri, autocommit=True) as admin:
        limit = next(step.number for step in engine.migrations() if step.name == "limits")
        old = _database(admin, uri, limit - 1)
        with psycopg.connect(old, autocommit=True) as server:
            server.execute(_INSERT, (given.words, given.rows))
        connection = connect(old)
        took = timed(lambda: engine.migrate(connection))
        connection.close()
        sides = {"with": _database(admin, uri), "without": _database(admin, uri)}
        open_ = {name: psycopg.connect(url, autocommit=True) for name, url in sides.items()}
        open_["without"].execute(_DROP.encode())
        for server in open_.values():
            server.execute(_INSERT, (given.words, given.rows))
            server.execute(_UPDATE.encode())
        updates = interleaved({name: partial(one.execute, _UPDATE.encode()) for name, one in open_.items()}, given.rounds)
        insert: dict[str, Callable[[], Any]] = {
            name: partial(one.execute, _INSERT, (given.words, given.rows)) for name, one in open_.items()
        }
        inserts = interleaved(insert, given.rounds)
        both = ((f"UPDATE of {given.rows} rows, s", updates), (f"INSERT of {given.rows} rows, s", inserts))
        rows = [[what, *(str(figure(samples[name])) for name in ("without", "with"))] for what, samples in both]
        print(table("Limits", ["what", "without", "with"], rows))
        print(f"\nmigration over {given.rows} rows: {took:.2f} s")
        for server in open_.values():
            server.close()


if __name__ == "__main__":
    main()
