"""The status file as a mirror of the store, for the time that the server is away.

Each write of an outage refreshes it; what people wrote into it by hand stays where it stood. A file that cannot be read as
text is never touched. Entries that only the file has would be gone with a refresh, so a file with any is copied aside first
(`PATH.backup`, see `backup`).
"""

from __future__ import annotations

import logging

import apsw
from localfirst_schema.errors import LocalfirstError

from localfirst.checkout import CheckoutFile
from localfirst.markdown.backup import back_up
from localfirst.markdown.document import StatusDocument
from localfirst.markdown.parse import parse
from localfirst.markdown.source import REFRESH_LIMIT_BYTES, read_source
from localfirst.markdown.store import document_of
from localfirst.markdown.update import only_in, refreshed, write_file
from localfirst.markdown.verified import Refreshed

logger = logging.getLogger("localfirst.markdown")


class Mirror:
    """One status file; belongs to one session."""

    def __init__(self, file: CheckoutFile) -> None:
        self._file = file
        self._written: Refreshed | None = None

    def refresh(self, connection: apsw.Connection) -> bool:
        """Makes the file say what the store says; False, and the file as it was, where that cannot be done."""
        try:
            document = document_of(connection)
            existing = self._present()
            written = refreshed(self._read(existing, document), document, self._written if self._is_mine(existing) else None)
            if written.text != existing:
                write_file(self._file, written.text)
        except (OSError, LocalfirstError) as error:
            logger.warning("the status file was not refreshed: %s", error)
            return False
        self._written = written
        return True

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
