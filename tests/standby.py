"""A primary and its asynchronous standby: two servers of Debian's PostgreSQL 15, made with its `pg_basebackup`."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psycopg
from cluster import DEBIAN_15, not_here
from psycopg.conninfo import make_conninfo
from waiting import until

_OPTIONS = "-c fsync=off -c full_page_writes=on -c max_connections=60 -c wal_keep_size=256MB -c listen_addresses=127.0.0.1"


class Node:
    """One server, not started yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]

    def url(self, database: str = "postgres") -> str:
        """The connection string of its superuser."""
        return make_conninfo(host="127.0.0.1", port=self.port, user="postgres", dbname=database, sslmode="disable")

    def make(self) -> None:
        """A new, empty server."""
        _as_postgres("initdb", "--auth=trust", "--no-sync", "--username=postgres", "--encoding=UTF8", "-D", str(self.data))

    def copy(self, primary: Node) -> None:
        """A standby of `primary`, in place of what was there."""
        shutil.rmtree(self.data, ignore_errors=True)
        _as_postgres(
            "pg_basebackup", "-R", "-X", "stream", "--no-sync", "-c", "fast", "-D", str(self.data), "-d", primary.url()
        )

    def start(self) -> None:
        """Starts it; what is there already decides whether it is a primary or a standby."""
        options = f"{_OPTIONS} -c port={self.port} -c unix_socket_directories={self.folder}"
        _as_postgres("pg_ctl", "start", "-w", "-D", str(self.data), "-l", str(self.folder / "log"), "-o", options)

    def promote(self) -> None:
        """Makes a primary of a standby, and waits until it is one."""
        _as_postgres("pg_ctl", "promote", "-w", "-D", str(self.data))

    def kill(self) -> None:
        """SIGKILL to all of its processes, as when the machine loses its power."""
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for process in (postmaster, *map(int, children)):
            with suppress(ProcessLookupError):  # it has ended by itself
                os.kill(process, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{postmaster}").exists(), 10.0)

    def stop(self) -> None:
        """Stops it, if it runs."""
        if (self.data / "postmaster.pid").exists():
            _as_postgres("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.data), check=False)


class Pair(NamedTuple):
    """Both run; the standby has all that the primary has."""

    primary: Node
    standby: Node

    def url(self, database: str, *, standby_first: bool = False) -> str:
        """One address with both as its hosts."""
        first, second = (self.standby, self.primary) if standby_first else (self.primary, self.standby)
        return make_conninfo(first.url(database), host="127.0.0.1,127.0.0.1", port=f"{first.port},{second.port}")

    def await_replay(self) -> None:
        """Waits until the standby has what the primary has at this moment."""
        with psycopg.connect(self.primary.url(), autocommit=True) as primary:
            row = primary.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
            assert row is not None
        with psycopg.connect(self.standby.url(), autocommit=True) as standby:
            until(lambda: standby.execute("SELECT pg_last_wal_replay_lsn() >= %s", row).fetchone() == (True,), 30.0)


@contextmanager
def pair() -> Iterator[Pair]:
    """A primary and its standby."""
    if not (DEBIAN_15 / "pg_basebackup").exists():
        not_here("Debian's PostgreSQL 15 is not installed")
    if os.getuid() != 0 or shutil.which("runuser") is None:
        not_here("only root may run Debian's PostgreSQL as its own user")
    folders = [Path(tempfile.mkdtemp(prefix="localfirst-test-pair-", dir="/tmp")) for _ in range(2)]
    for folder in folders:
        shutil.chown(folder, "postgres")
    made = Pair(*map(Node, folders))
    try:
        made.primary.make()
        made.primary.start()
        made.standby.copy(made.primary)
        made.standby.start()
        yield made
    finally:
        for node in made:
            node.stop()
        for folder in folders:
            shutil.rmtree(folder)


def _as_postgres(program: str, *arguments: str, check: bool = True) -> None:
    command = ["runuser", "-u", "postgres", "--", str(DEBIAN_15 / program), *arguments]
    subprocess.run(
        command, check=check, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
