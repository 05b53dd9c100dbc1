"""What a local write costs (row, outbox, history, full text), beside the bare two-row transaction on the same disk.

    .venv/bin/python tools/bench/local_write.py [--rounds 1000] [--rows 2000] [--directory DIR]

Both transactions run with the same `synchronous`, in turn, in one run; the ratio counts.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import apsw
from localfirst_schema.entities import WORK_ITEM
from measure import figure, interleaved, table
from place import own_folder

from localfirst.client.session import Session
from localfirst.operations.registry import BY_NAME
from localfirst.replica.act import act
from localfirst.replica.connection import connect
from localfirst.replica.rows import find
from localfirst.settings import load

NOTE = "Bring the extractor to green, start from the failing fixtures and read the manifest first. " * 3


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--directory", help="where the files are made (default: the current directory's disk)", default=".")
    arguments = parser.parse_args()
    with own_folder(arguments.directory) as folder:
        rows = []
        for synchronous in ("full", "normal"):
            rows += measure(folder / synchronous, arguments.rounds, arguments.rows, synchronous)
        print(table("Local writes, microseconds", ("synchronous", "what", "median (spread)", "ratio to the floor"), rows))


def measure(folder: Path, rounds: int, rows: int, synchronous: str) -> list[tuple[str, str, str, str]]:
    """The lines of the table for one setting of `synchronous`."""
    folder.mkdir()
    rnd = random.Random(1)
    bare = connect(folder / "bare.sqlite3")
    bare.pragma("synchronous", synchronous)
    ids = seed_bare(bare, rows)
    session = Session(load(folder, {"LOCALFIRST_REPLICA": str(folder / "replica.sqlite3")}))
    session.replica.pragma("synchronous", synchronous)
    create, update = BY_NAME["create_work_item"], BY_NAME["update_work_item"]
    items = [
        create.run(
            session,
            create.arguments.model_validate(
                {"item_type": "task", "title": f"Task {n}", "metadata": {"priority": "high", "note": NOTE}}
            ),
        )
        for n in range(rows)
    ]
    versions = {item["id"]: 1 for item in items}
    counter = iter(range(10_000_000))

    def floor() -> None:
        number = next(counter)
        bare.execute("BEGIN IMMEDIATE")
        bare.execute("UPDATE item SET title = ?, version = version + 1 WHERE id = ?", (f"Title {number}", rnd.choice(ids)))
        bare.execute("INSERT INTO outbox (payload) VALUES (?)", (f'{{"title":{{"old":"Task","new":"Title {number}"}}}}',))
        bare.execute("COMMIT")

    def write_path() -> None:
        item_id = rnd.choice(list_of_ids)
        with act(session.replica, "bench") as open_act:
            row = find(open_act.connection, WORK_ITEM, item_id)
            open_act.change(WORK_ITEM, row, {"title": f"Title {next(counter)}"})
        versions[item_id] += 1

    def whole_operation() -> None:
        item_id = rnd.choice(list_of_ids)
        title = f"Title {next(counter)}"
        update.run(session, update.arguments.model_validate({"id": item_id, "version": versions[item_id], "title": title}))
        versions[item_id] += 1

    list_of_ids = list(versions)
    samples = interleaved(
        {"bare two-row transaction": floor, "write path": write_path, "update_work_item": whole_operation}, rounds
    )
    floor_median = figure(samples["bare two-row transaction"]).median
    session.close()
    bare.close()
    return [
        (synchronous.upper(), name, str(figure(values, 1e6)), f"{figure(values).median / floor_median:.2f}")
        for name, values in samples.items()
    ]


def seed_bare(connection: apsw.Connection, rows: int) -> list[str]:
    """A table with rows of the same size."""
    connection.execute("CREATE TABLE item (id TEXT PRIMARY KEY, title TEXT, version INTEGER, metadata TEXT)")
    connection.execute("CREATE TABLE outbox (number INTEGER PRIMARY KEY, payload TEXT)")
    ids = [f"{random.Random(n).getrandbits(128):032x}" for n in range(rows)]
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO item VALUES (?, ?, 1, ?)", [(i, "Task", NOTE) for i in ids])
    connection.execute("COMMIT")
    return ids


if __name__ == "__main__":
    main()
