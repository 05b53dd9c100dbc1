"""The head for the read path, from a daemon: see `localfirst_sync.postgres.probe`, of which it is the counterpart."""

from __future__ import annotations

import threading
import time

from localfirst_schema.errors import UnavailableError

from localfirst_sync.http.address import parse
from localfirst_sync.http.failure import MeetAgain
from localfirst_sync.http.line import Line, lost
from localfirst_sync.http.messages import PROJECT_HEADER
from localfirst_sync.http.store import ask_head
from localfirst_sync.ports import Cursor
from localfirst_sync.pulse import Pulse
from localfirst_sync.supervised import Supervised

RECONNECT_PAUSE_S = 1.0


class HttpHeadProbe:
    """Asks for the head of one project. For one thread; `close` may come from any.

    The connection is made by a thread of its own, since resolving a name and connecting cannot be bounded.
    """

    def __init__(self, url: str, token: str, project_id: str, pulse: Pulse | None = None) -> None:
        self._address = parse(url)
        self._token = token
        self._headers = {PROJECT_HEADER: project_id}
        self._pulse = pulse or Pulse()
        self._line: Line | None = None
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
        line = self._line
        if line is None:
            raise lost("connecting")
        try:
            return ask_head(line, self._headers, max(0.0, deadline - time.monotonic()), self._pulse)
        except MeetAgain:
            raise lost("asking for the head") from None
        except UnavailableError:
            self._drop()
            raise

    def is_ready(self) -> bool:
        """Whether the connection stands; if not, it is being made from now on."""
        if self._line is None:
            self._start_connecting()
            return False
        return True

    def close(self) -> None:
        """Closes the connection; a question that is under way fails."""
        with self._lock:
            self._closed = True
        self._drop()

    def _drop(self) -> None:
        with self._lock:
            line, self._line = self._line, None
            self._ready.clear()
        if line is not None:
            line.shut()
            line.close()

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
        line = Line(self._address, self._token, self._pulse)
        try:
            line.connect()
        except UnavailableError:
            return  # whoever asks is told that there is no connection
        with self._lock:
            if not self._closed:
                self._line = line
                self._ready.set()
                return
        line.close()
