"""When the process ends: at a signal, or with its client, and in any case within seconds.

A thread of its own waits for both, since the main thread may be held up by an operation: the time from the signal, or from
the client's end, to the end of the process is limited. Signals reach it through the descriptor that Python's own handler
writes to, so that no exception is ever raised in the middle of something.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable
from functools import partial

from localfirst_sync.supervised import Supervised

from localfirst.mcp_server.descriptors import STDIN

END_LIMIT_S = 5.0
"""From the client's end, or a signal, to the end of the process: half a second for answers, one for the last push."""
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def leave_at_signals() -> None:
    """Until somebody is served nothing can be lost: a signal ends the process at once."""
    for number in ENDING_SIGNALS:
        signal.signal(number, _leave)


class Ending:
    """Watches from its construction on; to be made in the main thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._signalled = self._is_ending = self._is_client_gone = False
        self._on_signal: Callable[[], object] | None = None
        if hasattr(select, "poll"):
            self._watch_descriptors()
        else:
            for number in ENDING_SIGNALS:
                signal.signal(number, lambda *_: self._end())

    @property
    def signalled(self) -> bool:
        """Whether a signal has come."""
        return self._signalled

    def call(self, on_signal: Callable[[], object]) -> None:
        """Have `on_signal` called, from any thread, when a signal comes or if one has come already."""
        with self._lock:
            self._on_signal = on_signal
            if self._signalled:
                on_signal()

    def _watch_descriptors(self) -> None:
        client = os.dup(STDIN)
        signals, wakeup = os.pipe()
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        for number in ENDING_SIGNALS:
            signal.signal(number, _nothing)

        Supervised(partial(self._watch, client, signals), "localfirst-end-watch").start()

    def _watch(self, client: int, signals: int) -> None:
        if self._signalled:  # this thread failed when it was about to end the process
            self._end()
        poll = select.poll()
        if not self._is_client_gone:
            poll.register(client, getattr(select, "POLLRDHUP", 0))
        poll.register(signals, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == client:
                    _end_at_latest_in(END_LIMIT_S, 1)
                    self._is_client_gone = True
                    poll.unregister(client)
                elif not set(os.read(signals, 64)).isdisjoint(ENDING_SIGNALS):
                    self._signalled = True
                    self._end()

    def _end(self) -> None:
        with self._lock:
            if self._is_ending:
                return
            self._signalled = True
            try:
                _end_at_latest_in(END_LIMIT_S, 0)
            finally:
                if self._on_signal is not None:
                    self._on_signal()
            self._is_ending = True


def _end_at_latest_in(seconds: float, status: int) -> None:
    def leave() -> None:
        time.sleep(seconds)
        os._exit(status)

    Supervised(leave, "localfirst-end-limit").start()


def _leave(*_: object) -> None:
    os._exit(0)


def _nothing(*_: object) -> None:
    """Stands where Python's handler only has to write to the descriptor."""
