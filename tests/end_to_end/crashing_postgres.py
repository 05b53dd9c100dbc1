"""PostgreSQL made to crash, and waited for."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import psycopg


def kill_a_backend(url: str) -> None:
    """SIGKILL to the backend that serves the sync: PostgreSQL ends all others too, and recovers from its log."""
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'localfirst%'"
            for (pid,) in connection.execute(query).fetchall():
                with suppress(ProcessLookupError):  # it has just ended by itself
                    os.kill(pid, signal.SIGKILL)
    except psycopg.OperationalError:
        pass  # it is recovering from the kill before


def until_it_answers(url: str, seconds: float = 30) -> None:
    """Waits for the end of a restart."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
