"""One process per replica syncs at a time: a lock of the kernel's, which a killed process cannot leave behind.

The lock only keeps processes out of each other's way. That no harm is done without it (on a network file system, say) is the
fencing epoch's business, which every transaction of the engine checks. So a lock whose holder was stopped may be taken over:
its file is taken away, and the next one locks a new file of that name. When the holder goes on, it finds its epoch passed, and
lets go of a lock that nobody asks for any more.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from localfirst_sync.lock_holder import Holder, note_holder, read_holder
from localfirst_sync.ports import SyncError

logger = logging.getLogger("localfirst.sync")

_POLL_S = 0.02


class HeldElsewhere(SyncError):
    """Another process syncs this replica at the moment; `holder`: which one, if that is known."""

    def __init__(self, holder: Holder | None = None) -> None:
        super().__init__("another process holds the lock")
        self.holder = holder


class ReplicaLock:
    """The lock file beside a replica (None: a replica in memory, which no other process can reach). For one thread.

    Args:
        takes_over: whether the lock is taken from a process that was stopped. Only where all that is done under it is fenced.

    Attributes:
        taken_from: the stopped process from which the lock was taken over last.
    """

    taken_from: Holder | None = None

    def __init__(self, path: Path | None, *, poll_s: float = _POLL_S, takes_over: bool = False) -> None:
        self._path = path
        self._takes_over = takes_over
        self._poll_s = poll_s
        self._lock = None if path is None else FileLock(path, mode=0o600, thread_local=False)

    @contextmanager
    def held(self, wait_s: float) -> Iterator[None]:
        """Holds the lock, after waiting for it for at most `wait_s` (twice as long where it is taken over).

        Raises `HeldElsewhere`.
        """
        if self._lock is None or self._path is None:
            yield
            return
        # Taken away under a running program, the folder comes again private, as it was, not as the lock would make it.
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=wait_s, poll_interval=self._poll_s)
        except Timeout:
            self._take_over(self._lock, self._path, wait_s)
        try:
            note_holder(self._path)
            yield
        finally:
            self._lock.release()

    def _take_over(self, lock: FileLock, path: Path, wait_s: float) -> None:
        """Takes the lock from a process that was stopped. Raises `HeldElsewhere` where it was not, or another is quicker."""
        holder = read_holder(path)
        if not self._takes_over or holder is None or not holder.is_stopped():
            raise HeldElsewhere(holder)
        try:
            # One at a time: what the second one would take away is the file that the first one has locked since.
            with FileLock(path.with_name(f"{path.name}.takeover"), mode=0o600, timeout=0):
                if read_holder(path) != holder or not holder.is_stopped():
                    raise HeldElsewhere(holder)
                path.unlink(missing_ok=True)
            lock.acquire(timeout=wait_s, poll_interval=self._poll_s)
        except Timeout:
            raise HeldElsewhere(holder) from None
        logger.warning("the lock of the replica is taken over from process %d, which was stopped", holder.pid)
        self.taken_from = holder
