"""Starting the worker: a process of its own session, with no descriptor, directory or parent of its client's.

The worker parts from the process that starts it (`__main__`), so that a client which ends its children, as MCP clients do
with a server's whole tree, does not end it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from localfirst_sync.supervised import Supervised

from localfirst.code_index.worker import lease
from localfirst.settings import Settings

logger = logging.getLogger("localfirst.worker")

PATIENCE_S = 3.0
"""How long a started worker is given to take the lease before another one is started."""

CHANGE_S = 5.0
"""How long a worker that was asked to end is waited for."""

CHANGE_LOOK_S = 0.05

_started_at: dict[Path, float] = {}
"""When this process last started a worker, by replica; by the monotonic clock."""


def ensure(settings: Settings) -> None:
    """Starts a worker unless one lives or has just been started. Returns at once; a start that fails is logged."""
    replica = settings.replica
    if time.monotonic() - _started_at.get(replica, -PATIENCE_S) < PATIENCE_S or lease.is_held(replica):
        return
    _started_at[replica] = time.monotonic()
    try:
        process = subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-P", "-m", "localfirst.code_index.worker", str(settings.root)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=Path(settings.root.anchor),
            env=_environment(settings),
        )
    except OSError:
        logger.exception("the worker could not be started; it is tried again")
        return
    # The child ends as soon as it has made the worker, and is to leave no entry in the process table.
    Supervised(partial(_await, process), "localfirst-worker-start").start()


def ensure_another(settings: Settings) -> None:
    """Starts a worker as soon as the one that was asked to end is gone; returns at once."""
    # Not a daemon: a command that only notes a job waits for this before it ends.
    Supervised(partial(_start_another, settings), "localfirst-worker-change", begins_again=False, daemon=False).start()


def _await(process: subprocess.Popen[bytes]) -> None:
    process.wait()


def _start_another(settings: Settings) -> None:
    deadline = time.monotonic() + CHANGE_S
    while lease.is_held(settings.replica) and time.monotonic() < deadline:
        time.sleep(CHANGE_LOOK_S)
    _started_at.pop(settings.replica, None)
    ensure(settings)


def _environment(settings: Settings) -> dict[str, str]:
    """This process's environment with the settings that it goes by, wherever it has them from."""
    given = {
        "LOCALFIRST_REPLICA": str(settings.replica.absolute()),
        "LOCALFIRST_PROJECT": settings.project,
        "LOCALFIRST_DATABASE_URL": settings.database_url,
        "LOCALFIRST_SERVER_URL": settings.server_url,
    }
    servers = ("LOCALFIRST_DATABASE_URL", "LOCALFIRST_SERVER_URL")  # of both one counts
    inherited = {name: value for name, value in os.environ.items() if name not in servers or not settings.has_server}
    return {**inherited, **{name: value for name, value in given.items() if value}}
