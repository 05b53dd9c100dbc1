"""The link to the server: the sync loop in its thread, and a probe for the head on the reader's own.

Whether the server is there says the loop, and nobody else; what a read sees of it goes to the loop. How long anything is waited
for follows the round trip that was measured, and what moves is waited for and kept: see `localfirst_sync.pulse`.

Everything of the server is imported in the loop's thread, after start-up: loading the driver takes longer than everything
else. A link never raises: a server that is away shows as None, False, or words in `last_error`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from localfirst_sync.pulse import STANDSTILL_S, Pulse
from localfirst_sync.supervised import Supervised

from localfirst.client.binding import note_name
from localfirst.client.circuit import Circuit
from localfirst.client.way import Probe, describe_server, open_probe, open_remote
from localfirst.settings import Settings
from localfirst.settings.untrusted import check_name

if TYPE_CHECKING:
    from localfirst_sync.loop import SyncLoop
    from localfirst_sync.ports import Identity, Progress, RemoteStore
    from localfirst_sync.round import RoundResult

    from localfirst.replica.local_store import ReplicaStore

logger = logging.getLogger("localfirst.link")

PROBE_BUDGET_S = 0.25
PROBE_TRIPS = 4
"""How long a read waits for the server's head; afterwards reads do without it until the loop has reached it again."""

ROUND_BUDGET_S = 1.0
ROUND_TRIPS = 10
"""How long a read waits for a round: that asks for the head where no probe stands yet, or that brings what a read needs."""

FIRST_CONNECTION_S = 1.5
"""How long the first read waits for the first connection, or for the news that there is none."""

START_S = 10.0
"""How long the driver's loading may take, which is no budget of the server's: a crowded machine needs seconds for it."""

KNOWN_AWAY_S = 0.4
"""The same where another process of this replica has found the server away a moment ago: enough for one that is back."""

LONG_TRY_S = 0.7
"""After so long a try that has not ended is taken for one that will not, when a process ends and others are to be informed."""

SILENT = "PostgreSQL does not answer. Changes are kept in the replica and go out when it is back."
"""What is wrong with a server that has taken a connection, or is asked for one, and says nothing."""

FIRST_FILL_S = 5.0
FIRST_FILL_TRIPS = 40
"""How long the first read waits for a first round that moves: an empty answer would help nobody."""

LOOK_EVERY_S = 0.05

SENT_S = 20.0
"""How long a program that is about to end waits for its changes to be sent, while anything moves."""


class ServerLink:
    """Starts, wakes and stops the sync loop, and asks for the server's head.

    The circuit breaker: when the server was silent, the loop is informed, and no read asks again before it has heard of the
    server. Other processes of the same replica are informed too (`Circuit`).

    Attributes:
        on_round: called, in the loop's thread, with what a round did that did something (`pushed`, `pulled`, …).
        on_progress: called, in the loop's thread, with how far a round is: (done, total, ``push`` or ``pull``).
        on_away: called, in the loop's thread, after each try that has found the server away.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        open_store: Callable[[], ReplicaStore] | None = None,
    ) -> None:
        """For the replica of the settings; one in memory is opened by `open_store`."""
        assert settings.has_server
        self._settings = settings
        self._file = settings.replica if open_store is None else None
        self._open_store = open_store or self._open_file
        self._circuit = Circuit(settings.replica)
        self._was_away = self._circuit.is_broken()
        self._others_know = self._was_away
        self._pulse = Pulse()
        self._loop: SyncLoop | None = None
        self._store: ReplicaStore | None = None  # the loop's
        self._probe: Probe | None = None
        self._made_at = time.monotonic()
        self._fresh_since: float | None = None
        self._ready = threading.Event()
        self._opened = threading.Event()
        self._news = threading.Event()
        self._has_waited = False
        self._tried_at = self._progress_at = float("-inf")
        self._lock = threading.Lock()
        self._stopped = False
        self._begin_error: str | None = None
        self._beginning = Supervised(self._begin, "localfirst-link", on_failure=self._could_not_begin)
        self._done = {"pushed": 0, "pulled": 0, "merged": 0, "conflicts": 0}
        self.on_round: Callable[[dict[str, int]], None] | None = None
        self.on_progress: Progress | None = None
        self.on_away: Callable[[], None] | None = None

    def start(self) -> None:
        """Starts the loop in the background; returns at once. A link that was stopped before never begins."""
        self._beginning.start()

    def _begin(self) -> None:
        try:
            loop = self._begun()
        finally:
            self._ready.set()
        self._begin_error = None
        if self._others_know and loop is not None and loop.first_contact.wait() and loop.online:
            self._tell_others(is_away=False)

    def _begun(self) -> SyncLoop | None:
        """The loop, at work; None if the link was stopped before there was one."""
        from localfirst_sync.loop import SyncLoop

        with self._lock:
            if self._stopped:
                return None
            if self._loop is None:
                self._loop = SyncLoop(
                    open_local=self._open_named_store,
                    open_remote=self._open_remote,
                    lock_path=None if self._file is None else self._file.with_name(f"{self._file.name}.lock"),
                    on_round=self._take_round,
                    progress=self._take_progress,
                    on_away=self._take_outage,
                    pulse=self._pulse,
                )
            self._tried_at = time.monotonic()
            self._loop.start()
            return self._loop

    def _could_not_begin(self, words: str) -> None:
        self._begin_error = words

    def _tell_others(self, *, is_away: bool) -> None:
        self._others_know = is_away
        if is_away:
            self._circuit.break_()
        else:
            self._circuit.close()

    def _open_named_store(self) -> ReplicaStore:
        check_name(self._settings)
        self._store = self._open_store()
        return self._store

    def _open_remote(self, identity: Identity) -> RemoteStore:
        """The server, which is to be the one that the loop's replica knows."""
        self._opened.set()
        assert self._store is not None
        return open_remote(self._settings, identity, self._store.known_server(self._take_name), self._pulse)

    def _take_name(self, name: str) -> None:
        """The server calls the project so: from now on the name leads to the replica, for other directories as well."""
        if self._file is not None:
            note_name(self._settings, name)

    def _open_file(self) -> ReplicaStore:
        from localfirst.replica.connection import connect
        from localfirst.replica.local_store import ReplicaStore

        assert self._file is not None
        return ReplicaStore(connect(self._file))

    def _take_round(self, result: RoundResult) -> None:
        counts = {name: getattr(result, name) for name in self._done}
        for name, count in counts.items():
            self._done[name] += count
        if self._pulse.clock_offset_s is not None and self._store is not None:
            self._store.note_clock(self._pulse.clock_offset_s)
        self._news.set()
        if self.on_round is not None:
            self.on_round(counts)

    def _take_progress(self, done: int, total: int, phase: str) -> None:
        self._pulse.moved()
        self._progress_at = time.monotonic()
        if self.on_progress is not None:
            self.on_progress(done, total, phase)

    def _take_outage(self) -> None:
        self._opened.set()
        self._news.set()
        if self.on_away is not None:
            self.on_away()

    def done(self) -> dict[str, int]:
        """What all rounds since the start did together: `pushed`, `pulled`, `merged`, `conflicts`."""
        return dict(self._done)

    def wake(self) -> None:
        """There is something to send."""
        if self._loop is not None:
            self._loop.wake()

    def for_one_command(self) -> None:
        """The process ends soon: what a round found since it began is fresh enough for all it reads, over one connection."""
        self._fresh_since = self._made_at

    def await_sent(self, is_sent: Callable[[], bool], tell: Callable[[], None], *, patience_s: float) -> None:
        """Waits until all is sent: for `patience_s`, then while anything moves (at most `SENT_S`), which calls `tell`.

        A server that is known to be away, or that does not take the changes, is not waited for.
        """
        self._opened.wait(START_S)
        began = time.monotonic()
        has_reported = False
        while not is_sent():
            waited_s = time.monotonic() - began
            is_over = waited_s >= (KNOWN_AWAY_S if self._was_away else patience_s)
            if self._is_stuck() or waited_s >= SENT_S or (is_over and not self._is_moving()):
                return
            if waited_s >= patience_s and not has_reported:
                has_reported = True
                tell()
            self._news.wait(LOOK_EVERY_S)
            self._news.clear()

    def _is_stuck(self) -> bool:
        """Whether the server is away, or there and does not take what waits (it says why)."""
        return self._has_tried() and (not self._is_there() or (self._loop is not None and self._loop.last_error is not None))

    def _has_tried(self) -> bool:
        return self._loop is not None and self._loop.first_contact.is_set()

    def stop(self, last_push_s: float, *, has_waited: bool = False) -> bool:
        """Ends the loop, after a last push of at most so many seconds; a server that is known to be away is not waited for.

        Nor is one that was waited for already. Returns whether the server answered when it was last asked.
        """
        contact_s = 0.0 if has_waited else KNOWN_AWAY_S if self._was_away else last_push_s
        if last_push_s > 0 and not self._is_there_in(contact_s):
            last_push_s = 0.0
        is_there = self._is_there()
        self._beginning.stop()
        with self._lock:
            self._stopped = True
        try:
            if self._loop is not None:
                self._loop.stop(last_push_s)
        finally:
            self._drop_probe()
        return is_there

    def _drop_probe(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            probe.close()

    def _is_there_in(self, budget_s: float) -> bool:
        """Whether the server answers, or does within the budget (the driver's import not counted); others learn it if not."""
        self._opened.wait(budget_s)
        if not self._await_contact(time.monotonic() + budget_s):
            if self._loop is not None and time.monotonic() - self._tried_at >= LONG_TRY_S and not self._pulse.is_moving():
                self._tell_others(is_away=True)
            return False
        return self._is_there()

    def is_online(self) -> bool:
        """Whether the server is there; waits for the outcome of the very first try."""
        self._await_first_contact()
        return self._is_there()

    def _is_there(self) -> bool:
        return self._loop is not None and self._loop.is_there()

    def is_known_away(self) -> bool:
        """Whether the server has been tried, by this process or a moment ago by another one, and does not answer.

        Never waits: writes ask this.
        """
        return not self._is_there() if self._has_tried() else self._was_away

    def is_replica_in_the_way(self) -> bool:
        """Whether the loop cannot go on because of the replica (a full disk, damage), and not because of the server."""
        return self._loop is not None and self._loop.last_cause == "replica"

    def _await_first_contact(self) -> None:
        if self._has_waited or self._has_tried():
            return
        self._has_waited = True
        self._opened.wait(START_S)
        began = time.monotonic()
        budget_s = KNOWN_AWAY_S if self._was_away else FIRST_CONNECTION_S
        # The loop may have opened its store before the thread that has made it says so.
        if self._loop is None or self._await_contact(began + budget_s):
            return
        # A connection is being made, or rows are coming: the line is long, or the first round is. Who has no replica asks other
        # layers rather than wait for a connection.
        while (now := time.monotonic()) - began < self._pulse.budget_s(FIRST_FILL_S, FIRST_FILL_TRIPS) and self._is_coming():
            if self._await_contact(now + LOOK_EVERY_S):
                return
        if not self._is_coming():
            self._was_away = True
            self._tell_others(is_away=True)

    def _is_coming(self) -> bool:
        are_rows_coming = time.monotonic() - self._progress_at < STANDSTILL_S
        return are_rows_coming or (self._file is not None and self._is_moving())

    def _is_moving(self) -> bool:
        return self._pulse.is_moving(KNOWN_AWAY_S if self._was_away else STANDSTILL_S)

    def await_first_round(self, timeout_s: float) -> bool:
        """Waits for the end of the very first round, while that is under way; whether the server answers."""
        deadline = time.monotonic() + timeout_s
        self._ready.wait(max(0.0, timeout_s))
        self._await_contact(deadline)
        return self._is_there()

    def _await_contact(self, deadline: float) -> bool:
        return self._loop is not None and self._loop.first_contact.wait(max(0.0, deadline - time.monotonic()))

    def clock_offset_s(self) -> float | None:
        """How far the server's clock is ahead of this machine's; None while it has not been asked."""
        return self._pulse.clock_offset_s

    def head(self) -> tuple[int, int] | None:
        """The number and tag of the server's last change, or None while the server does not answer in time."""
        asked_at = time.monotonic()
        if not self.is_online():
            return None
        assert self._loop is not None
        head: tuple[int, int] | None = self._loop.head_since(asked_at if self._fresh_since is None else self._fresh_since)
        if head is None:
            head = self._ask(self._loop)
        if head is None:
            if self._pulse.heard_at < asked_at and not self._loop.is_held_up():
                self._loop.doubt()
                self._tell_others(is_away=True)
        elif self._others_know:
            self._tell_others(is_away=False)
        return head

    def _ask(self, loop: SyncLoop) -> tuple[int, int] | None:
        """Over a connection of the reader's own, or by a round of the loop while that one is being made, or is of no use."""
        try:
            if self._fresh_since is None:
                if self._probe is None:
                    self._probe = self._open_probe()
                if self._probe.is_ready() or not loop.is_idle:
                    return self._probe.head(1000 * self._pulse.budget_s(PROBE_BUDGET_S, PROBE_TRIPS))
        except Exception as error:  # noqa: BLE001 (a read goes on without the probe, whatever is wrong with it)
            logger.info("the server does not answer a read: %s", type(error).__name__)
        done = loop.request(self._pulse.budget_s(ROUND_BUDGET_S, ROUND_TRIPS))
        return None if done is None else done.head

    def _open_probe(self) -> Probe:
        store = self._open_store()
        try:
            return open_probe(self._settings, store.identity().project_id, self._pulse)
        finally:
            store.close()

    def pull(self, timeout_s: float) -> bool:
        """A round that brings what the head has reported, waited for; False if it did not end in time, or failed."""
        return self._loop is not None and self._loop.request(timeout_s, has_news=True) is not None

    def pull_budget_s(self) -> float:
        """How long a read waits for a pull that it needs; after that it answers from the replica as it is."""
        return self._pulse.budget_s(ROUND_BUDGET_S, ROUND_TRIPS)

    def sync(self, timeout_s: float, *, while_moving_s: float = 0.0) -> dict[str, Any] | None:
        """A whole round that began after this call: what it did, or None if the server did not answer in time.

        A first try or a round that moves is waited for longer, up to `while_moving_s` in all.
        """
        started = time.monotonic()
        self._ready.wait(timeout_s)
        if self._loop is None:
            return None
        done = self._loop.request(timeout_s, lambda: time.monotonic() - started < while_moving_s and self._pulse.is_moving())
        if done is None:
            return None
        return {
            "pushed": done.pushed,
            "pulled": done.pulled,
            "merged": done.merged,
            "conflicts": done.conflicts,
            "duration_ms": round(1000 * (time.monotonic() - started), 1),
        }

    def last_error(self) -> str | None:
        """What went wrong last, in words, while the server is away; also before a try that hangs has failed."""
        if self._loop is None:
            return self._begin_error
        if self._loop.last_error is not None or self._is_there():
            return self._loop.last_error
        return SILENT if self._has_waited or self._loop.is_doubted() else None

    def last_cause(self) -> str | None:
        """The same for programs: `details.cause` of the error."""
        return self._loop.last_cause if self._loop is not None else None

    def last_takeover(self) -> str | None:
        """Which stopped process this one has taken a round over from, in words."""
        return self._loop.last_takeover if self._loop is not None else None

    def is_silent(self) -> bool:
        """Whether the last try ended without any answer."""
        return self._loop is not None and self._loop.last_cause == "timeout"

    def last_check_at(self) -> str | None:
        """When the server was last asked."""
        return self._loop.last_check_at if self._loop is not None else None

    def server(self) -> str:
        """Where the server is, without credentials."""
        return describe_server(self._settings)
