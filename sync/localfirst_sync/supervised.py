"""Threads of the program's own, of which none ends unseen.

What ends one (any exception, also such as are meant for the whole process) is logged, kept in words, and reported to its owner;
then it begins again after a pause that doubles, with jitter. It is over when its target returns, or when it is stopped, and
what was stopped never begins. Every thread of the engine and of the client is one of these.

Failure behaviour: what fails in the owner's `on_failure` or `on_end` is logged. A thread that cannot be started at all is the
caller's error, as with `threading.Thread`.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

logger = logging.getLogger("localfirst.threads")

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
STEADY_S = 60.0
"""A turn that has lasted so long was no vain try: the next pause is the first one again."""


class Supervised:
    """A thread that is begun again when it fails. `start`, `stop` and `join` may be called from any thread.

    Args:
        target: the work of the thread; it looks at `stopping`, and is over when it returns.
        name: the thread's, in the log.
        begins_again: False for one that its owner replaces: it is logged, and over.
        on_failure: called in the thread, in words, after each turn that has failed.
        on_end: called once, when it is over for good: in the thread, or in `stop` if it has never begun.
        daemon: whether the end of the process does not wait for it.

    Attributes:
        stopping: set when it is to end.
        last_error: what ended its last turn, in words; None if no turn has failed.
    """

    def __init__(
        self,
        target: Callable[[], None],
        name: str,
        *,
        begins_again: bool = True,
        on_failure: Callable[[str], None] | None = None,
        on_end: Callable[[], object] | None = None,
        daemon: bool = True,
    ) -> None:
        self.name = name
        self.stopping = threading.Event()
        self.last_error: str | None = None
        self._target = target
        self._begins_again = begins_again
        self._on_failure = on_failure
        self._on_end = on_end
        self._lock = threading.Lock()
        self._has_begun = self._is_over = False
        self._failures = 0
        self._thread = threading.Thread(target=self._live, name=name, daemon=daemon)

    def start(self) -> None:
        """Begins, unless it was stopped before or has begun already."""
        with self._lock:
            if self._has_begun or self.stopping.is_set():
                return
            self._thread.start()
            self._has_begun = True

    def is_alive(self) -> bool:
        """Whether it is at work, or pauses."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Asks it to end, and does not wait for that; one that has not begun never will."""
        self.stopping.set()
        with self._lock:
            is_over = not self._has_begun
        if is_over:
            self._end()

    def join(self, timeout_s: float | None = None) -> bool:
        """Waits for its end; whether it has ended. A thread does not wait for itself."""
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _live(self) -> None:
        try:
            while not self.stopping.is_set():
                began = time.monotonic()
                try:
                    self._target()
                    return
                except BaseException as error:  # noqa: BLE001 - a thread has no caller that it could tell
                    pause_s = self._failed(error, time.monotonic() - began)
                if not self._begins_again:
                    return
                self.stopping.wait(pause_s)
        finally:
            self._end()

    def _failed(self, error: BaseException, lasted_s: float) -> float:
        """Says what has ended a turn; returns the pause until the next one."""
        self._failures = 1 if lasted_s >= STEADY_S else self._failures + 1
        again = " It begins again by itself." if self._begins_again else ""
        words = f"The thread {self.name} ended unexpectedly ({type(error).__name__}); the log has the details.{again}"
        is_repeated, self.last_error = self.last_error == words, words
        if is_repeated:
            logger.error("the thread %s failed again (%s)", self.name, type(error).__name__)
        else:
            logger.error("the thread %s failed", self.name, exc_info=error)
        if self._on_failure is not None:
            try:
                self._on_failure(words)
            except BaseException:
                logger.exception("it could not be reported that the thread %s has failed", self.name)
        longest_s: float = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._failures - 1, 10))
        return random.uniform(longest_s / 2, longest_s)  # noqa: S311 - it spreads threads, it hides nothing

    def _end(self) -> None:
        with self._lock:
            is_over, self._is_over = self._is_over, True
        if is_over or self._on_end is None:
            return
        try:
            self._on_end()
        except BaseException:
            logger.exception("the thread %s did not let go of everything", self.name)
