"""Where time, ids and chance come from while a simulation runs: the seed, and nothing else."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from unittest.mock import patch

from localfirst_schema import identifiers, timestamps
from localfirst_sync.postgres import push, restore, transaction

from localfirst.operations import archiving
from localfirst.replica import local_store, replica

BEGINNING_US = 1_780_000_000_000_000
"""Some day in 2026; every run begins there."""

SERVER_S = 0
"""The server's clock is right."""


class Fate:
    """The clock and the dice of one run.

    Attributes:
        dice: what the present step draws from; set anew for every step, so that leaving one out changes no other.
        offset_s: how far the clock of the machine that is working now is wrong.
    """

    def __init__(self) -> None:
        self.dice = Random(0)
        self.offset_s = SERVER_S
        self._us = BEGINNING_US

    def time_ns(self) -> int:
        """The time on the machine that works now; it never stands still."""
        self._us += 1_009
        return (self._us + self.offset_s * 1_000_000) * 1000

    def pass_time(self, seconds: float) -> None:
        """Time passes, everywhere."""
        self._us += int(seconds * 1_000_000)

    def now(self) -> str:
        """The time on the machine that works now, as canonical text."""
        return timestamps.from_unix_us(self.time_ns() // 1000)

    def days_ago(self, days: int) -> str:
        """So many days before now, by a clock that is right; to look at it takes no time."""
        return timestamps.from_unix_us(self._us - days * 86_400_000_000)

    def uuid4(self) -> uuid.UUID:
        """A random UUID of this run."""
        return uuid.UUID(int=self.dice.getrandbits(128), version=4)


class _Datetime(datetime):
    fate: Fate

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return datetime.fromtimestamp(cls.fate.time_ns() / 1e9, UTC)


@contextmanager
def ruled_by(fate: Fate) -> Iterator[None]:
    """Everything in this process that asks for the time, an id or chance asks `fate`."""
    clock = SimpleNamespace(time_ns=fate.time_ns, gmtime=time.gmtime)
    sleepless = SimpleNamespace(sleep=lambda _: None)
    chance = SimpleNamespace(
        getrandbits=lambda bits: fate.dice.getrandbits(bits), uniform=lambda low, high: fate.dice.uniform(low, high)
    )
    entropy = SimpleNamespace(urandom=lambda count: fate.dice.randbytes(count))
    calendar = type("Datetime", (_Datetime,), {"fate": fate})
    with (
        patch.object(timestamps, "time", clock),
        patch.object(identifiers, "time", clock),
        patch.object(identifiers, "os", entropy),
        patch.object(local_store, "uuid", SimpleNamespace(uuid4=fate.uuid4)),
        patch.object(replica, "uuid", SimpleNamespace(uuid4=fate.uuid4)),
        patch.object(archiving, "datetime", calendar),
        patch.object(transaction, "random", chance),
        patch.object(push, "random", chance),
        patch.object(push, "time", sleepless),
        patch.object(restore, "random", chance),
        patch.object(restore, "time", sleepless),
    ):
        yield


def seed_of(*parts: object) -> int:
    """A seed made of others; the same in every process."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big")
