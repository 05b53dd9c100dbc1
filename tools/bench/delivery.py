"""How long a change is under way from one laptop to another over a long line.

    PYTHONPATH=tests .venv/bin/python tools/bench/delivery.py [--changes 40] [--trips-ms 0,60,150]

Two laptops, each with a session and a line of its own to one PostgreSQL (`tests/line.py`: every piece arrives half a trip
after it was sent). One changes an item, pauses until all is quiet, and goes on; the other looks into its replica. The time is
that from the answer to the writer until the change is in the reader's replica, by one clock. The floor is what the trips alone
take: the push's two, of which the notice travels with the answer, and the pull's one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from line import Line
from measure import Figure, figure, table
from place import own_folder, own_server

from localfirst.client.session import Session
from localfirst.operations.registry import BY_NAME
from localfirst.settings import load

PROJECT = "bench/delivery"
QUIET_S = 0.6
"""The pause between two changes: people do not write more often, and what a laptop still does by then is its own affair."""
LOOK_EVERY_S = 0.001
PATIENCE_S = 20.0
TRIPS_TO_ARRIVE = 3


class Laptop:
    """A session at the end of a line of its own."""

    def __init__(self, folder: Path, line: Line) -> None:
        folder.mkdir()
        self.line = line
        given = {
            "LOCALFIRST_REPLICA": str(folder / "replica.db"),
            "LOCALFIRST_PROJECT": PROJECT,
            "LOCALFIRST_DATABASE_URL": line.url,
        }
        self.session = Session(load(folder, given))

    def ask(self, operation: str, **arguments: object) -> dict[str, object]:
        """One operation."""
        found = BY_NAME[operation]
        return found.run(self.session, found.arguments.model_validate(arguments))

    def title_of(self, item: object) -> object:
        """The item's title in the replica; nobody is asked."""
        return self.session.replica.execute("SELECT title FROM work_items WHERE id = ?", (str(item),)).get

    def close(self) -> None:
        """The process ends."""
        self.session.close()


@contextmanager
def two_laptops(url: str, folder: Path, trip_s: float) -> Iterator[tuple[Laptop, Laptop]]:
    """Both level with the server."""
    with ExitStack() as stack:
        lines = [stack.enter_context(closing(Line(url, trip_s=trip_s))) for _ in range(2)]
        ann, bob = (
            stack.enter_context(closing(Laptop(folder / f"{name}-{1000 * trip_s:.0f}", line)))
            for name, line in zip(("ann", "bob"), lines, strict=True)
        )
        for laptop in (ann, bob):
            laptop.ask("sync_now")
        yield ann, bob


def delivered(ann: Laptop, bob: Laptop, changes: int) -> tuple[list[float], float]:
    """Seconds for each change, and the trips that one has cost both of them together."""
    item = ann.ask("create_work_item", item_type="task", title="Change 0")["id"]
    arrives(bob, item, "Change 0")
    samples = []
    before = ann.line.trips + bob.line.trips
    for number in range(1, changes + 1):
        time.sleep(QUIET_S)
        title = f"Change {number}"
        ann.ask("update_work_item", id=item, version=number, title=title)
        samples.append(arrives(bob, item, title))
    time.sleep(QUIET_S)
    return samples, (ann.line.trips + bob.line.trips - before) / changes


def arrives(laptop: Laptop, item: object, title: str) -> float:
    """Waits until the replica has it, and says how long that took."""
    began = time.monotonic()
    while laptop.title_of(item) != title:
        assert time.monotonic() - began < PATIENCE_S, "the change does not arrive"
        time.sleep(LOOK_EVERY_S)
    return time.monotonic() - began


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=40)
    parser.add_argument("--trips-ms", default="0,60,150")
    arguments = parser.parse_args()
    rows: list[tuple[str, Figure, str, str]] = []
    with own_server() as url, own_folder() as folder:
        for trip_ms in map(float, arguments.trips_ms.split(",")):
            with two_laptops(url, folder, trip_ms / 1000) as (ann, bob):
                samples, trips = delivered(ann, bob, arguments.changes)
            rows.append((f"{trip_ms:.0f}", figure(samples), f"{TRIPS_TO_ARRIVE * trip_ms / 1000:.3f}", f"{trips:.1f}"))
    print(
        table(
            f"Seconds until a change is on the other laptop ({arguments.changes} changes)",
            ("line, ms", "median (quartiles; p95)", "the trips alone", "trips of both a change"),
            rows,
        )
    )


if __name__ == "__main__":
    main()
