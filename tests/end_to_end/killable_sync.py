"""A sync of many queued changes in a process of its own, to be killed at any moment."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from contract.laptop import PROGRAM, Laptop

from localfirst.client.session import Session
from localfirst.operations.registry import BY_NAME
from localfirst.settings import load

ITEMS = 500
CHANGES = 2 * ITEMS

SYNC = """
import sys
from pathlib import Path
from localfirst.replica.connection import connect
from localfirst.replica.local_store import ReplicaStore
from localfirst_sync.lock import ReplicaLock
from localfirst_sync.postgres.store import PostgresStore
from localfirst_sync.round import sync_round

replica, url, batch = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
local = ReplicaStore(connect(replica))
remote = PostgresStore(url, local.identity())
remote.head()
print("ready", flush=True)
sync_round(local, remote, ReplicaLock(replica.with_name(f"{replica.name}.lock")), batch=batch)
print("done", flush=True)
"""
"""A sync in small batches, so that a kill meets it between any two of its steps; it says when it begins."""


def queue_changes(laptop: Laptop) -> None:
    """500 items created and then changed, by a client that has never seen the server."""
    environment = {k: v for k, v in laptop.environment.items() if k != "LOCALFIRST_DATABASE_URL"}
    session = Session(load(laptop.project, environment))
    session.replica.pragma("synchronous", "normal")  # the kill is of a process, not of the power
    create, update = BY_NAME["create_work_item"], BY_NAME["update_work_item"]
    for number in range(ITEMS):
        item = create.run(session, create.arguments.model_validate({"item_type": "task", "title": f"Item {number}"}))
        changed = {"id": item["id"], "version": 1, "status": "completed", "metadata": {"n": number}}
        update.run(session, update.arguments.model_validate(changed))
    session.close()


def start_sync(laptop: Laptop, url: str, batch: int) -> subprocess.Popen[str]:
    """Starts a sync. Whoever leaves its `with` block has waited for its end, and closed its pipe."""
    command = [sys.executable, "-c", SYNC, str(laptop.replica), url, str(batch)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=laptop.environment)


def sync_and_kill(laptop: Laptop, url: str, after_s: float, batch: int = 40) -> str:
    """Starts a sync, kills it `after_s` after it began, and returns what it had said."""
    with start_sync(laptop, url, batch) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        return said + process.stdout.read()


def sync_whole(laptop: Laptop) -> None:
    done = subprocess.run(
        [str(PROGRAM), "sync", "--json"],
        env=laptop.environment,
        cwd=laptop.project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
