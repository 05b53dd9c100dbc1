"""The status file as a mirror of the store, for the time that the server is away.

Each write of an outage refreshes it; what people wrote into it by hand stays where it stood. A file that cannot be read as
text is never touched. Entries that only the file has would be gone with a refresh, so a file with any is copied aside first
(`PATH.backup`, see `backup`).

Several processes write to one store, and each of them refreshes the file. Reading the store and replacing the file are one
step across them, under a lock of the kernel's beside the replica: so nobody replaces the file by an older state of the store.
"""

from __future__ import annotations

import logging
from pathlib import Path

import apsw
from localfirst_schema.errors import LocalfirstError
from localfirst_sync.lock import HeldElsewhere, ReplicaLock

from localfirst.checkout import CheckoutFile
from localfirst.markdown.backup import back_up
from localfirst.markdown.document import StatusDocument
from localfirst.markdown.parse import parse
from localfirst.markdown.source import REFRESH_LIMIT_BYTES, read_source
from localfirst.markdown.store import document_of
from localfirst.markdown.update import only_in, refreshed, write_file
from localfirst.markdown.verified import Refreshed

logger = logging.getLogger("localfirst.markdown")


TURN_S = 2.0
"""How long a refresh waits for those of other processes: each takes some milliseconds, unless its process was stopped."""

TURN_LOOK_S = 0.002


class Mirror:
    """One status file; belongs to one thread of a session.

    Args:
        lock_path: the lock file beside the replica; None for a store that no other process can reach.
    """

    def __init__(self, file: CheckoutFile, lock_path: Path | None) -> None:
        self._file = file
        self._lock = ReplicaLock(lock_path, poll_s=TURN_LOOK_S)
        self._written: Refreshed | None = None

    def refresh(self, connection: apsw.Connection) -> bool:
        """Makes the file say what the store says; False, and the file as it was, where that cannot be done."""
        try:
            with self._lock.held(TURN_S):
                self._written = self._replace(document_of(connection))
        except HeldElsewhere:
            logger.warning("the status file was not refreshed: another process has been doing so for %s seconds", TURN_S)
            return False
        except (OSError, LocalfirstError) as error:
            logger.warning("the status file was not refreshed: %s", error)
            return False
        return True

    def _replace(self, document: StatusDocument) -> Refreshed:
        existing = self._present()
        written = refreshed(self._read(existing, document), document, self._written if self._is_mine(existing) else None)
        if written.text != existing:
            write_file(self._file, written.text)
        return written

    def _present(self) -> str | None:
        try:
            return read_source(self._file, REFRESH_LIMIT_BYTES)
        except FileNotFoundError:
            return None

    def _is_mine(self, existing: str | None) -> bool:
        return self._written is not None and self._written.text == existing

    def _read(self, existing: str | None, document: StatusDocument) -> StatusDocument | None:
        """What the file says. One that is as this mirror has left it is not read again."""
        if existing is None:
            return None
        if self._written is not None and self._is_mine(existing):
            return self._written.document
        read = parse(existing)
        missing = only_in(read, document)
        if missing:
            copy = back_up(self._file, existing)
            logger.warning("%d entries of the status file are not in the store; it was copied to %s", len(missing), copy)
        return read
