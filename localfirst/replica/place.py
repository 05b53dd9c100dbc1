"""Whether the replica's file is still the one that was opened: SQLite goes on writing to a file that was taken away."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw
from localfirst_schema.errors import UnavailableError

from localfirst.disk import create_folder
from localfirst.replica.connection import sqlite_errors


@contextmanager
def changing_place(path: Path) -> Iterator[None]:
    """Held by the one process that puts another file at `path`. Raises OSError where the folder cannot be written."""
    from filelock import FileLock  # rarely needed

    lock = path.with_name(f"{path.name}.rebuild")
    with FileLock(lock, mode=0o600, thread_local=False):
        try:
            yield
        finally:
            # Whoever waits for it finds that the file has no name any more, and takes a new one. Where a system lets no open
            # file be deleted, it stays.
            with suppress(OSError):
                lock.unlink()


class Place:
    """Remembers which file stood at `path` when the replica was opened: `file`, as device and inode."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.file = self._present()

    def is_kept(self) -> bool:
        """Whether that file still stands there. One system call."""
        return self._present() == self.file

    def put_back(self, connection: apsw.Connection) -> None:
        """Writes the replica anew, from the connection that still has it, where nothing stands in its place.

        Raises UnavailableError where that cannot be done; what was written before is then in the open connection alone.
        """
        try:
            create_folder(self._path.parent)
            with changing_place(self._path):
                if self._present() is None:  # otherwise somebody has put another file there; that is the replica now
                    self._write(connection)
        except OSError as error:
            raise UnavailableError(
                f"the replica's file was taken away and cannot be written again ({error.strerror}); nothing was changed.",
                cause="replica",
            ) from None

    def _write(self, connection: apsw.Connection) -> None:
        # Not in place: whoever opened it half written would take it for damaged.
        with tempfile.TemporaryDirectory(prefix=".put-back-", dir=self._path.parent) as folder:
            written = Path(folder) / self._path.name
            with sqlite_errors():
                connection.execute("VACUUM INTO ?", (str(written),))
            written.chmod(0o600)
            with suppress(FileExistsError):
                os.link(written, self._path)

    def _present(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
