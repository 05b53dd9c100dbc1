"""A log file that several processes write at once: no line is lost, none is torn, and it is turned over by one of them.

Each line is one `write` of a descriptor that appends. Before it, a process looks whether the file that it has open still has
the name: whoever turned the log over has given it another one. (The standard library's rotating handler renames files under
the processes that write them, and loses what they say.)
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from localfirst.disk import create_folder


class SharedLogFile(logging.Handler):
    """Appends to `path`; `path.1` … `path.N` are older. The file is made with the first line."""

    def __init__(self, path: Path, max_bytes: int, backups: int) -> None:
        """Raises OSError where the folder cannot be made."""
        super().__init__()
        create_folder(path.parent)
        self._path = path
        self._max_bytes = max_bytes
        self._backups = backups
        self._descriptor: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record as one line, or as several that stand together."""
        try:
            line = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
            descriptor = self._present()
            os.write(descriptor, line)
            if os.fstat(descriptor).st_size > self._max_bytes:
                self._turn_over()
        except OSError:
            return  # a full disk, a folder that is gone: what somebody does must not fail because it cannot be logged

    def close(self) -> None:
        """Lets go of the file."""
        with self.lock or contextlib.nullcontext():
            self._let_go()
        super().close()

    def _present(self) -> int:
        """The file that has the name now, open."""
        if self._descriptor is not None and not _is_same(self._descriptor, self._path):
            self._let_go()
        if self._descriptor is None:
            flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
            self._descriptor = os.open(self._path, flags, 0o600)
        return self._descriptor

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _turn_over(self) -> None:
        """Gives the file the next name, unless somebody else does so at this moment, or has."""
        from filelock import FileLock, Timeout  # rarely needed

        try:
            with FileLock(self._path.with_name(f"{self._path.name}.lock"), timeout=0, mode=0o600):
                if self._descriptor is None or not _is_same(self._descriptor, self._path):
                    return
                if os.name == "nt":  # there an open file keeps its name
                    self._let_go()
                for number in range(self._backups, 0, -1):
                    younger = self._path if number == 1 else self._numbered(number - 1)
                    with contextlib.suppress(FileNotFoundError):
                        younger.replace(self._numbered(number))
        except (Timeout, PermissionError):
            return  # the next line tries again

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
