"""What a second work tree of a repository costs, beside the first, and what a search costs when there are two.

    .venv/bin/python tools/bench/work_trees.py [--files 1330] [--lines 266000] [--trees 5] [--directory DIR]

One file differs in the second work tree; each further one is like it. Times are those of a whole run with a warm pool. The
search is the tool's (`CodeEngine.answer`), from the last work tree, in turn over a replica that holds the main work tree alone,
and one that holds all of them.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from typing import Any

import apsw
from index import generate, size, whole
from localfirst_schema.arguments import SearchCode
from measure import figure, interleaved, table, timed
from place import own_folder

from localfirst.code_index.pipeline.pool import Pool
from localfirst.code_index.search.engine import CodeEngine
from localfirst.code_index.store.consistency import check
from localfirst.replica.opening import open_replica
from localfirst.settings import load

PROCESSES = 2
QUERIES = ("settle open invoice", "parse header", "how is a ledger entry written", "retry after failure", "account balance")
ROUNDS = 40


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=1_330)
    parser.add_argument("--lines", type=int, default=266_000)
    parser.add_argument("--trees", type=int, default=5)
    parser.add_argument("--directory", type=Path, default=Path())
    arguments = parser.parse_args()
    with own_folder(arguments.directory) as folder, Pool(PROCESSES) as pool:
        root = generate(folder, arguments.files, arguments.lines)
        warm = folder / "warm"
        warm.mkdir()
        (warm / "a.py").write_text("def warm(pool):\n    return pool\n")
        alone, shared = (open_replica(folder / f"{name}.sqlite3", None) for name in ("alone", "shared"))
        for connection in (alone, shared):
            whole(connection, pool, warm)
        whole(alone, pool, root)
        rows = measure(folder, root, arguments.trees, pool, shared)
        rows += search(folder, alone, shared, folder / f"tree{arguments.trees}")
        print(table(f"Work trees of {root.name}", ("what", "value"), rows))
        for connection in (alone, shared):
            connection.close()


def measure(folder: Path, root: Path, trees: int, pool: Pool, connection: apsw.Connection) -> list[tuple[str, Any]]:
    """Seconds and bytes of the main work tree and of the others."""
    first = timed(lambda: whole(connection, pool, root))
    bytes_of_first = size(connection)
    others = []
    for number in range(2, trees + 1):
        tree = folder / f"tree{number}"
        subprocess.run(["git", "-C", root, "worktree", "add", "-q", "--detach", tree], check=True)
        one = sorted(tree.rglob("*.py"))[number]
        one.write_text(one.read_text() + f"\n\ndef added_{number}(value):\n    return value + {number}\n")
        others.append(timed(lambda tree=tree: whole(connection, pool, tree)))  # type: ignore[misc]  # of the loop
    files = connection.execute("SELECT count(*) / ? FROM code_files", (trees,)).get
    return [
        ("files of each", files),
        ("the first work tree, s", round(first, 2)),
        ("the second, s", round(others[0], 2)),
        ("second : first", round(others[0] / first, 3)),
        ("each of the others, s", str(figure(others))),
        ("bytes of the first, MB", round(bytes_of_first / 1e6, 1)),
        ("bytes of each further one, MB", round((size(connection) - bytes_of_first) / 1e6 / (trees - 1), 2)),
        ("check", check(connection) or "agrees"),
    ]


def search(folder: Path, alone: apsw.Connection, shared: apsw.Connection, here: Path) -> list[tuple[str, Any]]:
    """Milliseconds of the tool's search."""
    engines = {
        name: (CodeEngine(load(here, {"LOCALFIRST_REPLICA": str(folder / f"{name}.sqlite3")})), connection)
        for name, connection in (("alone", alone), ("shared", shared))
    }
    number = 0

    def ask(name: str) -> None:
        engine, connection = engines[name]
        engine.answer(connection, SearchCode(query=QUERIES[number % len(QUERIES)]))

    samples: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(ROUNDS):
        for name, seconds in interleaved({name: lambda name=name: ask(name) for name in engines}, 1).items():  # type: ignore[misc]  # of the loop
            samples[name] += seconds if number >= len(QUERIES) else []
    for engine, _ in engines.values():
        engine.close()
    return [(f"search, {name}, ms", str(figure(taken, 1000))) for name, taken in samples.items()]


if __name__ == "__main__":
    main()
