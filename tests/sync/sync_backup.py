"""A project in a database that can be dumped and restored, and what has to be true after it was."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import apsw
import psycopg
from end_to_end.stores import Rows, server_rows
from localfirst_schema.entities import ENTITIES
from localfirst_sync.postgres.connection import connect
from localfirst_sync.postgres.migrate import migrate
from postgres import Server
from sync_laptop import Laptop

Change = tuple[str, str | None, str, str]
"""(row, by, at, fields): what makes a change."""


class Database:
    """A database by name; copies of it stand for dumps."""

    def __init__(self, server: Server, url: str) -> None:
        self.server = server
        self.url = url
        self.name = url.split("?")[0].rsplit("/", 1)[1]
        self.dumps: list[str] = []

    def dump(self) -> str:
        """Copies the database as it is; returns the copy's name. Ends all connections."""
        name = f"{self.name}_{len(self.dumps)}"
        self.copy(self.name, name)
        self.dumps.append(name)
        return name

    def restore(self, dump: str) -> None:
        """Sets the database back to a dump."""
        self.server.execute(f"DROP DATABASE {self.name} WITH (FORCE)")
        self.copy(dump, self.name)

    def empty(self) -> None:
        """Takes away everything, the schema as well. Where laptops come by a daemon an administrator sets up the schema again,
        and their tokens: a laptop that has PostgreSQL's address does so by itself."""
        kept = self.execute("SELECT id, name, secret_hash, access FROM localfirst.tokens")
        projects = self.execute("SELECT token_id, name, name_key FROM localfirst.token_projects")
        self.execute("DROP SCHEMA localfirst CASCADE")
        if not kept:
            return
        with closing(connect(self.url)) as connection:
            migrate(connection)
        for one in kept:
            self.execute("INSERT INTO localfirst.tokens (id, name, secret_hash, access) VALUES (%s, %s, %s, %s)", *one)
        for one in projects:
            self.execute("INSERT INTO localfirst.token_projects (token_id, name, name_key) VALUES (%s, %s, %s)", *one)

    def execute(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Runs a statement by psql, as it were."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), arguments or None)
            return cursor.fetchall() if cursor.description else []

    def copy(self, source: str, target: str) -> None:
        """Copies a database that nobody is connected to afterwards."""
        for _ in range(20):
            self.server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{source}'")
            try:
                self.server.execute(f"CREATE DATABASE {target} TEMPLATE {source}")
            except psycopg.errors.ObjectInUse:
                continue
            return
        raise AssertionError("somebody connects again and again")


@contextmanager
def database(server: Server) -> Iterator[Database]:
    """A migrated database of one's own."""
    with server.database() as url:
        made = Database(server, url)
        yield made
        for dump in made.dumps:
            server.execute(f"DROP DATABASE {dump} WITH (FORCE)")


def replica_rows(laptop: Laptop) -> Rows:
    """All rows of a laptop's replica, JSON read."""
    found: Rows = {}
    for table, rows in laptop.displayed().items():
        json_columns = next(entity.json_columns for entity in ENTITIES if entity.table == table)
        found[table] = {
            row["id"]: row | {name: json.loads(row[name]) for name in json_columns if row[name] is not None} for row in rows
        }
    return found


def logged_by_replica(replica: apsw.Connection) -> Counter[Change]:
    """Every change of a row in a replica's history, queued ones too."""
    lines = replica.execute("SELECT entity_id, by, at, fields FROM history WHERE entity <> 'conflict'")
    return Counter((str(row), by, str(at), _plain(str(fields))) for row, by, at, fields in lines)


def logged_by_server(database: Database) -> Counter[Change]:
    """Every change of a row in the server's history."""
    lines = database.execute(
        "SELECT entity_id::text, by, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), fields::text"
        " FROM localfirst.history WHERE entity <> 'conflict'"
    )
    return Counter((row, by, at, _plain(fields)) for row, by, at, fields in lines)


def assert_level(database: Database, *laptops: Laptop) -> None:
    """PostgreSQL and all replicas hold the same rows and conflicts, and nothing waits or is numbered wrongly."""
    rows = server_rows(database.url)
    for laptop in laptops:
        assert laptop.local.pending_count() == 0
        here = replica_rows(laptop)
        for table, wanted in rows.items():
            differences = _differences(here[table], wanted)
            assert not differences, (laptop.path.name, table, differences)
    conflicts = {row for (row,) in database.execute("SELECT id::text FROM localfirst.conflicts WHERE resolved_at IS NULL")}
    for laptop in laptops:
        here_open = laptop.replica.execute("SELECT id FROM conflicts WHERE resolved_at IS NULL")
        assert {row for (row,) in here_open} == conflicts, laptop.path.name
    ((count, last, head),) = database.execute(
        "SELECT count(*), coalesce(max(seq), 0), (SELECT head FROM localfirst.project_heads) FROM localfirst.history"
    )
    assert count == last == head, "the numbers have no gap"


def _differences(here: dict[str, dict[str, Any]], there: dict[str, dict[str, Any]]) -> list[str]:
    found = [f"{row_id}: only in the replica" for row_id in here.keys() - there.keys()]
    found += [f"{row_id}: only on the server" for row_id in there.keys() - here.keys()]
    for row_id in here.keys() & there.keys():
        one, other = here[row_id], there[row_id]
        found += [f"{row_id}: {n} is {one[n]}, and {other[n]} on the server" for n in one if one[n] != other[n]]
    return found


def _plain(fields: str) -> str:
    return json.dumps(json.loads(fields), sort_keys=True)
