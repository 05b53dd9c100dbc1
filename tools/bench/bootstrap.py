"""The first fill of a new replica, beside the same rows copied out of PostgreSQL and put into SQLite with nothing around it.

    .venv/bin/python tools/bench/bootstrap.py [--rows 100000] [--rounds 3]

Every row has its line of history, as a project of the last 90 days has; both travel. The floor: `COPY` of the same columns,
unordered, drained; and the same rows, read before, inserted into a fresh SQLite file with the same keys, in transactions of
10 000 rows without waiting for the disk and with as much cache, and the same indexes built afterwards. The engine also stages,
keeps a place to go on from after each page, and swaps in. Each bootstrap runs in a process of its own, so that its peak of
memory is its own. The full text of the items follows the swap; it is timed by itself.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import apsw
from localfirst_schema.entities import WORK_ITEM
from localfirst_sync.lock import ReplicaLock
from localfirst_sync.postgres import snapshot
from localfirst_sync.postgres.connection import connect as connect_server
from localfirst_sync.postgres.store import PostgresStore
from localfirst_sync.round import sync_round
from measure import figure, table
from place import own_folder, own_server

from localfirst.replica import bootstrap
from localfirst.replica.connection import connect
from localfirst.replica.local_store import ReplicaStore
from localfirst.replica.migrate import migrate
from localfirst.replica.opening import open_replica
from sync import PROJECT, Side, seed

_HISTORY = ("entity", "entity_id", "version", "by", "at", "outcome", "fields")


def fill(path: Path, url: str) -> dict[str, float]:
    """One bootstrap in this process: seconds to the swap and to the last full text, MiB before and at the peak."""
    connection = open_replica(path, PROJECT)
    local = ReplicaStore(connection)
    remote = PostgresStore(url, local.identity())
    remote.head()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begin = time.perf_counter()
    swapped = 0.0
    index_text = local.index_text

    def at_swap(budget_s: float) -> bool:
        nonlocal swapped
        swapped = swapped or time.perf_counter() - begin
        return index_text(budget_s)

    local.index_text = at_swap  # type: ignore[method-assign]  # to see when it is called
    lock = ReplicaLock(path.with_suffix(".lock"))
    sync_round(local, remote, lock)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    while local.lacks_text():
        sync_round(local, remote, lock)
    return {"rows": swapped, "text": time.perf_counter() - begin, "before": before, "peak": peak}


def filled(path: Path, url: str) -> dict[str, float]:
    """`fill` in a process of its own."""
    command = [sys.executable, __file__, "--fill", str(path), url]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # what `fill` printed


def copy_out(url: str) -> float:
    """Seconds to drain the same columns by ``COPY``."""
    columns = snapshot.queries()[0].sql.split(" WHERE ")[0].removeprefix("COPY (")
    lines = snapshot.HISTORY_QUERY.sql.split(" WHERE ")[0].removeprefix("COPY (")
    connection = connect_server(url)
    begin = time.perf_counter()
    for query in (columns, lines):
        with connection.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT binary)".encode()) as copy:
            while copy.read():
                pass
    seconds = time.perf_counter() - begin
    connection.close()
    return seconds


def put_in(path: Path, source: Path) -> float:
    """Seconds to insert the rows of a filled replica into an empty one of the same schema; reading them does not count."""
    target = connect(path)
    migrate(target, path)
    target.pragma("synchronous", "normal")
    target.pragma("cache_size", -bootstrap.CACHE_KIB)
    target.pragma("temp_store", "default")
    target.pragma("wal_autocheckpoint", bootstrap.CHECKPOINT_PAGES)
    indexes = "SELECT name, sql FROM sqlite_schema WHERE sql LIKE 'CREATE INDEX%' AND tbl_name IN ('work_items', 'history')"
    later = target.execute(indexes).fetchall()
    for name, _ in later:
        target.execute(f"DROP INDEX {name}")
    read = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    seconds = 0.0
    for name, columns in (("work_items", WORK_ITEM.column_names), ("history", _HISTORY)):
        listed = ", ".join(columns)
        statement = f"INSERT INTO {name} ({listed}) VALUES ({', '.join('?' * len(columns))})"
        for rows in _chunks(read.execute(f"SELECT {listed} FROM {name}")):
            begin = time.perf_counter()
            with target:
                target.executemany(statement, rows)
            seconds += time.perf_counter() - begin
    begin = time.perf_counter()
    for _, definition in later:
        target.execute(str(definition))
    seconds += time.perf_counter() - begin
    target.close()
    read.close()
    return seconds


def _chunks(rows: Any) -> Any:
    while chunk := [row for row, _ in zip(rows, range(10_000), strict=False)]:
        yield chunk


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fill", nargs=2, metavar=("FILE", "URL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fill:
        print(json.dumps(fill(Path(arguments.fill[0]), arguments.fill[1])))
        return
    with own_folder() as folder, own_server() as url:
        side = Side(folder, "first", url)
        side.sync()
        side.close()
        seed(url, arguments.rows)
        engine, floor = [], []
        for number in range(arguments.rounds):
            path = folder / f"{number}.sqlite3"
            engine.append(filled(path, url))
            floor.append((copy_out(url), put_in(folder / f"floor-{number}.sqlite3", path)))
            for file in folder.glob(f"*{number}.sqlite3*"):
                file.unlink()
    out, into = [one for one, _ in floor], [other for _, other in floor]
    both = [sum(one) for one in floor]
    base = statistics.median(both)
    lines = [
        ("COPY out", str(figure(out)), ""),
        ("SQLite in", str(figure(into)), ""),
        ("the floor: both", str(figure(both)), "100 %"),
    ]
    for name, key in (("bootstrap, until the rows are there", "rows"), ("bootstrap, until their full text is there", "text")):
        lines.append(
            (name, str(figure([one[key] for one in engine])), f"{base / statistics.median(o[key] for o in engine):.0%}")
        )
    peak = max(one["peak"] for one in engine)
    lines.append(("memory of the process: before, peak (MiB)", f"{engine[0]['before']:.0f}, {peak:.0f}", ""))
    title = f"Bootstrap of {arguments.rows:,} rows and their history, seconds"
    print(table(title, ("what", "median (quartiles)", "speed against the floor"), lines))


if __name__ == "__main__":
    main()
