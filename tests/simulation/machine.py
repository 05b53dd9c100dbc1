"""A laptop: a real replica in memory, somebody who works on it, and processes that sync it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import apsw
from localfirst_schema.entities import ENTITIES
from localfirst_sync.lock import HeldElsewhere
from localfirst_sync.ports import Identity

from localfirst.client.freshness import Freshness
from localfirst.client.session import Session
from localfirst.replica.act import Act
from localfirst.replica.local_store import ReplicaStore
from localfirst.replica.migrate import migrate
from localfirst.replica.refs import know_refs
from localfirst.replica.replica import begin
from localfirst.settings import Settings
from simulation.album import Album
from simulation.fate import SERVER_S, Fate
from simulation.model import Write
from simulation.task import Crash, Task

T = TypeVar("T")

PROJECT = "example.org/team/project"


class AwayLink:
    """A `ServerLink` to a server that does not answer: operations work on the replica alone; syncing is the simulation's."""

    def is_online(self) -> bool:
        """It is not."""
        return False

    def is_known_away(self) -> bool:
        """Nor is the status file refreshed."""
        return False

    def wake(self) -> None:
        """The simulation decides when there is a round."""

    def clock_offset_s(self) -> None:
        """Its clock was not asked."""

    def is_replica_in_the_way(self) -> bool:
        """The simulation syncs, whatever the replica is like."""
        return False

    def head(self) -> None:
        """No answer."""

    def pull(self, _: float) -> bool:
        """No answer."""
        return False

    def sync(self, _: float) -> None:
        """No answer."""

    def last_check_at(self) -> None:
        """Never."""


class Desk(Session):
    """The session of the person who works on a machine.

    Attributes:
        renews: whether what is named in a call is in work; a judge only looks.
    """

    renews = True

    def beside(self, work: Callable[[Act], None]) -> None:
        """See `Session.beside`."""
        if self.renews:
            super().beside(work)

    def __init__(self, replica: apsw.Connection, who: str) -> None:
        nowhere = Path("/nonexistent")
        self.settings = Settings(nowhere, nowhere, nowhere, PROJECT, who, None, "replica")
        self.replica = replica
        self.client_name = who
        self.link = AwayLink()  # type: ignore[assignment]
        self._freshness = Freshness(replica, self.link, "replica")
        self._mirror = None
        self._warnings = []

    def away_since(self) -> None:
        """Who works here never goes."""

    def claimant(self, given: str | None = None) -> str:
        """Without the mark of a process, so that a seed is the same run again."""
        return given or self.who() or ""

    def _keep_in_place(self) -> None:
        """There is no file that could be taken away."""

    def _is_in_place(self) -> bool:
        """Nor is it looked for."""
        return True


@cache
def _empty_replica() -> bytes:
    connection = apsw.Connection(":memory:")
    migrate(connection, Path("/nonexistent"))
    content = connection.serialize("main")
    connection.close()
    return content


class Machine:
    """One machine of a run.

    Attributes:
        clock_s: how far its clock is wrong.
        is_cut_off: the server cannot be reached from here.
        lock_fails: the lock file does not keep processes out of each other's way here.
        tasks: the processes that sync it at the moment.
        seen: what somebody has read here and may act on later: (entity, id, version, content).
        floor: the highest version of each row that was ever displayed here.
        album: what was displayed as which version anywhere; all machines of a run share it.
        last_act: what the person who works here has written last, as one act.
    """

    def __init__(self, name: str, fate: Fate, album: Album, *, lock_fails: bool) -> None:
        self.name = name
        self.fate = fate
        self.clock_s = 0
        self.is_cut_off = False
        self.lock_fails = lock_fails
        self.tasks: list[Task] = []
        self.seen: list[tuple[str, str, int, dict[str, Any]]] = []
        self.floor: dict[tuple[str, str], int] = {}
        self.album = album
        self.last_act: list[Write] = []
        self.after: Callable[[str, tuple[Any, ...], Any], None] = lambda *_: None
        self._lock_holder: object | None = None

    def begin(self) -> None:
        """A new, empty replica."""
        self.load(_empty_replica())
        begin(self.connection, PROJECT)
        self.desk = Desk(self.connection, self.name)

    def load(self, content: bytes) -> None:
        """The replica is the given file from now on."""
        self.connection = apsw.Connection(":memory:")
        know_refs(self.connection)
        self.connection.deserialize("main", content)
        self.desk = Desk(self.connection, self.name)
        self.seen = []
        self.floor = {}
        self.last_act = []

    def file(self) -> bytes:
        """A copy of the replica's file."""
        return self.connection.serialize("main")

    def identity(self) -> Identity:
        """Who the replica is."""
        return self.store().identity()

    def store(self) -> ReplicaStore:
        """The replica as a new process opens it."""
        return ReplicaStore(self.connection)

    @contextmanager
    def clock(self) -> Iterator[None]:
        """What happens here is timed by this machine's clock."""
        before, self.fate.offset_s = self.fate.offset_s, self.clock_s
        try:
            yield
        finally:
            self.fate.offset_s = before

    def elsewhere(self, call: Callable[[], T]) -> T:
        """Something that happens on the server, by its clock."""
        before, self.fate.offset_s = self.fate.offset_s, SERVER_S
        try:
            return call()
        finally:
            self.fate.offset_s = before

    @contextmanager
    def held(self, wait_s: float) -> Iterator[None]:
        """The replica's lock (`ReplicaLock.held`); a crash lets go of it."""
        if self._lock_holder is not None and not self.lock_fails:
            raise HeldElsewhere
        mine = self._lock_holder = object()
        try:
            yield
        finally:
            if self._lock_holder is mine:
                self._lock_holder = None

    @contextmanager
    def power_cut_after(self, statements: int | None) -> Iterator[None]:
        """The power fails after so many statements of the replica, if the block has so many."""
        if statements is None:
            yield
            return
        left = statements
        is_cut = False

        def count(*_: object) -> bool:
            nonlocal left, is_cut
            left -= 1
            if left == 0:
                self.connection.exec_trace = None
                is_cut = True
                raise Crash
            return True

        self.connection.exec_trace = count
        try:
            yield
        except Exception:
            if is_cut:  # of what a process tries to clean up after its end nothing is real
                raise Crash from None
            raise
        finally:
            self.connection.exec_trace = None
            if self.connection.in_transaction:  # the very rollback was cut off
                self.connection.execute("ROLLBACK")

    def displayed(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Every row as it is displayed here."""
        found = {}
        for entity in ENTITIES:
            names = entity.column_names
            for values in self.connection.execute(f"SELECT {', '.join(names)} FROM {entity.table}"):
                found[entity.name, str(values[0])] = dict(zip(names, values, strict=True))
        return found
