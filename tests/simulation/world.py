"""One run: machines, a server, what lies between them, and the steps of a plan carried out one after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any, NamedTuple

from localfirst_schema.entities import VENDOR, WORK_ITEM
from localfirst_schema.errors import UnavailableError
from localfirst_schema.identifiers import project_id
from localfirst_sync.lock import HeldElsewhere
from localfirst_sync.ports import Fenced, SyncError
from localfirst_sync.round import sync_round

from simulation import settlers, typists, workload
from simulation.direct_sql import Psql
from simulation.fate import Fate, ruled_by
from simulation.judge_commit import CommitJudge, watched
from simulation.judge_held import ROUNDS, judge_passing
from simulation.judge_rest import judge_displayed, judge_pull, judge_rest, judge_undo
from simulation.machine import PROJECT, Machine
from simulation.model import Key, Model, acknowledged, key_of, last_history_id, waiting
from simulation.network import CALM, Disk, Letter, Weather, Wire
from simulation.plan import Plan, Step
from simulation.server import Server
from simulation.tables import Tables
from simulation.task import Crash, Task
from simulation.violation import Violation, hold

MACHINES_MAX = 5
ROUNDS_TO_REST = 4
"""Within so many rounds of each machine everything is level once the network is whole: push, pull, and what that brings."""


class Result(NamedTuple):
    """How a run ended: what was broken (None: nothing), what happened, and the hash of that."""

    violation: str | None
    trace: list[str]
    digest: str
    operations: int


class World:
    """The run of one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._fate = Fate()
        self._model = Model()
        self._judge = CommitJudge(self._model)
        self._server = Server(self._fate, project_id(PROJECT), self._judge)
        self._machines: list[Machine] = []
        self._letters: list[Letter] = []
        self._backups: list[tuple[Machine, bytes]] = []
        self._dumps: list[Tables] = []
        self._held: Callable[[Psql], None] | None = None
        self._weather = Weather()
        self._trace: list[tuple[Any, ...]] = []
        self._operations = 0
        self._born = 0

    def run(self) -> Result:
        """Carries out the plan."""
        violation = None
        with ruled_by(self._fate), watched(self._judge.decided):
            try:
                self._fate.dice = Random(self._plan.seed)
                for _ in range(self._plan.machines):
                    self._join()
                self._carry_out()
            except Violation as broken:
                violation = str(broken)
            finally:
                for machine in self._machines:
                    self._kill(machine)
        trace = [" ".join(map(str, logged)) for logged in self._trace]
        digest = hashlib.blake2b("\n".join(trace).encode(), digest_size=8).hexdigest()
        return Result(violation, trace, digest, self._operations)

    def _carry_out(self) -> None:
        for number, step in enumerate(self._plan.steps):
            self._fate.dice = Random(step.seed)
            getattr(self, f"_do_{step.kind.replace(' ', '_')}")(step, number)

    def _tell(self, *logged: Any) -> None:
        self._trace.append(logged)

    def _machine(self, step: Step) -> Machine:
        return self._machines[step.who % len(self._machines)]

    # Machines

    def _join(self, content: bytes | None = None) -> Machine:
        machine = Machine(f"m{self._born}", self._fate, self._judge.album, lock_fails=self._plan.locks_fail)
        self._born += 1
        if content is None:
            machine.begin()
        else:
            machine.load(content)
        machine.after = lambda what, _, __: self._after(machine, what)
        self._machines.append(machine)
        return machine

    def _after(self, machine: Machine, what: str) -> None:
        judge_displayed(machine)
        if what == "finish_recovery":
            hold(self._judge.was_set_back, "a recovery, although the server has lost nothing", machine.name)
        if what in ("finish_pull", "finish_recovery", "finish_bootstrap"):
            judge_pull(machine, self._server.tables, self._judge.contents, was_set_back=self._judge.was_set_back)

    def _do_join(self, step: Step, number: int) -> None:
        if len(self._machines) < MACHINES_MAX:
            self._tell(number, "joins", self._join().name)

    def _do_clone(self, step: Step, number: int) -> None:
        if len(self._machines) < MACHINES_MAX:
            original = self._machine(step)
            self._model.copied(waiting(original.connection))
            copy = self._join(original.file())
            self._tell(number, "clone", copy.name, "of", original.name)

    def _do_backup(self, step: Step, number: int) -> None:
        machine = self._machine(step)
        self._backups.append((machine, machine.file()))
        self._tell(number, "backup of", machine.name)

    def _do_restore(self, step: Step, number: int) -> None:
        found = [backup for backup in self._backups if backup[0] in self._machines]
        if found:
            machine, file = found[step.seed % len(found)]
            self._kill(machine)
            held = acknowledged(machine.connection)
            machine.load(file)
            self._model.copied(waiting(machine.connection))
            self._model.replaced(held, self._held_anywhere())
            self._tell(number, "restore of", machine.name)

    def _held_anywhere(self) -> set[Key]:
        """The writes that the server or any replica tells."""
        held = {key_of(e.entity, e.entity_id, e.by, e.at, e.fields) for e in self._server.tables.history}
        return held.union(*(acknowledged(machine.connection) for machine in self._machines))

    def _do_dump(self, step: Step, number: int) -> None:
        self._dumps.append(self._server.tables.copy())
        self._tell(number, "dump of the server", self._server.tables.head)

    def _do_set_back(self, step: Step, number: int) -> None:
        """The server is restored from an older dump; one time in four it has to begin with nothing."""
        self._server.connection.held, self._server.connection.going, self._held = set(), set(), None
        before = self._held_anywhere()
        dump = None if not self._dumps or self._fate.dice.random() < 0.25 else self._fate.dice.choice(self._dumps)
        self._server.set_back(dump)
        self._judge.set_back(self._server.tables)
        self._model.replaced(before, self._held_anywhere())
        self._tell(number, "the server is set back to", self._server.tables.head)

    def _do_clock(self, step: Step, number: int) -> None:
        machine = self._machine(step)
        machine.clock_s = self._fate.dice.choice((0, -3600, 86_400, -86_400 * 20, 86_400 * 20))
        self._tell(number, "clock of", machine.name, machine.clock_s)

    def _do_time(self, step: Step, number: int) -> None:
        self._fate.pass_time(self._fate.dice.choice((1, 60, 7200)))

    def _do_crash(self, step: Step, number: int) -> None:
        machine = self._machine(step)
        self._tell(number, "crash of", machine.name)
        self._kill(machine)

    def _kill(self, machine: Machine) -> None:
        tasks, machine.tasks = machine.tasks, []
        for task in tasks:
            task.kill()

    # People

    def _do_work(self, step: Step, number: int) -> None:
        machine, dice = self._machine(step), self._fate.dice
        elsewhere = sorted(self._server.tables.rows[WORK_ITEM.name])
        if dice.random() < 0.02:
            within = dice.randrange(1, 12)
            self._operations += self._one(machine, number, lambda: _cut_off(machine, within, dice, number, elsewhere))
        else:
            self._operations += self._one(machine, number, lambda: workload.work(machine, dice, number, elsewhere))

    def _one(self, machine: Machine, number: int, operation: Callable[[], str | None]) -> bool:
        """One operation on a machine; whether it wrote something."""
        since = last_history_id(machine.connection)
        with machine.clock():
            done = operation()
        writes = self._model.acknowledge(machine.connection, since)
        machine.last_act = writes or machine.last_act
        self._tell(number, machine.name, done, *(f"{w.key[0]}:{w.key[1][-6:]}@{w.base_version} {w.key[4]}" for w in writes))
        judge_displayed(machine)
        return bool(writes)

    def _do_settle(self, step: Step, number: int) -> None:
        """Several settle the same conflict, each in their own way, some of them twice."""
        dice = self._fate.dice
        open_ones = sorted({one for machine in self._machines for one in settlers.open_conflicts(machine)})
        if open_ones:
            conflict_id = dice.choice(open_ones)
            for machine in dice.choices(self._machines, k=len(self._machines)):
                self._one(machine, number, lambda machine=machine: settlers.settle(machine, dice, number, conflict_id))  # type: ignore[misc]

    def _do_blind(self, step: Step, number: int) -> None:
        """Somebody changes, twice or three times, an item that the replica does not hold, or that is nowhere."""
        machine, dice = self._machine(step), self._fate.dice
        unknown = settlers.unknown_item(machine, dice, sorted(self._server.tables.rows[WORK_ITEM.name]))
        version = dice.randrange(1, 5)
        for place in range(dice.choice((2, 2, 3)) if unknown else 0):
            change = settlers.blind_change(dice, f"{number}.{place}")
            self._one(machine, number, lambda: settlers.blind(machine, unknown, version + place, change))  # noqa: B023

    def _do_waver(self, step: Step, number: int) -> None:
        """Somebody deletes an item, and takes it back at once."""
        machine, dice = self._machine(step), self._fate.dice
        row = settlers.deletable(machine, dice)
        if row is None:
            return
        for deleted in (True, False):
            self._one(machine, number, lambda: settlers.delete(machine, row, deleted=deleted))  # noqa: B023

    def _do_undo(self, step: Step, number: int) -> None:
        """Somebody takes back what they did last."""
        machine = self._machine(step)
        taken_back = machine.last_act
        if self._one(machine, number, lambda: "undo" if settlers.carried_out(machine, "undo", {}) else None):
            judge_undo(machine, taken_back)

    def _do_look(self, step: Step, number: int) -> None:
        workload.look(self._machine(step), self._fate.dice)

    def _do_psql(self, step: Step, number: int) -> None:
        done = self._server.psql(typists.direct_writes(self._fate.dice, self._server.tables, number))
        self._tell(number, "psql", done, self._server.tables.head)

    def _do_retime(self, step: Step, number: int) -> None:
        """Somebody with psql corrects when something was deleted or archived."""
        done = self._server.psql(typists.corrected_times(self._fate.dice))
        self._tell(number, "psql corrects times", done, self._server.tables.head)

    def _do_hold(self, step: Step, number: int) -> None:
        """An open transaction of somebody's holds a row, or a few."""
        rows = sorted(self._server.tables.rows[WORK_ITEM.name])
        if rows and not self._server.connection.held:
            dice = self._fate.dice
            row_id = dice.choice(rows)
            more = dice.sample(rows, min(len(rows), dice.choice((0, 0, 1, 2))))
            vendors = sorted(self._server.tables.rows[VENDOR.name]) if dice.random() < 0.3 else []
            self._server.connection.held = {(WORK_ITEM.name, one) for one in (row_id, *more)}
            self._server.connection.held |= {(VENDOR.name, one) for one in vendors[:1]}
            if dice.random() < 0.3:
                self._server.connection.going = {(WORK_ITEM.name, row_id)}
                self._held = lambda sql: sql.delete(WORK_ITEM, row_id)
            else:
                self._held = lambda sql: sql.update(WORK_ITEM, row_id, title=f"held {number}")
            self._tell(number, "psql holds", row_id, *more, *vendors[:1])

    def _do_release(self, step: Step, number: int) -> None:
        if self._server.connection.held:
            self._press(number)
        self._server.connection.held, self._server.connection.going = set(), set()
        held, self._held = self._held, None
        if held is not None:
            self._tell(number, "psql commits", self._server.psql(held))

    def _press(self, number: int) -> None:
        """The network is whole for a few rounds of everybody's: what does not need the held rows gets through."""
        for machine in self._machines:
            self._kill(machine)
        for _ in range(ROUNDS):
            for machine in self._machines:
                with suppress(UnavailableError, HeldElsewhere, Fenced):  # that rows are in the way
                    self._one_round(machine, number)
        for machine in self._machines:
            judge_passing(machine, self._server)
        self._tell(number, "what needs no held row is through")

    # The network

    def _do_cut_off(self, step: Step, number: int) -> None:
        self._machine(step).is_cut_off = True
        self._tell(number, "cut off", self._machine(step).name)

    def _do_connect(self, step: Step, number: int) -> None:
        self._machine(step).is_cut_off = False
        self._tell(number, "connected", self._machine(step).name)

    def _do_server_down(self, step: Step, number: int) -> None:
        self._server.is_down = True
        self._tell(number, "server down")

    def _do_server_up(self, step: Step, number: int) -> None:
        self._server.is_down = False
        self._tell(number, "server up")

    def _do_letter(self, step: Step, number: int) -> None:
        """A request that was repeated, or long on its way, arrives; nobody waits for the answer."""
        if self._letters:
            letter = self._letters.pop(step.seed % len(self._letters))
            self._judge.decided.clear()
            try:
                self._server.push(letter.identity, letter.push)
                answer = "answered"
            except (SyncError, UnavailableError) as error:
                answer = type(error).__name__
            self._tell(number, "a late push arrives", letter.push.mutations[0].number, len(letter.push.mutations), answer)

    # Rounds

    def _do_sync(self, step: Step, number: int) -> None:
        machine = self._machine(step)
        announced = step.seed % 2 == 0

        def body(task: Task) -> None:
            self._round(machine, task, self._weather, announced=announced)

        task = Task(f"{machine.name}/{number}", Random(step.seed), body)
        machine.tasks.append(task)
        self._resume(machine, task)

    def _do_resume(self, step: Step, number: int) -> None:
        paused = [(machine, task) for machine in self._machines for task in machine.tasks]
        if paused:
            machine, task = paused[step.who % len(paused)]
            self._tell(number, "resumes", task.name)
            self._resume(machine, task)

    def _resume(self, machine: Machine, task: Task) -> None:
        dice, self._fate.dice = self._fate.dice, task.dice
        with machine.clock():
            task.resume()
        self._fate.dice = dice
        if task.ended:
            machine.tasks.remove(task)
            if isinstance(task.error, Violation):
                raise task.error
            if task.error is not None:
                raise Violation(f"a round failed: {type(task.error).__name__}: {task.error}") from task.error

    def _round(self, machine: Machine, task: Task, weather: Weather, *, announced: bool) -> None:
        """`announced`: a notice has announced something, or what has come already."""
        disk = Disk(machine.store(), machine, task, weather, self._tell)
        wire = Wire(self._server, machine, task, weather, self._letters, self._tell)
        self._judge.decided.clear()
        try:
            done = sync_round(disk, wire, machine, batch=self._plan.batch, is_announced=announced)  # type: ignore[arg-type]
            restored = () if done.restored is None else ("restored", done.restored)
            self._tell(task.name, "round", *done[:4], done.head.seq, *restored)
        except (UnavailableError, HeldElsewhere, Fenced) as reason:
            self._tell(task.name, "round ends", type(reason).__name__, getattr(reason, "details", ""))
            if weather is CALM:
                raise

    def _do_quiesce(self, step: Step, number: int) -> None:
        """The network heals, everybody stops writing, and all sync until nothing is left to do."""
        self._server.is_down = False
        weather, self._weather = self._weather, CALM
        for machine in self._machines:
            machine.is_cut_off = False
            self._kill(machine)
        self._do_release(step, number)
        for _ in range(ROUNDS_TO_REST):
            for machine in self._machines:
                self._calm_round(machine, number)
            if all(machine.store().cursor() == self._server.head() for machine in self._machines):
                break
        for machine in self._machines:
            while not machine.store().index_text(1):
                pass  # what a bootstrap left out
        judge_rest(self._machines, self._server.tables, self._model)
        self._weather = weather
        self._tell(number, "at rest", self._server.tables.head)

    def _calm_round(self, machine: Machine, number: int) -> None:
        try:
            self._one_round(machine, number)
        except (UnavailableError, HeldElsewhere, Fenced) as reason:
            hold(False, "a round fails although nothing is in its way", machine.name, repr(reason))

    def _one_round(self, machine: Machine, number: int) -> None:
        task = Task(f"{machine.name}/{number}", Random(number), lambda _: None)
        with machine.clock():
            self._round(machine, task, CALM, announced=number % 2 == 0)


def _cut_off(machine: Machine, within: int, dice: Random, number: int, elsewhere: list[str]) -> str:
    with suppress(Crash), machine.power_cut_after(within):
        workload.work(machine, dice, number, elsewhere)
    return "power cut"


def run(plan: Plan) -> Result:
    """Runs a plan."""
    return World(plan).run()
