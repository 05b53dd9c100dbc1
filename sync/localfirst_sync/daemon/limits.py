"""How much one token, or one address without a good one, may ask for: a bucket of requests, which fills again by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

PER_SECOND = 500.0
BURST = 2_000.0
"""Of a token. A team may share one; an agent that does nothing but read asks for the head some hundred times a second."""

GUESSES_PER_SECOND = 5.0
GUESSES = 100.0
"""Of an address whose tokens are no good: each costs a look into PostgreSQL."""

KEPT_MAX = 20_000


class _Bucket(NamedTuple):
    level: float
    at: float


class Limit:
    """Buckets by name. For one thread."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._per_second, self._burst = per_second, burst
        self._buckets: dict[str, _Bucket] = {}

    def take(self, name: str) -> bool:
        """Whether one more may be taken out of the bucket of this name; it is, then."""
        level = self._level(name)
        if level < 1.0:
            return False
        self._buckets[name] = _Bucket(level - 1.0, self._clock())
        return True

    def is_empty(self, name: str) -> bool:
        """Whether nothing is left in it."""
        return self._level(name) < 1.0

    def _level(self, name: str) -> float:
        now = self._clock()
        if len(self._buckets) > KEPT_MAX:
            full_after_s = self._burst / self._per_second
            self._buckets = {one: bucket for one, bucket in self._buckets.items() if now - bucket.at < full_after_s}
        bucket = self._buckets.get(name)
        return self._burst if bucket is None else min(self._burst, bucket.level + self._per_second * (now - bucket.at))
