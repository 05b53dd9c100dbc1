"""A world in which everything that happens is written down, instead of drawn: for cases that are kept by name.

The same judges look at it as at every run.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from localfirst_schema.errors import LocalfirstError
from localfirst_schema.wire import Row, decode_json

from localfirst.operations.registry import BY_NAME
from simulation import settlers
from simulation.direct_sql import Psql
from simulation.machine import Machine
from simulation.model import acknowledged
from simulation.network import CALM, Weather
from simulation.plan import Plan, Step
from simulation.tables import Tables
from simulation.task import Task
from simulation.violation import hold
from simulation.world import Result, World

Script = Callable[["Stage"], None]


class Stage(World):
    """Machines `0`, `1`, … and a server, for one script."""

    def __init__(self, script: Script, machines: int = 3) -> None:
        super().__init__(Plan(0, machines, False, 2000, ()))
        self._script = script
        self._number = 0

    def _carry_out(self) -> None:
        self._script(self)

    def do(self, machine: int, tool: str, **arguments: Any) -> dict[str, Any]:
        """Somebody calls a tool; what it answers."""
        answer: dict[str, Any] = {}

        def call() -> str:
            operation = BY_NAME[tool]
            try:
                answer.update(operation.run(self._machines[machine].desk, operation.arguments(**arguments)))
            except LocalfirstError as refusal:
                hold(False, "a tool refuses", tool, str(refusal))
            return tool

        self._number += 1
        self._one(self._machines[machine], self._number, call)
        return answer

    def refuses(self, machine: int, tool: str, **arguments: Any) -> None:
        """Somebody calls a tool, and is refused."""
        hold(not settlers.carried_out(self._machines[machine], tool, arguments), "a tool does what it has to refuse", tool)

    def item(self, machine: int, title: str = "an item", **values: Any) -> str:
        """Somebody creates a task; its id."""
        created = self.do(machine, "create_work_item", item_type="task", title=title, **values)
        return str(created["work_item"]["id"] if "work_item" in created else created["id"])

    def update(self, machine: int, item_id: str, **values: Any) -> None:
        """Somebody changes an item as it is displayed there, unless they name another version."""
        version = values.pop("version", None) or self.displayed(machine, item_id)["version"]
        self.do(machine, "update_work_item", id=item_id, version=version, **values)

    def revert(self, machine: int, item_id: str, to_version: int) -> Row:
        """Somebody takes an item back; what it is then."""
        version = self.displayed(machine, item_id)["version"]
        self.do(machine, "revert_work_item", id=item_id, version=version, to_version=to_version)
        return self.displayed(machine, item_id)

    def settle(self, machine: int, resolution: str = "theirs", **fields: Any) -> None:
        """Somebody settles the one conflict that is open there."""
        (conflict_id,) = self.conflicts(machine)
        more = {"fields": fields} if fields else {}
        self.do(machine, "resolve_conflict", conflict_id=conflict_id, resolution=resolution, **more)

    def conflicts(self, machine: int) -> list[str]:
        """The ids of the conflicts that are open there."""
        return settlers.open_conflicts(self._machines[machine])

    def conflict(self) -> Row:
        """The one conflict that the server has."""
        (row,) = self._server.tables.conflicts.values()
        return row | {name: decode_json(row[name]) for name in ("base", "mine", "theirs")}

    def conflict_at(self, machine: int) -> Row:
        """The one conflict that a machine knows, settled or not."""
        query = "SELECT base, mine, theirs, resolution FROM conflicts"
        found: list[Any] = self._machines[machine].connection.execute(query).fetchall()
        ((*sides, resolution),) = found
        return dict(zip(("base", "mine", "theirs"), map(decode_json, sides), strict=True)) | {"resolution": resolution}

    def displayed(self, machine: int, row_id: str) -> Row:
        """A row as it is displayed there."""
        (row,) = (row for (_, one), row in self._machines[machine].displayed().items() if one == row_id)
        return row

    def configurations(self, machine: int) -> list[tuple[str, Row]]:
        """The configuration's id and row, as it is displayed there: there is one."""
        return [(row_id, row) for (name, row_id), row in self._machines[machine].displayed().items() if name == "configuration"]

    def history(self, machine: int, row_id: str, entity: str = "work_item") -> list[dict[str, Any]]:
        """What `get_history` tells there, oldest first."""
        found: list[dict[str, Any]] = self.do(machine, "get_history", entity=entity, id=row_id)["changes"]
        return found[::-1]

    def sync(self, *machines: int, killed_at: str = "", repeated: bool = False) -> None:
        """Rounds of these machines, one after the other, over a whole network; or up to where the process is killed. A
        push that is `repeated` is on its way once more, until `deliver`."""
        is_in_the_way = bool(killed_at or repeated or self._server.connection.held)
        weather = Weather(0, 0, 0, 0, 0, 0, float(repeated), killed_at) if is_in_the_way else CALM
        for machine in machines:
            self._number += 1
            one = self._machines[machine]
            dice = Random(self._number)
            announced = self._number % 2 == 0

            def carry_out(task: Task, one: Machine = one, announced: bool = announced) -> None:
                self._round(one, task, weather, announced=announced)

            task = Task(f"{one.name}/{self._number}", dice, carry_out)
            one.tasks.append(task)
            self._resume(one, task)
            hold(bool(killed_at) or not one.tasks, "a round did not end", one.name)

    def deliver(self) -> None:
        """The oldest push that is still on its way arrives."""
        self._number += 1
        self._do_letter(Step("letter", 0, 0), self._number)

    def psql(self, statements: Callable[[Psql], object]) -> None:
        """Somebody's transaction, which the server takes."""
        hold(self._server.psql(statements), "psql was refused")

    def open_psql(self, statement: Callable[[Psql], None]) -> Psql:
        """Somebody types a statement into a transaction that stays open."""
        transaction = self._server.open_psql()
        hold(transaction.type(statement), "psql was refused")
        self._server.connection.held = set(transaction.written)
        return transaction

    def commit(self, transaction: Psql) -> None:
        """They commit."""
        self.let_go()
        hold(transaction.commit(), "psql was refused")

    def hold(self, *row_ids: str, entity: str = "work_item") -> None:
        """Somebody's open transaction holds these rows."""
        self._server.connection.held = {(entity, row_id) for row_id in row_ids}

    def pass_days(self, days: int) -> None:
        """Time passes."""
        self._fate.pass_time(days * 86_400)

    def let_go(self) -> None:
        """It ends, and has changed nothing."""
        self._server.connection.held = set()

    def press(self) -> None:
        """A few rounds of everybody's, after which all that needs no held row is on the server."""
        self._number += 1
        self._press(self._number)

    def copy(self, machine: int) -> bytes:
        """A copy of the replica's file, for `put_back`."""
        return self._machines[machine].file()

    def put_back(self, machine: int, file: bytes) -> None:
        """The replica is that copy again. There is one of it at a time: what waits in it is to be logged once."""
        one = self._machines[machine]
        held = acknowledged(one.connection)
        one.load(file)
        self._model.replaced(held, self._held_anywhere())

    def dump(self) -> Tables:
        """The server as it is, for `set_back`."""
        return self._server.tables.copy()

    def set_back(self, dump: Tables | None) -> None:
        """The server is restored (None: it begins anew)."""
        before = self._held_anywhere()
        self._server.set_back(dump)
        self._judge.set_back(self._server.tables)
        self._model.replaced(before, self._held_anywhere())

    def rest(self) -> None:
        """Everything comes to rest, and is judged."""
        self._number += 1
        self._do_quiesce(Step("quiesce", 0, 0), self._number)


def run_case(script: Script) -> Result:
    """Carries out a script, and lets everything come to rest."""

    def to_the_end(stage: Stage) -> None:
        script(stage)
        stage.rest()

    return Stage(to_the_end).run()
