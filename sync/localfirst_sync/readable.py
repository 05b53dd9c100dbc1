"""Waiting for several descriptors at once, whatever their numbers are."""

from __future__ import annotations

import math
import select
from collections.abc import Iterable


def readable(descriptors: Iterable[int], timeout_s: float) -> set[int]:
    """Those of which something can be read, after at most so many seconds; none when that time has passed.

    Not by `select`, which takes no descriptor from 1024 on: a server of many laptops has such ones, and so has a program with
    many files.
    """
    wanted = list(descriptors)
    timeout_s = max(0.0, timeout_s)
    if not hasattr(select, "poll"):  # on Windows, whose `select` takes any
        return set(select.select(wanted, [], [], timeout_s)[0])
    poll = select.poll()
    for descriptor in wanted:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(math.ceil(1000 * timeout_s))}
