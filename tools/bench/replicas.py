"""Many replicas at work on one PostgreSQL: throughput, lag, and whether anybody starves.

    .venv/bin/python tools/bench/replicas.py [--replicas 50] [--seconds 20] [--writes-per-second 2]

Each replica has its file and its sync loop; ten share a process. All change items of all by chance, so there are
merges and conflicts too. The lag of a change is the time from its writing until it is in another replica, by one clock; it is
taken for every change in every replica.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from localfirst_schema.entities import WORK_ITEM
from localfirst_sync.loop import SyncLoop
from localfirst_sync.postgres.store import PostgresStore
from measure import table
from place import own_folder, own_server

from localfirst.replica.act import act
from localfirst.replica.connection import connect
from localfirst.replica.local_store import ReplicaStore
from localfirst.replica.opening import open_replica
from localfirst.replica.rows import find
from sync import PROJECT, Side, seed

PER_PROCESS = 10
ITEMS = 1_000


class Replica:
    """One replica at work.

    Attributes:
        lags_ms: of every change of others that came.
        written: how many changes were made here.
    """

    def __init__(self, path: Path, url: str, seed: int) -> None:
        self._path = path
        self.name = path.stem
        self._dice = random.Random(seed)
        self.connection = open_replica(path, PROJECT)
        self._reader: Any = None
        self._last = 0
        self.lags_ms: list[float] = []
        self.written = 0
        self.loop = SyncLoop(
            open_local=lambda: ReplicaStore(connect(path)),
            open_remote=lambda identity: PostgresStore(url, identity),
            lock_path=path.with_suffix(".lock"),
            on_round=self._look,
        )

    def begin(self) -> None:
        """What is there already does not count."""
        self._last = self.connection.execute("SELECT coalesce(max(history_id), 0) FROM history").get
        self.lags_ms.clear()
        self.items = [row_id for (row_id,) in self.connection.execute("SELECT id FROM work_items ORDER BY id")]

    def write(self) -> None:
        """One change."""
        item = self._dice.choice(self.items)
        with act(self.connection, self.name) as open_act:
            title = f"{self.name} {self.written}"
            open_act.change(WORK_ITEM, find(open_act.connection, WORK_ITEM, item), {"title": title})
        self.written += 1
        self.loop.wake()

    def waiting(self) -> int:
        """How many changes wait."""
        return int(self.connection.execute("SELECT count(*) FROM outbox").get)

    def _look(self, _: object) -> None:
        if self._reader is None:
            self._reader = connect(self._path)
        now = datetime.now(UTC)
        query = "SELECT history_id, at FROM history WHERE history_id > ? AND by <> ?"
        for history_id, at in self._reader.execute(query, (self._last, self.name)).fetchall():
            self._last = max(self._last, history_id)
            self.lags_ms.append((now - datetime.fromisoformat(str(at))).total_seconds() * 1000)


def work(folder: Path, url: str, first: int, count: int, seconds: float, rate: float) -> None:
    """Some replicas in this process; prints what came of each."""
    replicas = [Replica(folder / f"r{number}.sqlite3", url, number) for number in range(first, first + count)]
    for replica in replicas:
        replica.loop.start()
    for replica in replicas:
        replica.loop.request(120)
    print("ready", flush=True)
    sys.stdin.readline()
    for replica in replicas:
        replica.begin()
    dice = random.Random(first)
    began = time.monotonic()
    due = sorted((dice.uniform(0, seconds), dice.randrange(count)) for _ in range(int(seconds * rate * count)))
    for at, number in due:
        if (pause := began + at - time.monotonic()) > 0:
            time.sleep(pause)
        replicas[number].write()
    ended = time.monotonic()
    while any(replica.waiting() for replica in replicas):
        time.sleep(0.01)
    emptied_s = time.monotonic() - ended
    print("written", flush=True)
    sys.stdin.readline()
    for replica in replicas:
        replica.loop.request(30)
        print(json.dumps({"written": replica.written, "lags_ms": replica.lags_ms, "emptied_s": emptied_s}), flush=True)
        replica.loop.stop(0)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replicas", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--writes-per-second", type=float, default=2, help="of each replica")
    parser.add_argument("--work", nargs=4, metavar=("FOLDER", "URL", "FIRST", "COUNT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        folder, url, first, count = arguments.work
        work(Path(folder), url, int(first), int(count), arguments.seconds, arguments.writes_per_second)
        return
    with own_folder() as folder, own_server() as url:
        side = Side(folder, "first", url)
        side.sync()
        side.close()
        seed(url, ITEMS)
        measure(folder, url, arguments)


def measure(folder: Path, url: str, arguments: argparse.Namespace) -> None:
    """Starts the processes, lets them work, and prints."""
    more = ["--seconds", str(arguments.seconds), "--writes-per-second", str(arguments.writes_per_second)]
    processes = []
    for first in range(0, arguments.replicas, PER_PROCESS):
        count = min(PER_PROCESS, arguments.replicas - first)
        command = [sys.executable, __file__, *more, "--work", str(folder), url, str(first), str(count)]
        processes.append((count, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)))
    try:
        found: list[dict[str, Any]] = []
        _all_say(processes, "ready")
        with psycopg.connect(url) as psql:
            before = _number(psql)
        began = time.monotonic()
        _tell_all(processes)
        _all_say(processes, "written")
        elapsed = time.monotonic() - began
        with psycopg.connect(url) as psql:
            pushed = _number(psql) - before
        _tell_all(processes)
        for count, process in processes:
            assert process.stdout is not None
            found += [json.loads(process.stdout.readline()) for _ in range(count)]
    finally:
        for _, process in processes:
            process.kill()
            process.wait()
    lags = sorted(lag for one in found for lag in one["lags_ms"])
    worst = sorted(sorted(one["lags_ms"])[int(len(one["lags_ms"]) * 0.99)] for one in found)
    received = [len(one["lags_ms"]) for one in found]
    lines = [
        ("changes written, and lines of the log that they became", f"{sum(one['written'] for one in found):,}, {pushed:,}"),
        ("pushed a second", f"{pushed / elapsed:,.0f}"),
        ("changes applied in replicas a second, in all", f"{len(lags) / elapsed:,.0f}"),
        ("lag, ms: p50, p90, p99, longest", ", ".join(f"{_at(lags, part):,.0f}" for part in (0.5, 0.9, 0.99, 1))),
        ("p99 of the lag, ms: best replica, worst replica", f"{worst[0]:,.0f}, {worst[-1]:,.0f}"),
        ("changes received: least, most", f"{min(received):,}, {max(received):,}"),
        ("last queue empty after the last write, s", f"{max(one['emptied_s'] for one in found):.2f}"),
    ]
    rate = arguments.writes_per_second
    title = f"{arguments.replicas} replicas, {rate:g} writes a second each, for {arguments.seconds:g} s"
    print(table(title, ("what", ""), lines))


def _at(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def _number(psql: psycopg.Connection[Any]) -> int:
    found = psql.execute("SELECT head FROM localfirst.project_heads").fetchone()
    assert found is not None
    return int(found[0])


def _all_say(processes: list[tuple[int, subprocess.Popen[str]]], word: str) -> None:
    for _, process in processes:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        assert said == word, said


def _tell_all(processes: list[tuple[int, subprocess.Popen[str]]]) -> None:
    for _, process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


if __name__ == "__main__":
    main()
