"""How fast a service may be asked: a number of requests in a minute, and not at all while it has asked for a pause."""

from __future__ import annotations

import threading
import time

from localfirst.embedding.provider import EmbeddingUnavailableError


class Pace:
    """Shared by all threads that ask one service."""

    def __init__(self, requests_per_minute: int | None) -> None:
        self._interval_s = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, deadline: float) -> None:
        """Returns when the next request may be sent.

        Raises EmbeddingUnavailableError if that is after `deadline` (of `time.monotonic`) because the service asked for a
        pause; a configured pace alone is waited for, however long it takes.
        """
        with self._lock:
            now = time.monotonic()
            begin = max(now, self._next)
            if begin > deadline and begin - now > self._interval_s:
                raise EmbeddingUnavailableError(
                    f"the embedding service asks for {begin - now:.0f} s of patience; it is asked again later."
                )
            self._next = begin + self._interval_s
        if begin > now:
            time.sleep(begin - now)

    def hold(self, pause_s: float) -> None:
        """No request before `pause_s` seconds are over."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + pause_s)
