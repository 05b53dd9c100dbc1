"""Whether the replica's file is still the one that was opened: SQLite goes on writing to a file that was taken away."""

from __future__ import annotations

from pathlib import Path

import apsw
from localfirst_schema.errors import UnavailableError

from localfirst.private_files import create_folder
from localfirst.replica.connection import sqlite_errors


class Place:
    """Remembers which file stood at `path` when the replica was opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._present()

    def is_kept(self) -> bool:
        """Whether that file still stands there. One system call."""
        return self._present() == self._file

    def put_back(self, connection: apsw.Connection) -> None:
        """Writes the replica anew, from the connection that still has it, where nothing stands in its place.

        Raises UnavailableError where that cannot be done; what was written before is then in the open connection alone.
        """
        if self._present() is not None:
            return  # somebody has put another file there; that is the replica now
        try:
            create_folder(self._path.parent)
            with sqlite_errors():
                connection.execute("VACUUM INTO ?", (str(self._path),))
            self._path.chmod(0o600)
        except OSError as error:
            raise UnavailableError(
                f"the replica's file was taken away and cannot be written again ({error.strerror}); nothing was changed."
            ) from None

    def _present(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
