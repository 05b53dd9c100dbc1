"""A person with psql plants what no replica can take, as a server without limits lets through, and mends it again.

A world of its own beside `world`: a few replicas over the simulated server, which lose answers, make and change rows, and come
and go. What must hold once all have synced: everybody else's rows have arrived, what cannot be taken is named, and nothing that
was mended is still set aside.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.errors import InvalidStateError, UnavailableError
from localfirst_schema.identifiers import new_id, project_id
from localfirst_sync.lock import ReplicaLock
from localfirst_sync.ports import Access
from localfirst_sync.round import sync_round

from localfirst.replica.act import act
from localfirst.replica.local_store import ReplicaStore
from localfirst.replica.rows import find, select
from simulation.album import Album
from simulation.content import content
from simulation.fate import Fate, ruled_by, seed_of
from simulation.machine import PROJECT, Machine
from simulation.server import Server
from simulation.tables import Entry
from simulation.violation import hold

STEPS = 60
NAMES = ("ann", "bob", "carl")
LOST = 0.15
"""How often a request, or its answer, is lost."""

ODD_VALUES: tuple[dict[str, Any], ...] = (
    {"metadata": []},
    {"status": "paused"},
    {"created_at": "unreadable time infinity"},
    {"metadata": {"n": 10**1200}},
)
SOUND_VALUES = {"metadata": {}, "status": "active", "created_at": "2026-01-02T03:04:05.000006Z"}
ODD_LINES: tuple[dict[str, Any], ...] = (
    {"entity": "wish"},
    {"fields": "[1]"},
    {"fields": '{"title": 5}'},
    {"version": 2**63 - 1},
    {"at": "unreadable time infinity"},
)


class _Line:
    """The server as one machine reaches it: requests and answers are lost."""

    def __init__(self, server: Server, dice: Random, lost: float) -> None:
        self._server, self._dice, self._lost = server, dice, lost

    def access(self) -> Access:
        """See `RemoteStore.access`."""
        return "write"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(*arguments: Any, **named: Any) -> Any:
            if self._dice.random() < self._lost:
                raise UnavailableError("the request was lost", cause="connection")
            answer = getattr(self._server, name)(*arguments, **named)
            if self._dice.random() < self._lost:
                raise UnavailableError("the answer was lost", cause="connection")
            return answer

        return ask


class OddRows:
    """One run.

    Attributes:
        odd: ids of the rows that nobody can take at the moment.
        lines: numbers of the forged lines.
    """

    def __init__(self, seed: int) -> None:
        self.fate = Fate()
        self.fate.dice = Random(seed_of("odd rows", seed))
        self.odd: set[str] = set()
        self.lines: set[int] = set()
        self.refused = 0
        self._count = 0

    def run(self) -> None:
        """Carries out the steps, lets all sync, and judges. Raises `Violation`."""
        with ruled_by(self.fate):
            self.server = Server(self.fate, project_id(PROJECT), lambda *_: None)
            self.machines = [self._machine(name) for name in NAMES]
            for _ in range(STEPS):
                step = self.fate.dice.choices(
                    (self._create, self._change, self._plant, self._mend, self._forge, self._sync), (3, 4, 3, 2, 1, 6)
                )[0]
                step()
            self.machines.append(self._machine("new"))
            for machine in (*self.machines, *self.machines):
                self._round(machine, lost=0.0)
            for machine in self.machines:
                self._judge(machine)
            for row_id in sorted(self.odd):
                self._psql(row_id, SOUND_VALUES)
            self.odd.clear()
            for machine in self.machines:
                self._round(machine, lost=0.0)
                self._judge(machine)

    def _machine(self, name: str) -> Machine:
        machine = Machine(name, self.fate, Album(), lock_fails=False)
        machine.begin()
        return machine

    def _any_machine(self) -> Machine:
        return self.fate.dice.choice(self.machines)

    def _items(self) -> list[str]:
        return sorted(self.server.tables.rows[WORK_ITEM.name])

    def _create(self) -> None:
        machine, self._count = self._any_machine(), self._count + 1
        row_id = new_id()
        values = {"id": row_id, "item_type": "task", "title": f"item {self._count}", "status": "active", "metadata": {}}
        with act(machine.connection, machine.name) as one:
            one.change(WORK_ITEM, None, values, path=row_id, depth=0)

    def _change(self) -> None:
        machine, self._count = self._any_machine(), self._count + 1
        rows = select(machine.connection, WORK_ITEM, "deleted_at IS NULL ORDER BY id")
        if not rows:
            return
        row = self.fate.dice.choice(rows)
        try:
            with act(machine.connection, machine.name) as one:
                one.change(WORK_ITEM, row, {"title": f"title {self._count}", "metadata": {"note": self._count}})
        except InvalidStateError as refusal:
            hold(refusal.details["id"] == row["id"], "another row was refused", machine.name)
            self.refused += 1

    def _plant(self) -> None:
        if items := self._items():
            row_id = self.fate.dice.choice(items)
            self._psql(row_id, self.fate.dice.choice(ODD_VALUES))
            self.odd.add(row_id)

    def _mend(self) -> None:
        if self.odd:
            row_id = self.fate.dice.choice(sorted(self.odd))
            self._psql(row_id, SOUND_VALUES)
            self.odd.discard(row_id)

    def _psql(self, row_id: str, values: dict[str, Any]) -> None:
        done = self.server.psql(lambda sql: sql.update(WORK_ITEM, row_id, **values))
        hold(done, "the simulated server refused what it should let through", values)

    def _forge(self) -> None:
        tables = self.server.tables
        tables.head += 1
        line: dict[str, Any] = {"entity": "work_item", "version": 1, "at": self.fate.now(), "fields": "{}"}
        line |= self.fate.dice.choice(ODD_LINES)
        tables.tag = self.fate.dice.getrandbits(31)
        whose = (line["entity"], new_id(), line["version"], "eve", line["at"], "accepted", line["fields"])
        tables.history.append(Entry(tables.head, tables.tag, *whose, None, None))
        self.lines.add(tables.head)

    def _sync(self) -> None:
        self._round(self._any_machine(), LOST)

    def _round(self, machine: Machine, lost: float) -> None:
        local = ReplicaStore(machine.connection)
        try:
            sync_round(local, _Line(self.server, self.fate.dice, lost), ReplicaLock(None))
        except UnavailableError:
            hold(lost > 0, "a round failed with a line that loses nothing", machine.name)
        except Exception as error:
            hold(False, "a round failed", machine.name, repr(error))

    def _judge(self, machine: Machine) -> None:
        tables, connection = self.server.tables, machine.connection
        cursor = connection.execute("SELECT cursor_seq FROM replica").get
        hold(cursor == tables.head, "the cursor did not reach the head", machine.name, cursor, tables.head)
        hold(not connection.execute("SELECT EXISTS (SELECT 1 FROM outbox)").get, "the queue is stuck", machine.name)
        aside = {(kind, row_id): seq for kind, row_id, seq in connection.execute("SELECT kind, id, seq FROM set_aside")}
        rows_aside = {row_id for kind, row_id in aside if kind == "row"}
        hold(rows_aside == self.odd, "what is set aside is not what cannot be taken", machine.name, rows_aside ^ self.odd)
        lines = {seq for (seq,) in connection.execute("SELECT seq FROM set_aside WHERE kind = 'line'")}
        hold(self.lines <= lines, "a forged line is not named", machine.name, self.lines - lines)
        for row_id, row in tables.rows[WORK_ITEM.name].items():
            if row_id in self.odd:
                continue
            here = find(connection, WORK_ITEM, row_id)
            is_there = here is not None and here["version"] == row["version"]
            is_equal = is_there and content(WORK_ITEM, here) == content(WORK_ITEM, row)
            hold(is_equal, "somebody else's row has not arrived", machine.name, row_id)


def run(seed: int) -> OddRows:
    """One run; raises `Violation`."""
    one = OddRows(seed)
    one.run()
    return one
