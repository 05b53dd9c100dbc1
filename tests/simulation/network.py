"""What lies between a process and its two stores: a network that loses, repeats, delays and stops, and a power switch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from localfirst_schema.errors import UnavailableError
from localfirst_sync.ports import (
    Access,
    Again,
    Cursor,
    HistoryCount,
    HistoryRow,
    Identity,
    PullSink,
    Push,
    Pushed,
    RecoveryPart,
    Restored,
    Staging,
)
from localfirst_sync.structure import Key
from localfirst_sync.wake import Wake

from simulation.task import Crash, Task

if TYPE_CHECKING:
    from localfirst.replica.local_store import ReplicaStore
    from simulation.machine import Machine
    from simulation.server import Server

T = TypeVar("T")


@dataclass
class Weather:
    """How likely what is, at each effect; `killed_at` names one at which the process is killed in any case."""

    pause: float = 0.10
    crash: float = 0.02
    crash_within: float = 0.02
    lose_request: float = 0.03
    delay_request: float = 0.02
    lose_answer: float = 0.04
    repeat: float = 0.04
    killed_at: str = ""


CALM = Weather(0, 0, 0, 0, 0, 0, 0)


class Letter(NamedTuple):
    """A request that is still on its way when nobody waits for its answer any more."""

    identity: Identity
    push: Push


class Wire:
    """`RemoteStore` as one process sees it."""

    def __init__(
        self, server: Server, machine: Machine, task: Task, weather: Weather, letters: list[Letter], tell: Callable[..., None]
    ) -> None:
        self._server = server
        self._machine = machine
        self._task = task
        self._weather = weather
        self._letters = letters
        self._tell = tell

    def head(self) -> Cursor:
        """See `RemoteStore.head`."""
        return self._ask("head", self._server.head)

    def access(self) -> Access:
        """See `RemoteStore.access`."""
        return "write"

    def push(self, identity: Identity, pushed: Push) -> Pushed:
        """See `RemoteStore.push`."""
        dice, weather = self._task.dice, self._weather
        letter = Letter(identity, pushed)
        if dice.random() < weather.delay_request:
            self._letters.append(letter)
            self._tell("delayed", self._task.name, pushed.mutations[0].number, len(pushed.mutations))
            raise _away()
        answer = self._ask("push", lambda: self._server.push(identity, pushed))
        if dice.random() < weather.repeat:
            self._letters.append(letter)
        return answer

    def pull(self, cursor: Cursor, sink: PullSink, again: Again | None = None, known: Sequence[Cursor] = ()) -> Cursor:
        """See `RemoteStore.pull`."""
        return self._ask("pull", lambda: self._server.pull(cursor, sink, again, known))

    def snapshot(self, staging: Staging) -> None:
        """See `RemoteStore.snapshot`; whatever there is may happen before and within every page."""
        pages = Pages(staging.cursor, staging.read_at, staging.place)
        self._ask("snapshot", lambda: self._server.snapshot(pages))
        dice, weather = self._task.dice, self._weather
        for name, arguments in pages.in_parts(dice):
            stop(self._task, weather, self._tell, f"before staging {arguments[0] if name == 'rows' else name}")
            if self._is_cut() or dice.random() < weather.lose_answer:
                self._tell("lost page", self._task.name, name)
                raise _away()
            within = dice.randrange(1, 6) if dice.random() < weather.crash_within else None
            with self._machine.power_cut_after(within):
                getattr(staging, name)(*arguments)

    def confirm(self, cursor: Cursor) -> None:
        """See `RemoteStore.confirm`."""
        self._ask("confirm", lambda: self._server.confirm(cursor))

    def fence(self, identity: Identity) -> None:
        """See `RemoteStore.fence`."""
        self._ask("fence", lambda: self._server.fence(identity))

    def history_counts(self) -> dict[Key, HistoryCount]:
        """See `RemoteStore.history_counts`."""
        return self._ask("history counts", self._server.history_counts)

    def restore(self, identity: Identity, recovery_part: RecoveryPart, known: Cursor) -> Restored:
        """See `RemoteStore.restore`."""
        return self._ask("restore", lambda: self._server.restore(identity, recovery_part, known))

    def wait(self, wake: Wake, timeout_s: float) -> bool:
        """See `RemoteStore.wait`."""
        return False

    def close(self) -> None:
        """See `RemoteStore.close`."""

    def _ask(self, what: str, call: Callable[[], T]) -> T:
        dice, weather = self._task.dice, self._weather
        stop(self._task, weather, self._tell, f"before {what}")
        if self._is_cut() or dice.random() < weather.lose_request:
            self._tell("lost request", self._task.name, what)
            raise _away()
        answer = self._machine.elsewhere(call)
        stop(self._task, weather, self._tell, f"after {what}")
        if self._is_cut() or dice.random() < weather.lose_answer:
            self._tell("lost answer", self._task.name, what)
            raise _away()
        return answer

    def _is_cut(self) -> bool:
        return self._weather is not CALM and (self._server.is_down or self._machine.is_cut_off)


class Pages:
    """A `Staging` that keeps what it is given, to be handed on in parts."""

    def __init__(self, cursor: Cursor, read_at: Cursor, place: tuple[str, str | int] | None) -> None:
        self.cursor = cursor
        self.read_at = read_at
        self.place = place
        self._calls: list[tuple[str, tuple[Any, ...]]] = []

    def begin(self, head: Cursor) -> None:
        """See `Staging.begin`."""
        self.cursor = head
        self._calls.append(("begin", (head,)))

    def go_on(self, head: Cursor) -> None:
        """See `Staging.go_on`."""
        self._calls.append(("go_on", (head,)))

    def rows(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        """See `Staging.rows`."""
        self._calls.append(("rows", (table, rows)))

    def history(self, rows: Sequence[HistoryRow]) -> None:
        """See `Staging.history`."""
        self._calls.append(("history", (rows,)))

    def in_parts(self, dice: Random) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """The calls as they came, pages cut into smaller ones."""
        for name, (*first, last) in self._calls:
            if name in ("begin", "go_on"):
                yield name, (last,)
                continue
            size = dice.randrange(1, 40)
            for start in range(0, len(last), size):
                yield name, (*first, last[start : start + size])


_INTERRUPTED = (
    "begin_round", "acknowledge", "finish_pull", "take_new_identity", "next_push", "finish_recovery", "finish_bootstrap",
    "discard_bootstrap", "index_text",
)  # fmt: skip


class Disk:
    """`LocalStore` as one process sees it: the real one, with the power failing between and within its transactions."""

    def __init__(self, store: ReplicaStore, machine: Machine, task: Task, weather: Weather, tell: Callable[..., None]) -> None:
        self._store = store
        self._machine = machine
        self._task = task
        self._weather = weather
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name not in _INTERRUPTED:
            return method

        def interrupted(*arguments: Any) -> Any:
            stop(self._task, self._weather, self._tell, f"before {name}")
            dice = self._task.dice
            within = dice.randrange(1, 60) if dice.random() < self._weather.crash_within else None
            with self._machine.power_cut_after(within):
                done = method(*arguments)
            self._machine.after(name, arguments, done)
            stop(self._task, self._weather, self._tell, f"after {name}")
            return done

        return interrupted


def stop(task: Task, weather: Weather, tell: Callable[..., None], where: str) -> None:
    """A place where the process may be stopped for a while, or for good."""
    drawn = task.dice.random()
    if drawn < weather.pause:
        tell("pauses", task.name, where)
        task.pause()
    elif drawn < weather.pause + weather.crash or where == weather.killed_at:
        tell("killed", task.name, where)
        raise Crash


def _away() -> UnavailableError:
    return UnavailableError("the network is away", cause="simulated")
