"""The sync loop: rounds in a thread of its own, as soon as there is a reason for one.

A reason is the start, a local write (`wake`), a notice from the server, somebody who waits for a round (`request`), or the slow
poll. While the server is away the loop tries again after pauses with jitter that stay short enough for a queue to be empty
within seconds of its return. Nothing here raises to the caller: the state says in words what is wrong.

It is the one judge of whether the server is there (`is_there`): what others see of the server they tell it (`doubt`, and the
pulse), and ask.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from localfirst_schema import timestamps
from localfirst_schema.errors import LocalfirstError, UnavailableError

from localfirst_sync.lock import HeldElsewhere, ReplicaLock
from localfirst_sync.ports import BEGINNING, Cursor, Fenced, Identity, LocalStore, Progress, RemoteStore
from localfirst_sync.pulse import Pulse
from localfirst_sync.round import RoundResult, push_outbox, sync_round
from localfirst_sync.supervised import Supervised
from localfirst_sync.wake import Wake

logger = logging.getLogger("localfirst.sync")

POLL_S = 20.0
DEAF_POLL_S = 1.0
"""The poll behind a pooler, which swallows notices: once a poll has found what no notice had announced."""

BUSY_POLL_S = 0.5
"""How soon a push is tried again that had to give way to somebody else's locks."""

HELD_LOGGED_S = 3.0
"""After so long a wait for another process that syncs this replica, `last_error` says which one it is."""

HELD_S = 30.0
"""After so long, whoever waits for a round is informed of it: a first fill may take a while."""

GATHER_S = 0.02
"""How long a round waits after a local write for more of them: an agent rarely writes once."""

SPREAD_S = 0.02
LONGEST_SPREAD_S = 0.5
"""The shortest time from a round to the next one that a notice brings about: at once when nothing has happened for a while, but
many replicas that write would otherwise have each other pull every single change. It grows with what a round takes."""

MARK_S = 30.0
"""How often a replica that is level notes so; every time would be a write for nothing."""

HELD_ELSEWHERE = (
    "Another process{pid} has been syncing this replica for a long time (a first fill, or it hangs)."
    " Changes are kept in the replica and go out when it has ended."
)
TAKEN_OVER = "Process {pid} was stopped while it synced this replica; its round was taken over at {at}."

LOOK_EVERY_S = 0.1
"""How often whoever waits for a round that takes long looks whether anything moves."""

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 3.0
_EAGER_PAUSE_S = 0.5
"""The shortest time between two attempts that a wake-up can bring about while the server is away."""


class SyncLoop:
    """Keeps one replica level with its server.

    Args:
        open_local: opens the replica; called in the loop's thread.
        open_remote: makes the server's store; called in the loop's thread.
        lock_path: the lock file beside the replica; None for one in memory.
        on_round: called, in the loop's thread, after each round that did something.
        progress: called, in the loop's thread, with how far a round is.
        on_away: called, in the loop's thread, after each attempt that has failed.
        pulse: the server's, which `open_remote` makes its stores tell.

    Attributes:
        online: whether the server answered the last time. Whether it is there: `is_there`.
        first_contact: set when the first attempt has ended, well or not.
        is_idle: whether the loop waits for a reason to do something.
        last_contact: when the server last answered, by `time.monotonic`.
        last_check_at: when it was last asked, and `last_sync_at` when a round last succeeded, as canonical text.
        last_error: what is wrong, in words, or None.
        last_cause: the same for programs (`details["cause"]` of the error): ``replica`` where not the server is at fault.
        last_result: the last successful round that did something.
        last_takeover: which stopped process this one has taken a round over from, and when, in words.
    """

    def __init__(
        self,
        *,
        open_local: Callable[[], LocalStore],
        open_remote: Callable[[Identity], RemoteStore],
        lock_path: Path | None,
        poll_s: float = POLL_S,
        on_round: Callable[[RoundResult], None] | None = None,
        progress: Progress | None = None,
        on_away: Callable[[], None] | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self.pulse = pulse or Pulse()
        self._doubted_at = float("-inf")
        self._head: tuple[float, Cursor] = (float("-inf"), BEGINNING)
        self._open_local = open_local
        self._open_remote = open_remote
        self._lock = ReplicaLock(lock_path, takes_over=True)
        self._on_round = on_round
        self._progress = progress
        self._on_away = on_away
        self._poll_s = self._slow_poll_s = poll_s
        self._came_unannounced = self._has_news = False
        self._is_held_up = False
        self._held_since: float | None = None
        self._local: LocalStore | None = None
        self._remote: RemoteStore | None = None
        self._wake = Wake()
        self._thread = Supervised(self._run, "localfirst-sync", on_failure=self._broke_off, on_end=self._let_go)
        self._last_push = False
        self._answers = threading.Condition()
        self._asked = 0
        self._answered = 0
        self._answer: RoundResult | None = None
        self._failures = 0
        self._marked = float("-inf")
        self._spread_until = float("-inf")
        self.online = self.is_idle = False
        self.first_contact = threading.Event()
        self.last_contact = float("-inf")
        self.last_check_at: str | None = None
        self.last_sync_at: str | None = None
        self.last_error: str | None = None
        self.last_cause: str | None = None
        self.last_result: RoundResult | None = None
        self.last_takeover: str | None = None

    def start(self) -> None:
        """Starts the thread; the first round begins at once. A loop that was stopped before never begins."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to send. Costs about a microsecond; from any thread."""
        self._wake.set()

    def request(
        self, timeout_s: float, is_moving: Callable[[], bool] | None = None, *, has_news: bool = False
    ) -> RoundResult | None:
        """A round that begins after this call: its result, or None if it fails or takes longer than `timeout_s`.

        After that it is waited for while `is_moving`. Who `has_news` has seen that there is something to pull.
        """
        with self._answers:
            self._asked += 1
            self._has_news |= has_news
            ticket = self._asked
            self._wake.set()
            in_time = self._answers.wait_for(lambda: self._answered >= ticket or self._is_stopping(), timeout_s)
            while not in_time and is_moving is not None and is_moving():
                in_time = self._answers.wait_for(lambda: self._answered >= ticket or self._is_stopping(), LOOK_EVERY_S)
            return self._answer if in_time and self._answered >= ticket else None

    def is_there(self) -> bool:
        """Whether the server is there: it answered when it was last asked, and nobody has doubted it since it last spoke."""
        return self.online and max(self.last_contact, self.pulse.heard_at) > self._doubted_at

    def is_held_up(self) -> bool:
        """Whether the last round met rows that somebody holds: the server is there, and silent while one waits for them."""
        return self._is_held_up

    def is_doubted(self) -> bool:
        """Whether somebody found the server silent, and it has not spoken since."""
        return max(self.last_contact, self.pulse.heard_at) < self._doubted_at

    def doubt(self) -> None:
        """Somebody has got no answer from the server in time: it counts as away until it speaks. From any thread."""
        self._doubted_at = time.monotonic()
        self._wake.set()

    def head_since(self, asked_at: float) -> Cursor | None:
        """The server's head, if a round has asked for it after that time (`time.monotonic`), and has made the replica level."""
        began, head = self._head
        return head if began >= asked_at else None

    def stop(self, last_push_s: float) -> None:
        """Ends the loop after a last push of at most so many seconds (0: none); whatever hangs then is left to the process."""
        self._last_push = last_push_s > 0
        self._thread.stop()
        self._wake.set()
        with self._answers:
            self._answers.notify_all()
        self._thread.join(last_push_s)

    def _is_stopping(self) -> bool:
        return self._thread.stopping.is_set()

    def _run(self) -> None:
        try:
            while not self._is_stopping():
                self._attempt()
                self.first_contact.set()
                if not self._is_stopping():
                    self._await_reason()
            if self._last_push and self.online:
                self._push_last()
        finally:
            self.online = False
            self._close()

    def _broke_off(self, words: str) -> None:
        """The thread has failed where nothing was expected to, and begins again after a pause."""
        self.online, self.last_error, self.last_cause = False, words, None
        with self._answers:
            self._answer = None
            self._answered = self._asked
            self._answers.notify_all()
        self.first_contact.set()
        self._failed(words)

    def _let_go(self) -> None:
        self.first_contact.set()
        self._wake.close()

    def _attempt(self) -> None:
        """One round; what goes wrong is kept in the state."""
        self._wake.clear()
        with self._answers:
            serving = self._asked
            has_news, self._has_news = self._has_news, False
        self.last_check_at = timestamps.now()
        try:
            result = self._round(serving, has_news=has_news)
        except (HeldElsewhere, Fenced) as reason:
            logger.debug("another process syncs this replica (%s)", type(reason).__name__)
            held_s = self._held_for_s()
            words = _held_elsewhere(reason)
            self._answered_by_server(words if held_s >= HELD_LOGGED_S else None)
            self._wake.set()  # the other process may have begun before what is waited for here
            time.sleep(random.uniform(0.02, 0.2))  # noqa: S311 - it spreads processes, it hides nothing
            if held_s < HELD_S:
                return
            self._held_up(words)
        except LocalfirstError as error:
            if error.details.get("cause") == "busy":
                self._held_up(error.message)
            else:
                if error.details.get("cause") == "timeout":
                    with self._answers:
                        serving = (
                            self._asked
                        )  # whoever asked meanwhile has waited for this silence: another try would double it
                self._failed(error.message, error.details.get("cause"))
                if self.last_cause == "replica":
                    self._close()  # a statement that was broken off would be in the way of every later transaction
        except Exception as error:
            logger.exception("a round of sync failed")
            what = f"The sync engine failed unexpectedly ({type(error).__name__})"
            self._failed(f"{what}; its log has the details. It tries again by itself.")
            self._close()
        else:
            self._succeeded(result)
        self._held_since = None
        with self._answers:
            self._answered = serving
            self._answers.notify_all()

    def _held_for_s(self) -> float:
        now = time.monotonic()
        if self._held_since is None:
            self._held_since = now
        return now - self._held_since

    def _round(self, serving: int, *, has_news: bool) -> RoundResult:
        if self._local is None:
            self._local = self._open_local()
        is_kept = self._remote is not None
        if self._remote is None:
            self._remote = self._open_remote(self._local.identity())
        began = time.monotonic()
        taken_from = self._lock.taken_from
        try:
            result = self._synced(self._local, self._remote, is_kept=is_kept, has_news=has_news)
        finally:
            if (stopped := self._lock.taken_from) is not None and stopped is not taken_from:
                self.last_takeover = TAKEN_OVER.format(pid=stopped.pid, at=timestamps.now())
        self._head = began, result.head
        self._let_wake_up_rest(self._local, serving)
        ended = time.monotonic()
        if result[:2] != (0, 0):
            self._spread_until = ended + min(max(SPREAD_S, 4 * (ended - began)), LONGEST_SPREAD_S)
        if self._local.lacks_text():
            self._wake.set()
        now = time.monotonic()
        if serving > self._answered or now - self._marked >= MARK_S:
            self._local.mark_synced()
            self._marked = now
        return result

    def _let_wake_up_rest(self, local: LocalStore, serving: int) -> None:
        """Who wrote after the round began, and before it looked into the outbox, was served: another one would ask in vain.

        What woke is looked at after the wake-up was cleared, so that none is lost.
        """
        if not self._wake.clear():
            return
        if local.pending_count() or self._asked > serving or self._has_news or self.is_doubted() or self._is_stopping():
            self._wake.set()

    def _synced(self, local: LocalStore, remote: RemoteStore, *, is_kept: bool, has_news: bool) -> RoundResult:
        try:
            return sync_round(local, remote, self._lock, progress=self._progress, is_announced=has_news)
        except UnavailableError as error:
            if not is_kept or error.details.get("cause") != "connection":
                raise
            # A connection that was idle may have been cut by somebody on the way: another one says whether that is all.
            return sync_round(local, remote, self._lock, progress=self._progress)

    def _succeeded(self, result: RoundResult) -> None:
        self._answered_by_server()
        self.last_sync_at = timestamps.now()
        self._answer = result
        if self._came_unannounced and result.pulled:
            self._poll_s = min(self._poll_s, DEAF_POLL_S)
        if result[:4] != (0, 0, 0, 0):
            self.last_result = result
            logger.debug("round: %s", result)
            if self._on_round is not None:
                self._logged(partial(self._on_round, result))

    def _logged(self, tell: Callable[[], None]) -> None:
        """What fails in whoever listens is none of the loop's failures."""
        try:
            tell()
        except Exception:
            logger.exception("whoever follows the sync loop failed to take its news")

    def _answered_by_server(self, error: str | None = None) -> None:
        if not self.online:
            logger.info("the server answers")
        self._failures = 0
        self._is_held_up = False
        self.online = True
        self.last_contact = time.monotonic()
        self.last_error, self.last_cause = error, None

    def _held_up(self, message: str) -> None:
        """The server answers, but rows are locked there: that is no outage."""
        self._answered_by_server(message)
        self._answer = None
        self._is_held_up = True

    def _failed(self, message: str, cause: str | None = None) -> None:
        if self.online or self._failures == 0:
            logger.warning("sync waits: %s", message)
        self._failures += 1
        self.online = self._is_held_up = False
        self.last_error, self.last_cause = message, cause
        self._answer = None
        if self._on_away is not None:
            self._logged(self._on_away)

    def _await_reason(self) -> None:
        if self._failures:
            self._pause()
        elif self._remote is not None:
            self._listen(self._remote)

    def _listen(self, remote: RemoteStore) -> None:
        try:
            self.is_idle = True
            noticed = remote.wait(self._wake, BUSY_POLL_S if self._is_held_up else self._poll_s)
        except LocalfirstError as error:
            self._failed(error.message)
            return
        finally:
            self.is_idle = False
        if noticed and (left := self._spread_until - time.monotonic()) > 0:
            self._wake.wait(left)
        woken = self._wake.wait(0)
        self._came_unannounced = not noticed and not woken
        if noticed:
            self._has_news = True
            self._poll_s = self._slow_poll_s
        if woken and not self._is_stopping() and self._asked == self._answered:
            time.sleep(GATHER_S)

    def _pause(self) -> None:
        """Waits out the pause; a wake-up shortens it to `_EAGER_PAUSE_S`."""
        began = time.monotonic()
        longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        until = began + random.uniform(0, longest)  # noqa: S311 - it spreads clients, it hides nothing
        while not self._is_stopping() and (left := until - time.monotonic()) > 0:
            if self._wake.wait(left):
                self._wake.clear()
                until = min(until, began + _EAGER_PAUSE_S)

    def _push_last(self) -> None:
        try:
            if self._local is not None and self._remote is not None and self._local.pending_count():
                with self._lock.held(0):
                    push_outbox(self._local, self._remote)
        except Exception as error:  # noqa: BLE001 (the changes are kept, and go out at the next start)
            logger.info("the last push was not made: %s", type(error).__name__)

    def _close(self) -> None:
        stores = (self._remote, self._local)
        self._local = self._remote = None
        for store in stores:
            if store is not None:
                try:
                    store.close()
                except Exception:
                    logger.exception("a store could not be closed")


def _held_elsewhere(reason: HeldElsewhere | Fenced) -> str:
    holder = reason.holder if isinstance(reason, HeldElsewhere) else None
    return HELD_ELSEWHERE.format(pid="" if holder is None else f" ({holder.pid})")
