"""What direct SQL costs, and whom it keeps waiting: large updates beside a table without triggers, a chain of dependencies, a
large tree; and, against an older revision, the engine's own rounds.

    .venv/bin/python tools/bench/direct_sql.py [--rows 100000] [--chain 10000] [--rounds 3] [--against TREE]

`TREE` is a work tree of the older revision (`git worktree add TREE REVISION`). Its rounds run in a process of their own, with a
server and replicas of their own, and take turns with those of this revision.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.identifiers import new_id
from localfirst_sync.ports import Busy
from localfirst_sync.round import push_outbox
from measure import figure, table, timed
from place import own_folder, own_server

from localfirst.replica.act import act
from localfirst.replica.rows import find
from sync import Side, bench_direct, seed

MANY = 1_000
IDLE, ONE = 40, 10

_ID = "lpad(({})::text, 32, '0')::uuid"
_N, _NEXT, _LEAF, _PARENT = (_ID.format(n) for n in ("n", "n + %s", "900000000 + n", "900000000 + n / 10"))
_SERIES = "FROM generate_series(%s::integer, %s::integer) AS n"
_ITEMS = f"INSERT INTO localfirst.work_items (id, item_type, title) SELECT {_N}, 'task', 'n' {_SERIES}"
_LINKS = f"INSERT INTO localfirst.work_item_dependencies (work_item_id, depends_on_id) SELECT {_N}, {_NEXT} {_SERIES}"
_TREE = (
    "INSERT INTO localfirst.work_items (id, item_type, title, parent_id)"
    f" SELECT {_LEAF}, 'task', 'n', CASE WHEN n >= 10 THEN {_PARENT} END {_SERIES}"
)


class Rounds:
    """The engine's rounds between two replicas."""

    def __init__(self, folder: Path, url: str) -> None:
        self._a, self._b = Side(folder, "a", url), Side(folder, "b", url)
        self._a.sync()
        self._b.sync()
        self._number = 0
        self._items = [self._create() for _ in range(MANY)]
        self._a.sync()
        self._b.sync()

    def measured(self) -> dict[str, list[float]]:
        """Seconds of each kind of round."""
        taken: defaultdict[str, list[float]] = defaultdict(list)
        for _ in range(IDLE):
            _note(taken, "nothing to do", self._a)
        for _ in range(ONE):
            self._change(1)
            _note(taken, "push one change", self._a)
            _note(taken, "pull one change", self._b)
        self._change(MANY)
        _note(taken, f"push {MANY:,} changes", self._a)
        _note(taken, f"pull {MANY:,} changes", self._b)
        return taken

    def _create(self) -> str:
        values = {"id": new_id(), "item_type": "task", "title": "Task", "status": "active", "metadata": {"priority": "high"}}
        with act(self._a.connection, "bench") as open_act:
            row = open_act.change(WORK_ITEM, None, values, path=values["id"], depth=0)
        return str(row["id"])

    def _change(self, count: int) -> None:
        self._number += 1
        for item in self._items[:count]:
            with act(self._a.connection, "bench") as open_act:
                open_act.change(WORK_ITEM, find(open_act.connection, WORK_ITEM, item), {"title": f"Task {self._number}"})


def _note(taken: dict[str, list[float]], what: str, side: Side) -> None:
    """Notes the seconds of one round, and (on Linux) those that the processor has worked for it, here and in PostgreSQL: a busy
    machine makes the former long, and the latter hardly."""
    connection = side.remote._connection
    pid = None if connection is None else connection.info.backend_pid
    before = time.thread_time() + _worked(pid)
    taken[what].append(timed(side.sync))
    if pid is not None and side.remote._connection is connection:
        taken[f"{what}, processor"].append(time.thread_time() + _worked(pid) - before)


def _worked(pid: int | None) -> float:
    """Seconds that a process has worked."""
    schedule = Path(f"/proc/{pid}/schedstat")
    return int(schedule.read_text().split()[0]) / 1e9 if schedule.exists() else 0.0


def serve_rounds() -> None:
    """Measures once for each line that comes in, and answers with one."""
    with own_folder() as folder, own_server() as url:
        rounds = Rounds(folder, url)
        rounds.measured()
        print("ready", flush=True)
        for _ in sys.stdin:
            print(json.dumps(rounds.measured()), flush=True)


def bench_rounds(other: Path, rounds: int) -> list[tuple[str, ...]]:
    """This revision and the other one in turns."""
    here = Path(__file__).resolve().parents[2]
    processes = {name: _started(tree) for name, tree in (("this", here), ("other", other))}
    taken: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    try:
        for process in processes.values():
            process.stdout.readline()
        for number in range(rounds):
            for name, process in sorted(processes.items(), reverse=number % 2 == 1):  # who goes first pays for the pause
                process.stdin.write("\n")
                process.stdin.flush()
                for what, seconds in json.loads(process.stdout.readline()).items():
                    taken[what, name] += seconds
    finally:
        for process in processes.values():
            process.stdin.close()
            process.wait()
    found: list[tuple[str, ...]] = []
    for what in dict.fromkeys(what for what, _ in taken):
        new, old = figure(taken[what, "this"], 1e3), figure(taken[what, "other"], 1e3)
        found.append((what, str(new), str(old), f"{new.median / old.median:.2f}"))
    return found


def _started(tree: Path) -> Any:
    path = os.pathsep.join(str(tree / part) for part in ("", "sync", "schema"))
    command = [sys.executable, __file__, "--serve-rounds"]
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def bench_structure(folder: Path, url: str, chain: int, rows: int) -> list[tuple[str, ...]]:
    """Statement and commit of what is large, and the longest push of somebody else meanwhile."""
    found: list[tuple[str, ...]] = []
    with psycopg.connect(url) as psql:
        psql.execute(_ITEMS.encode(), (1, chain))
        psql.commit()
        middle, leaves = chain // 2, min(rows, 99_999)
        for what, statement, arguments in (
            (f"a chain of {chain:,} dependencies", _LINKS, (1, 1, chain - 1)),
            ("one more in the middle of it", _LINKS, (2, middle, middle)),
            (f"a tree of {leaves:,} items", _TREE, (1, leaves)),
        ):
            stated, committed, waited = _beside_pushes(folder, url, psql, statement, arguments)
            found.append((what, f"{stated:.2f}", f"{committed:.2f}", f"{waited:.2f}"))
    return found


def _beside_pushes(folder: Path, url: str, psql: Any, statement: str, arguments: Any) -> tuple[float, float, float]:
    """Seconds of the statement, of its commit, and of the longest push of a laptop that goes on pushing."""
    done, begun, longest = threading.Event(), threading.Event(), [0.0]

    def push_on() -> None:
        side = Side(folder, f"beside-{time.monotonic_ns()}", url)
        side.sync()
        while not done.is_set():
            with act(side.connection, "bench") as open_act:
                item = new_id()
                values = {"id": item, "item_type": "task", "title": "Beside", "status": "active", "metadata": {}}
                open_act.change(WORK_ITEM, None, values, path=item, depth=0)
            longest[0] = max(longest[0], timed(_patiently(side)))
            begun.set()
        side.close()

    pushing = threading.Thread(target=push_on)
    pushing.start()
    begun.wait()
    stated = timed(lambda: psql.execute(statement.encode(), arguments))
    committed = timed(psql.commit)
    done.set()
    pushing.join()
    return stated, committed, longest[0]


def _patiently(side: Side) -> Callable[[], None]:
    """A push as the loop makes it: again, when somebody kept the head for longer than a push waits."""

    def push() -> None:
        while True:
            try:
                with side.lock.held(1.0):
                    push_outbox(side.local, side.remote)
            except Busy:
                continue
            return

    return push


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--chain", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path, metavar="TREE")
    parser.add_argument("--serve-rounds", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve_rounds:
        serve_rounds()
        return
    if arguments.against is not None:
        rows = bench_rounds(arguments.against.resolve(), arguments.rounds)
        print(table("Rounds, milliseconds", ("round", "this revision", "the other", "ratio"), rows), flush=True)
    with own_folder() as folder, own_server() as url:
        Side(folder, "first", url).sync()
        found = bench_structure(folder, url, arguments.chain, arguments.rows)
        print(table("Structure by SQL, seconds", ("what", "statement", "commit", "longest push beside"), found), flush=True)
    with own_folder() as folder, own_server() as url:
        Side(folder, "first", url).sync()
        seed(url, arguments.rows)
        with psycopg.connect(url, autocommit=True) as server:
            server.execute("CREATE SCHEMA plain")
            server.execute("CREATE TABLE plain.work_items (LIKE localfirst.work_items INCLUDING ALL)")
        found = bench_direct(url, arguments.rounds)
        print(table("Direct SQL, milliseconds", ("what", "median (spread)", "rows/s", "ratio"), found))


if __name__ == "__main__":
    main()
