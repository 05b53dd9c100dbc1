"""Waiting for what other processes and threads bring about, where nothing announces it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TypeVar

Found = TypeVar("Found")

LOOK_EVERY_S = 0.005


def until(
    condition: Callable[[], Found | Literal[False] | None], seconds: float, what: str | Callable[[], str] = "it to be true"
) -> Found:
    """What the condition gives once it is true; fails when that takes longer than so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what if isinstance(what, str) else what()}"
        time.sleep(LOOK_EVERY_S)
    return found
