"""The head for the read path: asked on the main thread, where a silent server may cost a few milliseconds and no more.

The connection is made by a thread of its own, since resolving a name and connecting cannot be bounded, and is kept however
long it takes; until it stands, asking fails (after waiting for it within the budget). How one connects and asks is for the two
ways to a server: `postgres.probe` and `http.probe`.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from localfirst_schema.errors import UnavailableError

from localfirst_sync.ports import Cursor
from localfirst_sync.pulse import Pulse
from localfirst_sync.supervised import Supervised

RECONNECT_PAUSE_S = 1.0

_Connection = TypeVar("_Connection")


class HeadProbe(ABC, Generic[_Connection]):
    """Asks for the head of one project. For one thread; `close` may come from any."""

    def __init__(self, pulse: Pulse | None = None) -> None:
        self._pulse = pulse or Pulse()
        self._connection: _Connection | None = None
        self._connecting: Supervised | None = None
        self._ready = threading.Event()
        self._lock = threading.Lock()
        self._tried_at = float("-inf")
        self._closed = False

    def head(self, budget_ms: float) -> Cursor:
        """The head, after at most `budget_ms`. Raises `UnavailableError`; a connection that did not answer is made anew."""
        deadline = time.monotonic() + budget_ms / 1000
        if not self.is_ready():
            self._ready.wait(budget_ms / 1000)
        connection = self._connection
        if connection is None:
            raise self._lost("connecting")
        try:
            return self._asked(connection, max(0.0, deadline - time.monotonic()))
        except UnavailableError:
            self._drop()
            raise

    def is_ready(self) -> bool:
        """Whether the connection stands; if not, it is being made from now on."""
        if self._connection is None:
            self._start_connecting()
            return False
        return True

    def close(self) -> None:
        """Closes the connection, and the one that is being made ready; a question that is under way fails."""
        with self._lock:
            self._closed = True
        self._give_up()
        self._drop()

    @abstractmethod
    def _connected(self) -> _Connection:
        """A connection that is ready to be asked; in a thread. Raises `UnavailableError`."""

    @abstractmethod
    def _asked(self, connection: _Connection, budget_s: float) -> Cursor:
        """The head, within so many seconds. Raises `UnavailableError`."""

    @abstractmethod
    def _let_go(self, connection: _Connection) -> None:
        """Closes a connection, whatever is under way on it."""

    @abstractmethod
    def _lost(self, doing: str) -> UnavailableError:
        """The error for a server that does not answer."""

    def _give_up(self) -> None:
        """Ends the making of a connection that is under way, where that can be done."""

    def _drop(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            self._ready.clear()
        if connection is not None:
            self._let_go(connection)

    def _start_connecting(self) -> None:
        with self._lock:
            now = time.monotonic()
            busy = self._connecting is not None and self._connecting.is_alive()
            if self._closed or busy or now - self._tried_at < RECONNECT_PAUSE_S:
                return
            self._tried_at = now
            # The next question begins it again, if it fails.
            self._connecting = Supervised(self._connect, "localfirst-probe", begins_again=False)
            self._connecting.start()

    def _connect(self) -> None:
        try:
            connection = self._connected()
        except UnavailableError:
            return  # whoever asks learns that there is no connection
        with self._lock:
            if not self._closed:
                self._connection = connection
                self._ready.set()
                return
        self._let_go(connection)
