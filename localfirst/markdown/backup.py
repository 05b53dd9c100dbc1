"""The copy of a status file that is made before something that might lose a line of it."""

from __future__ import annotations

from pathlib import Path

from localfirst.checkout import CheckoutFile, NotAFileError, TooLargeError

SUFFIX = ".backup"


def back_up(file: CheckoutFile, text: str) -> Path:
    """Writes the text to `PATH.backup` (0600, synced to the disk) and returns where that is.

    A backup of the same content is left alone; one of another content moves on to the first free `PATH.backup.N`. Raises
    OSError where the folder cannot be written.
    """
    target = file.beside(f"{file.path.name}{SUFFIX}")
    data = text.encode()
    if _is_taken(target.path):
        if not target.path.is_symlink() and _holds(target, data):
            return target.path
        target.rename(_free_name(target.path))
    target.write(data)
    return target.path


def _holds(target: CheckoutFile, data: bytes) -> bool:
    try:
        return target.read(len(data)) == data
    except (TooLargeError, NotAFileError):
        return False


def _is_taken(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _free_name(target: Path) -> str:
    number = 1
    while _is_taken(target.with_name(name := f"{target.name}.{number}")):
        number += 1
    return name
