"""The copy of a status file that is made before something that might lose a line of it."""

from __future__ import annotations

from pathlib import Path

from localfirst.markdown.update import write_file

SUFFIX = ".backup"


def back_up(path: Path, text: str) -> Path:
    """Writes the text to `PATH.backup` (0600, synced to the disk) and returns where that is.

    A backup of the same content is left alone; one of another content moves on to the first free `PATH.backup.N`. Raises
    OSError where the folder cannot be written.
    """
    target = path.with_name(f"{path.name}{SUFFIX}")
    if target.is_symlink() or target.exists():
        if not target.is_symlink() and target.is_file() and target.read_bytes() == text.encode():
            return target
        target.rename(_free_name(target))
    write_file(target, text)
    return target


def _free_name(target: Path) -> Path:
    number = 1
    while (candidate := target.with_name(f"{target.name}.{number}")).is_symlink() or candidate.exists():
        number += 1
    return candidate
