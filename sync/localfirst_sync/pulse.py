"""The pulse of a server: its last signs of life, and how long a round trip to it takes.

Every connection of a process tells it what it sees; whoever waits asks it how long that makes sense. A server on the other side
of the world is slow at everything and moves all the time, one that is gone does not move. So budgets are multiples of the trip,
and what moves is waited for. Written and read by several threads: each value is replaced whole.
"""

from __future__ import annotations

import time

_WEIGHT = 0.25
"""How much one exchange moves the measured trip."""

STANDSTILL_S = 1.0
STANDSTILL_TRIPS = 4


class Pulse:
    """What is known of one server by one process.

    Attributes:
        heard_at: when a connection that stands last brought anything, by `time.monotonic`.
        moved_at: the same, also of connections that are being made (each step of one counts).
        trip_s: how long a small question and its answer take; 0 while none was measured.
        clock_offset_s: how far the server's clock is ahead of this machine's; None while nobody has asked.
    """

    clock_offset_s: float | None = None

    def __init__(self) -> None:
        self.heard_at = self.moved_at = float("-inf")
        self.trip_s = 0.0

    def heard(self) -> None:
        """The server has said something."""
        self.heard_at = self.moved_at = time.monotonic()

    def moved(self) -> None:
        """A connection that is being made is a step further: something answers, though perhaps not the server."""
        self.moved_at = time.monotonic()

    def measured(self, trip_s: float) -> None:
        """A small question was answered after so long."""
        self.trip_s = trip_s if self.trip_s == 0 else self.trip_s + _WEIGHT * (trip_s - self.trip_s)

    def logged_time(self, unix_s: float, trip_s: float) -> None:
        """The server's clock stood so at about the middle of a trip that has just ended."""
        self.clock_offset_s = unix_s - (time.time() - trip_s / 2)

    def measured_step(self, step_s: float) -> None:
        """A step of a connection that is being made took so long: about a trip, and perhaps nothing better is known yet."""
        self.trip_s = max(self.trip_s, step_s)

    def budget_s(self, least_s: float, trips: float) -> float:
        """So many trips, and not less than what is fair on a short line."""
        return max(least_s, trips * self.trip_s)

    def is_moving(self, standstill_s: float = STANDSTILL_S) -> bool:
        """Whether anything has moved a moment ago, so that waiting on makes sense."""
        return time.monotonic() - self.moved_at < self.budget_s(standstill_s, STANDSTILL_TRIPS)
