"""The versions of changes that wait: whether what somebody saw as one of them can still be said.

Pure. A change that waits was made on what was displayed here. Once changes of others have come that lie before it, carrying it
out gives another content than that; and what a blind change makes of a row was displayed to nobody before the row came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Waiting(NamedTuple):
    """A change of the row that waits for the server; `is_blind` if the row was not here when it was made."""

    version: int
    base_version: int
    is_blind: bool


def is_undecided(version: int, waiting: Sequence[Waiting], served: Sequence[int]) -> bool:
    """Whether only changes that wait name this version, and not on what they were made on.

    Args:
        waiting: in the order in which they were made.
        served: the versions of the lines that the server has decided.
    """
    named = [one for one in waiting if one.version == version]
    if not named or version in served:
        return False
    if named[-1].is_blind:
        # Who has gone on from it was displayed it.
        return not any(one.base_version == version and not one.is_blind for one in waiting) or max(served, default=0) > version
    return max(served, default=0) > _begins(named[-1], waiting)


def _begins(change: Waiting, waiting: Sequence[Waiting]) -> int:
    """The version that was displayed before the first of the changes that were made one upon the other, up to this one."""
    by_version = {one.version: one for one in waiting}
    while (before := by_version.get(change.base_version)) is not None and not before.is_blind and before is not change:
        change = before
    return change.base_version
