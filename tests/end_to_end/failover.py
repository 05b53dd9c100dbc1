"""Failover for real, again and again: a primary and its asynchronous standby; laptops and somebody with psql write meanwhile.

    PYTHONPATH=tests .venv/bin/python -m end_to_end.failover --rounds 20 [--seed N]

A round: all write; the primary is killed; the standby is promoted; all go on. The old primary comes back as a fork that takes
writes, for a while, and a laptop that starts only now finds it first in its address. Then the fork is gone for good, and all
hold still. Every laptop and the new primary must be level, and every write that a laptop has acknowledged must be there, once.

What psql has committed on the old primary may be lost with it, since the standby is asynchronous; what a laptop had fetched of
it is brought back.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from cluster import run
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.identifiers import new_id
from localfirst_sync.loop import SyncLoop
from localfirst_sync.ports import Identity
from localfirst_sync.postgres.store import PostgresStore
from psycopg.conninfo import make_conninfo
from standby import Pair, pair
from waiting import until

from localfirst.replica.act import act
from localfirst.replica.connection import connect
from localfirst.replica.known_server import KnownServer
from localfirst.replica.local_store import ReplicaStore
from localfirst.replica.opening import open_replica
from localfirst.replica.rows import find, select

PROJECT = "example.org/team/failover"
LAPTOPS = 3
LEVEL_S = 120.0


class Writer:
    """A laptop: a replica with its sync loop, and somebody who creates and changes items.

    Attributes:
        acknowledged: what was written, as (item, title), once the write had returned.
    """

    def __init__(self, path: Path, url: str, seed: int) -> None:
        self.acknowledged: list[tuple[str, str]] = []
        self._path = path
        self._url = url
        self._dice = random.Random(seed)
        self._ended = threading.Event()
        self._held: list[Any] = []
        open_replica(path, PROJECT).close()
        self.loop = SyncLoop(
            open_local=lambda: ReplicaStore(connect(path)),
            open_remote=self._open_remote,
            lock_path=path.with_name(f"{path.name}.lock"),
        )
        self._thread = threading.Thread(target=self._write, name=f"writes in {path.name}")

    def _open_remote(self, identity: Identity) -> PostgresStore:
        self._held.append(connect(self._path))
        return PostgresStore(self._url, identity, KnownServer(self._held[-1]))

    def start(self) -> None:
        """Begins to write and to synchronise."""
        self.loop.start()
        self._thread.start()

    def hold_still(self) -> None:
        """Ends the writing; the loop goes on."""
        self._ended.set()
        self._thread.join()

    def close(self) -> None:
        """Ends it all."""
        self.hold_still()
        self.loop.stop(0.0)

    def _write(self) -> None:
        with closing(connect(self._path)) as replica:
            own: list[str] = []
            while not self._ended.is_set():
                title = f"{self._path.name} {len(self.acknowledged)}"
                item = self._dice.choice(own) if own and self._dice.random() < 0.5 else None
                with act(replica, self._path.name) as one:
                    if item is None:
                        own.append(item := new_id())
                        values = {"id": item, "item_type": "task", "title": title, "status": "active", "metadata": {}}
                        one.change(WORK_ITEM, None, values, path=item, depth=0)
                    else:
                        one.change(WORK_ITEM, find(replica, WORK_ITEM, item), {"title": title})
                self.acknowledged.append((item, title))
                self.loop.wake()
                self._ended.wait(self._dice.uniform(0.005, 0.05))  # a person's pace, or an agent's

    def displayed(self) -> dict[str, tuple[str, int]]:
        """Title and version of each item in the replica."""
        with closing(connect(self._path)) as replica:
            return {row["id"]: (row["title"], row["version"]) for row in select(replica, WORK_ITEM, "true")}

    def is_level(self, head: tuple[int, int]) -> bool:
        """Whether all is sent and read."""
        with closing(connect(self._path)) as replica:
            waits = replica.execute("SELECT EXISTS (SELECT 1 FROM outbox)").get
            return not waits and replica.execute("SELECT cursor_seq, cursor_tag FROM replica").fetchall() == [head]


@contextmanager
def psql(url: str) -> Iterator[list[str]]:
    """Somebody who inserts items by SQL, wherever the primary is; the titles that were committed."""
    committed: list[str] = []
    ended = threading.Event()

    def write() -> None:
        address = make_conninfo(url, target_session_attrs="read-write", connect_timeout=2)
        while not ended.is_set():
            try:
                with psycopg.connect(address, autocommit=True) as session:
                    while not ended.is_set():
                        title = f"psql {len(committed)} {uuid.uuid4().hex[:8]}"
                        session.execute("INSERT INTO localfirst.work_items (item_type, title) VALUES ('task', %s)", (title,))
                        committed.append(title)
                        ended.wait(0.02)
            except psycopg.Error:
                ended.wait(0.05)  # no primary at the moment

    thread = threading.Thread(target=write, name="psql")
    thread.start()
    try:
        yield committed
    finally:
        ended.set()
        thread.join()


def one_round(servers: Pair, folder: Path, seed: int) -> str:
    """One failover; what happened, in words. Raises AssertionError."""
    dice = random.Random(seed)
    database = f"failover_{uuid.uuid4().hex[:12]}"
    run(servers.primary.url(), f"CREATE DATABASE {database} TEMPLATE template0")
    servers.await_replay()
    url = servers.url(database, standby_first=dice.random() < 0.5)
    with ExitStack() as stack:
        team = [stack.enter_context(closing(Writer(folder / f"laptop{n}", url, seed + n))) for n in range(LAPTOPS)]
        team[0].start()
        assert team[0].loop.request(LEVEL_S) is not None, team[0].loop.last_error  # the schema and the project are there
        for writer in team[1:]:
            writer.start()
        with psql(url) as committed:
            time.sleep(dice.uniform(0.5, 1.5))  # how long they write, not a wait for anything
            before = len(committed)
            servers.primary.kill()
            time.sleep(dice.uniform(0.0, 0.5))
            servers.standby.promote()
            promoted = len(committed)
            until(lambda: len(committed) > promoted + 5, LEVEL_S, "psql to find the new primary")
            first = f"{servers.primary.port},{servers.standby.port}"
            servers.primary.start()  # as it was: a fork
            late = stack.enter_context(closing(Writer(folder / "late", make_conninfo(url, port=first), seed + 99)))
            late.start()
            team.append(late)
            time.sleep(dice.uniform(0.2, 1.0))
            servers.primary.kill()
            time.sleep(dice.uniform(0.2, 0.5))
        for writer in team:
            writer.hold_still()
        _await_level(servers, database, team)
        _check(servers, database, team)
        lost = _titles(servers, database).isdisjoint
        gone = sum(lost({title}) for title in committed)
        writes = sum(len(writer.acknowledged) for writer in team)
    return f"{writes} writes of {len(team)} laptops; {len(committed)} of psql ({before} before), {gone} gone with the primary"


def _await_level(servers: Pair, database: str, team: list[Writer]) -> None:
    with psycopg.connect(servers.standby.url(database), autocommit=True) as session:

        def level() -> bool:
            for writer in team:
                writer.loop.wake()
            head = session.execute("SELECT head, tag FROM localfirst.project_heads").fetchall()
            return len(head) == 1 and all(writer.is_level(head[0]) for writer in team)

        try:
            until(level, LEVEL_S, "all to be level")
        except AssertionError:
            raise AssertionError(f"not level: {[writer.loop.last_error for writer in team]}") from None


def _check(servers: Pair, database: str, team: list[Writer]) -> None:
    with psycopg.connect(servers.standby.url(database), autocommit=True) as session:
        rows = {str(i): (t, v) for i, t, v in session.execute("SELECT id, title, version FROM localfirst.work_items")}
        reported: list[Any] = session.execute(
            "SELECT entity_id::text, fields -> 'title' ->> 'new', by, at, outcome FROM localfirst.history"
            " WHERE entity = 'work_item' AND fields -> 'title' ->> 'new' IS NOT NULL"
        ).fetchall()
        gaps = session.execute("SELECT count(*), max(seq) FROM localfirst.history").fetchone()
        assert gaps is not None
        assert gaps[0] == gaps[1], "a number of the log is missing"
    reported_of = Counter((item, title) for item, title, *_ in reported)
    for writer in team:
        assert writer.displayed() == rows, "a laptop is not level"
        for write in writer.acknowledged:
            assert reported_of[write] >= 1, f"lost: {write}"
            assert reported_of[write] == 1, f"doubled: {write}"
        latest = dict(writer.acknowledged)
        assert all(rows[item][0] == title for item, title in latest.items()), "a row is not what was written last"
    again = [title for (_, title), count in reported_of.items() if count > 1]
    assert again == [], f"reported more than once: {again[:5]}"


def _titles(servers: Pair, database: str) -> set[str]:
    with psycopg.connect(servers.standby.url(database)) as session:
        return {title for (title,) in session.execute("SELECT title FROM localfirst.work_items").fetchall()}


def main() -> None:
    """The program."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    for number in range(given.rounds):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, pair() as servers:
            reported = one_round(servers, Path(folder), given.seed + number)
        print(f"round {number + 1} (seed {given.seed + number}): {reported}, {time.monotonic() - began:.1f} s", flush=True)
    print(f"{given.rounds} failovers, nothing lost, nothing doubled")


if __name__ == "__main__":
    main()
