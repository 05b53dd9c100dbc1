"""The head for the read path: asked on the main thread, where a silent server may cost a few milliseconds and no more.

The connection is made by a thread of its own, since resolving a name and connecting cannot be bounded, and is kept however
long it takes; until it stands, asking fails (after waiting for it within the budget).
"""

from __future__ import annotations

import threading
import time

from localfirst_schema.errors import UnavailableError

from localfirst_sync.ports import Cursor
from localfirst_sync.postgres import head as _head
from localfirst_sync.postgres.connection import Connection, close_quietly, closed_on_failure, connect, lost
from localfirst_sync.pulse import Pulse
from localfirst_sync.supervised import Supervised

RECONNECT_PAUSE_S = 1.0


class HeadProbe:
    """Asks for the head of one project. For one thread; `close` may come from any."""

    def __init__(self, dsn: str, project_id: str, pulse: Pulse | None = None) -> None:
        self._dsn = dsn
        self._project_id = project_id
        self._pulse = pulse or Pulse()
        self._connection: Connection | None = None
        self._coming: Connection | None = None  # the one that is being made ready
        self._connecting: Supervised | None = None
        self._ready = threading.Event()
        self._lock = threading.Lock()
        self._tried_at = float("-inf")
        self._closed = False

    def head(self, budget_ms: float) -> Cursor:
        """The head, after at most `budget_ms`. Raises `UnavailableError`; a connection that did not answer is made anew."""
        deadline = time.monotonic() + budget_ms / 1000
        if self._connection is None:
            self._start_connecting()
            self._ready.wait(budget_ms / 1000)
        connection = self._connection
        if connection is None:
            raise lost("connecting")
        try:
            return _head.ask(connection, self._project_id, max(0.0, (deadline - time.monotonic()) * 1000))
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
            coming = self._coming
        close_quietly(coming)
        self._drop()

    def _drop(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            self._ready.clear()
        close_quietly(connection)

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
            with closed_on_failure(connect(self._dsn, pulse=self._pulse)) as connection:
                with self._lock:
                    if self._closed:
                        raise lost("connecting")
                    self._coming = connection
                _head.prepare(connection)
        except UnavailableError:
            return  # whoever asks is logged that there is no connection
        finally:
            self._coming = None
        with self._lock:
            if not self._closed:
                self._connection, connection = connection, None  # type: ignore[assignment]  # handed over
                self._ready.set()
        close_quietly(connection)
