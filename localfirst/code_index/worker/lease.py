"""The worker's lease: a lock of the kernel's on a file beside the replica, which a killed process cannot leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def lock_path(replica: Path) -> Path:
    """The lock's file."""
    return replica.with_name(f"{replica.name}.worker.lock")


@contextmanager
def held(replica: Path, wait_s: float) -> Iterator[None]:
    """Makes this process the replica's worker. Raises `localfirst_sync.lock.HeldElsewhere` if another one is."""
    from localfirst_sync.lock import ReplicaLock  # clients ask `is_held` after their start, and load the lock then

    with ReplicaLock(lock_path(replica)).held(wait_s):
        yield


def is_held(replica: Path) -> bool:
    """Whether a worker lives. Takes the lock for a moment, for which a worker that is starting waits."""
    from localfirst_sync.lock import HeldElsewhere

    try:
        with held(replica, 0.0):
            return False
    except HeldElsewhere:
        return True
