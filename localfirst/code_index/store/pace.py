"""How much to write at a time so that a transaction lasts as long as it should on this machine, at this moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from localfirst.code_index.store.transaction import TARGET_S

LEAST = 8
MOST = 512

_WEIGHT_OF_LAST = 0.2


class Pace:
    """Learns from what was written what the next transaction may hold."""

    def __init__(self, first: int) -> None:
        """Begins with `first` units, whatever the caller counts."""
        self.amount = first
        self._unit_s = TARGET_S / first

    @contextmanager
    def measuring(self, units: int) -> Iterator[None]:
        """Around the writing of so many units."""
        began = time.perf_counter()
        yield
        took = time.perf_counter() - began
        self._unit_s += _WEIGHT_OF_LAST * (took / max(units, 1) - self._unit_s)
        self.amount = max(LEAST, min(MOST, int(TARGET_S / self._unit_s)))
