"""Whose turn it is to write: people's comes before the code index's.

SQLite has one writer at a time and no queue: whoever finds the door closed looks again a little later, and an index job
that writes one short transaction after the other may be inside at each look. So whoever writes for people asks for the
turn until the transaction has begun, by a shared lock on a file beside the replica, and the index looks between two
transactions whether anybody asks. The kernel takes the lock from a process that dies.

It is a courtesy: nobody's safety rests on it. Where there are no such locks, or the file cannot be had, `give_way` pauses
each time for as long as it takes others to look.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

BLIND_PAUSE_S = 0.002
"""Longer than the time between two looks of a writer that waits (`localfirst.replica.connection.QUICK_LOOK_S`)."""

LOOK_S = 0.0003


class Turn:
    """The file beside one replica. Of one connection, and one thread."""

    _file: int | None = None

    def __init__(self, replica: Path) -> None:
        self._path = replica.with_name(f"{replica.name}.turn")
        self._is_wanted = self._has_asked = False

    def ask(self) -> None:
        """Says that somebody waits to write. There is nobody to say it to before the index has made the file."""
        self._is_wanted = True
        self.insist()

    def insist(self) -> None:
        """Says so again while it waits, if it could not be said: the index holds the file for the moment of a look."""
        if not self._is_wanted or self._has_asked:
            return
        if sys.platform != "win32" and (self._file is not None or self._open(os.O_RDONLY)):
            import fcntl

            assert self._file is not None
            with contextlib.suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                self._has_asked = True

    def take(self) -> None:
        """The writer that asked has begun, or given up."""
        self._is_wanted = self._has_asked = False
        if sys.platform != "win32" and self._file is not None:
            import fcntl

            with contextlib.suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def give_way(self, limit_s: float) -> None:
        """Waits while somebody asks, for so long at most."""
        if sys.platform == "win32" or (self._file is None and not self._open(os.O_RDWR | os.O_CREAT)):
            time.sleep(BLIND_PAUSE_S)
            return
        import fcntl

        assert self._file is not None
        deadline = time.monotonic() + limit_s
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return
                time.sleep(LOOK_S)
            except OSError:  # a file system without locks
                time.sleep(BLIND_PAUSE_S)
                return
            else:
                fcntl.flock(self._file, fcntl.LOCK_UN)
                return

    def close(self) -> None:
        """Lets go of the file."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _open(self, flags: int) -> bool:
        try:
            self._file = os.open(self._path, flags | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        return True

    def __del__(self) -> None:
        self.close()
