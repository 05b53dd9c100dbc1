"""What a round costs as the project grows, and how soon a write is visible elsewhere.

    .venv/bin/python tools/bench/scale.py [--rows 1000 10000 100000] [--writes 300]

For each size: a round with nothing to do; a round that pushes, and one that pulls, one change; then all rows change, on the
replica (push) and by SQL (pull), in microseconds a row: a straight line is a constant. At the end a write on A, visible on B:
two processes, each with its sync loop, over one clock.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
from localfirst_schema.entities import WORK_ITEM
from localfirst_sync.loop import SyncLoop
from localfirst_sync.postgres.store import PostgresStore
from measure import figure, table, timed
from place import own_folder, own_server

from localfirst.replica.act import act
from localfirst.replica.connection import connect
from localfirst.replica.local_store import ReplicaStore
from localfirst.replica.opening import open_replica
from localfirst.replica.rows import find
from sync import PROJECT, Side, seed

ROUNDS = 200


def change_all(side: Side, title: str) -> None:
    """Changes every item on the replica, 500 an act, each an act of its own to the server; without waiting for the disk."""
    ids = [row_id for (row_id,) in side.connection.execute("SELECT id FROM work_items")]
    side.connection.pragma("synchronous", "off")
    for start in range(0, len(ids), 500):
        with act(side.connection, "bench") as open_act:
            for item in ids[start : start + 500]:
                open_act.change(WORK_ITEM, find(open_act.connection, WORK_ITEM, item), {"title": f"{title} {item}"})
    side.connection.execute("UPDATE outbox SET txn = number")
    side.connection.pragma("synchronous", "full")


def bench_size(folder: Path, rows: int) -> list[tuple[str, ...]]:
    """The table's line for one size, on a server of its own."""
    with own_server() as url:
        Side(folder, f"first-{rows}", url).sync()
        seed(url, rows)
        a, b = Side(folder, f"a-{rows}", url), Side(folder, f"b-{rows}", url)
        for side in (a, b):
            side.sync()
            while side.local.lacks_text():
                side.sync()
        nothing = [timed(a.sync) for _ in range(20 * ROUNDS)]
        item = a.connection.execute("SELECT id FROM work_items LIMIT 1").get
        push_one, pull_one = [], []
        for number in range(ROUNDS):
            with act(a.connection, "bench") as open_act:
                open_act.change(WORK_ITEM, find(open_act.connection, WORK_ITEM, item), {"title": f"One {number}"})
            push_one.append(timed(a.sync))
            pull_one.append(timed(b.sync))
        with psycopg.connect(url, autocommit=True) as psql:
            psql.execute("UPDATE localfirst.work_items SET title = 'Typed ' || id")
        pull_all = timed(b.sync)
        a.sync()
        change_all(a, "Pushed")
        push_all = timed(a.sync)
        assert a.local.pending_count() == 0
        a.close()
        b.close()
    each = [str(figure(times, 1e3)) for times in (nothing, push_one, pull_one)]
    return [(f"{rows:,}", *each, f"{push_all / rows * 1e6:,.0f}", f"{pull_all / rows * 1e6:,.0f}")]


def listen(path: Path, url: str, writes: int) -> None:
    """B: prints how long each of the writes took to be readable here, in milliseconds."""
    connection = open_replica(path, PROJECT)
    seen: dict[str, float] = {}
    enough = threading.Event()

    def look(_: object) -> None:
        reader = connect(path)
        for (title,) in reader.execute("SELECT title FROM work_items WHERE title LIKE 'at %'"):
            now = time.monotonic_ns()
            if title not in seen:
                seen[str(title)] = (now - int(str(title)[3:])) / 1e6
        reader.close()
        if len(seen) >= writes:
            enough.set()

    loop = _loop(path, url, look)
    loop.start()
    loop.first_contact.wait(30)
    print("ready", flush=True)
    if not enough.wait(120):
        raise SystemExit(f"only {len(seen)} of {writes} writes came")
    print(json.dumps(list(seen.values())))
    loop.stop(0)
    connection.close()


def bench_latency(folder: Path, writes: int) -> list[tuple[str, ...]]:
    """The table's line for a write on A that is visible on B."""
    with own_server() as url:
        path = folder / "writer.sqlite3"
        connection = open_replica(path, PROJECT)
        loop = _loop(path, url, None)
        loop.start()
        loop.first_contact.wait(30)
        command = [sys.executable, __file__, "--listen", str(folder / "reader.sqlite3"), url, str(writes)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline().strip() == "ready"
            for number in range(writes):
                with act(connection, "bench") as open_act:
                    values = {"item_type": "task", "status": "active", "metadata": {}}
                    row_id = f"{number:08x}-0000-4000-8000-000000000000"
                    title = f"at {time.monotonic_ns()}"
                    open_act.change(WORK_ITEM, None, {"id": row_id, "title": title, **values}, path=row_id, depth=0)
                loop.wake()
                time.sleep(0.05)
            times: list[float] = json.loads(reader.stdout.readline())
        loop.stop(0)
        connection.close()
    ordered = sorted(times)
    quantiles = [f"{ordered[int(len(ordered) * part)]:.1f}" for part in (0.5, 0.9, 0.99)]
    return [(f"{len(times)} writes, one every 50 ms", *quantiles, f"{statistics.mean(times):.1f}")]


def _loop(path: Path, url: str, on_round: Any) -> SyncLoop:
    return SyncLoop(
        open_local=lambda: ReplicaStore(connect(path)),
        open_remote=lambda identity: PostgresStore(url, identity),
        lock_path=path.with_suffix(".lock"),
        on_round=on_round,
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--writes", type=int, default=300)
    parser.add_argument("--listen", nargs=3, metavar=("FILE", "URL", "WRITES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.listen:
        listen(Path(arguments.listen[0]), arguments.listen[1], int(arguments.listen[2]))
        return
    with own_folder() as folder:
        lines = [line for rows in arguments.rows for line in bench_size(folder, rows)]
        headings = ("rows", "nothing to do, ms", "push one, ms", "pull one, ms", "push all, µs/row", "pull all, µs/row")
        print(table("A round, by the size of the project", headings, lines), flush=True)
        latency = bench_latency(folder, arguments.writes)
        print(table("A write on A, visible on B, ms", ("what", "p50", "p90", "p99", "mean"), latency))


if __name__ == "__main__":
    main()
