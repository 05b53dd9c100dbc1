"""The broken circuit, remembered across the processes of one replica: a file beside it that says that the server was away.

A program that runs for a moment (each command of the CLI) would otherwise find out anew, and wait for it. The file is empty;
its time of change says when. It only shortens waits, so that a wrong clock does no harm, and whoever reaches the server again
takes it away.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

logger = logging.getLogger("localfirst.link")

REMEMBERED_S = 20.0


class Circuit:
    """The circuit of one replica. From any thread; nothing here raises: a memory that cannot be kept is done without."""

    def __init__(self, replica: Path) -> None:
        self._file = replica.with_name(f"{replica.name}.away")

    def is_broken(self) -> bool:
        """Whether some process found the server away within the last `REMEMBERED_S`."""
        try:
            return abs(time.time() - self._file.stat().st_mtime) < REMEMBERED_S
        except OSError:
            return False

    def break_(self) -> None:
        """The server was found away."""
        try:
            os.close(os.open(self._file, os.O_CREAT | os.O_WRONLY, 0o600))
            os.utime(self._file)
        except OSError as error:
            logger.debug("it is not remembered that the server is away: %s", error.strerror)

    def close(self) -> None:
        """The server answers."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            logger.debug("it stays remembered that the server was away: %s", error.strerror)
