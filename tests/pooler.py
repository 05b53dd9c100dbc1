"""PgBouncer before a PostgreSQL of the tests: the real program, as the user to whom the server's socket belongs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from cluster import not_here
from psycopg.conninfo import conninfo_to_dict, make_conninfo

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")

START_S = 10.0


@contextmanager
def pooler(url: str, mode: Literal["transaction", "session"], *, size: int = 3, more: str = "") -> Iterator[str]:
    """A way through PgBouncer to the database of `url`, over so many sessions of the server."""
    if PROGRAM is None:
        not_here("PgBouncer is not installed")
    given = conninfo_to_dict(url)
    host = str(given["host"])
    owner = Path(host).owner()
    if os.getuid() == 0 and shutil.which("runuser") is None:
        not_here("PgBouncer does not run as root, and there is no runuser to run it as another user")
    folder = Path(tempfile.mkdtemp(prefix="localfirst-test-pooler-", dir="/tmp"))
    try:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        (folder / "users").write_text(f'"{given["user"]}" ""\n"reader" ""\n')
        (folder / "ini").write_text(
            f"[databases]\n* = host={host} port={given.get('port') or 5432}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {folder}/users\n"
            f"pool_mode = {mode}\ndefault_pool_size = {size}\nmax_client_conn = 100\nserver_reset_query = DISCARD ALL\n{more}\n"
        )
        command = [PROGRAM, str(folder / "ini")]
        if os.getuid() == 0:
            shutil.chown(folder, owner)
            command = ["runuser", "-u", owner, "--", *command]
        with (folder / "log").open("wb") as log, subprocess.Popen(command, cwd="/", stdout=log, stderr=log) as program:
            try:
                _await_port(port, program, folder / "log")
                yield make_conninfo(url, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable")
            finally:
                program.terminate()
    finally:
        shutil.rmtree(folder)


def _await_port(port: int, program: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and program.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    pytest.fail(f"PgBouncer did not start: {log.read_text()}")
