"""One process per replica syncs at a time: a lock of the kernel's, which a killed process cannot leave behind.

The lock only keeps processes out of each other's way. That no harm is done without it (on a network file system, say) is the
fencing epoch's business, which every transaction of the engine checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from localfirst_sync.ports import SyncError

_POLL_S = 0.02


class HeldElsewhere(SyncError):
    """Another process syncs this replica at the moment."""


class ReplicaLock:
    """The lock file beside a replica (None: a replica in memory, which no other process can reach). For one thread."""

    def __init__(self, path: Path | None, *, poll_s: float = _POLL_S) -> None:
        self._path = path
        self._poll_s = poll_s
        self._lock = None if path is None else FileLock(path, mode=0o600, thread_local=False)

    @contextmanager
    def held(self, wait_s: float) -> Iterator[None]:
        """Holds the lock, after waiting for it for at most `wait_s`. Raises `HeldElsewhere`."""
        if self._lock is None or self._path is None:
            yield
            return
        # Taken away under a running program, the folder comes again private, as it was, not as the lock would make it.
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=wait_s, poll_interval=self._poll_s)
        except Timeout:
            raise HeldElsewhere from None
        try:
            yield
        finally:
            self._lock.release()
