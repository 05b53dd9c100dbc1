"""A push, a pull and a first fill through `localfirst serve`, beside the same over PostgreSQL's own address.

    .venv/bin/python tools/bench/through_daemon.py [--push 10000] [--fill 100000] [--rounds 5]

Both ways take turns, over loopback, with replicas and rows alike; the daemon is a process of its own. What counts is the ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from localfirst_schema.entities import WORK_ITEM
from localfirst_sync.http.store import HttpStore
from localfirst_sync.lock import ReplicaLock
from localfirst_sync.ports import Identity, RemoteStore
from localfirst_sync.postgres import tokens
from localfirst_sync.postgres.connection import connect as connect_to
from localfirst_sync.postgres.store import PostgresStore
from localfirst_sync.round import sync_round
from measure import figure, table, timed
from place import own_folder, own_server

from localfirst.replica.act import act
from localfirst.replica.connection import connect
from localfirst.replica.local_store import ReplicaStore
from localfirst.replica.opening import open_replica
from localfirst.replica.rows import select
from sync import PROJECT, seed

END_S = 30.0


class Side:
    """A replica, and one way to the server."""

    def __init__(self, path: Path, url: str, token: str | None) -> None:
        self.replica = open_replica(path, PROJECT)
        self.local = ReplicaStore(connect(path))
        self.remote = _opened(url, token, self.local.identity())
        self._lock = ReplicaLock(path.with_name(f"{path.name}.lock"))

    def sync(self) -> object:
        """One round."""
        return sync_round(self.local, self.remote, self._lock)

    def change(self, rows: int, number: int) -> None:
        """Changes so many items in one act."""
        with act(self.replica, "bench") as one:
            for item in select(self.replica, WORK_ITEM, f"true ORDER BY id LIMIT {rows}"):
                one.change(WORK_ITEM, item, {"title": f"changed {number}"})

    def close(self) -> None:
        """Closes everything."""
        self.remote.close()
        self.local.close()
        self.replica.close()


def _opened(url: str, token: str | None, identity: Identity) -> RemoteStore:
    return PostgresStore(url, identity) if token is None else HttpStore(url, token, identity)


@contextmanager
def serving(database_url: str, folder: Path) -> Iterator[str]:
    """A daemon: its address."""
    environment = {**os.environ, "LOCALFIRST_DATABASE_URL": database_url, "HOME": str(folder)}
    command = [sys.executable, "-m", "localfirst", "serve", "--port", "0", "--json"]
    process = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(END_S)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--push", type=int, default=10_000)
    parser.add_argument("--fill", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with own_folder() as folder, own_server() as url:
        with closing(Side(folder / "first", url, None)) as first:
            first.sync()  # the project begins
        seed(url, max(arguments.push, arguments.fill))
        with closing(connect_to(url)) as administrator:
            secret = tokens.create(administrator, "bench", [PROJECT], "write", None).secret
        with serving(url, folder) as address:
            ways: dict[str, tuple[str, str | None]] = {"direct": (url, None), "daemon": (address, secret)}
            fills: dict[str, list[float]] = {name: [] for name in ways}
            for number in range(arguments.rounds):
                for name, way in ways.items():
                    with closing(Side(folder / f"fill-{name}-{number}", *way)) as side:
                        fills[name].append(timed(side.sync))
            pushes: dict[str, list[float]] = {name: [] for name in ways}
            small: dict[str, list[float]] = {name: [] for name in ways}
            sides = {name: Side(folder / f"push-{name}", *way) for name, way in ways.items()}
            for number in range(arguments.rounds):
                for name, side in sides.items():
                    side.sync()
                    side.change(arguments.push, 2 * number + (name == "daemon"))
                    pushes[name].append(timed(side.sync))
                for name, side in sides.items():
                    side.sync()
                    for again in range(20):
                        side.change(1, 10_000 + 20 * number + again)
                        small[name].append(timed(side.sync))
            for side in sides.values():
                side.close()
    lines = []
    for what, found in (
        (f"first fill of {arguments.fill:,} items", fills),
        (f"push of {arguments.push:,} changed items", pushes),
        ("push of one change", small),
    ):
        ratio = statistics.median(found["daemon"]) / statistics.median(found["direct"])
        lines.append((what, str(figure(found["direct"], 1e3)), str(figure(found["daemon"], 1e3)), f"{ratio:.2f}"))
    print(table("Through the daemon", ("what", "direct, ms", "through the daemon, ms", "ratio"), lines))


if __name__ == "__main__":
    main()
