"""Files of ours on the disk: private to the user, made to outlast a power cut, and what the system says of them in words."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path


def create_folder(folder: Path) -> None:
    """Makes a folder and those above it, as far as they do not exist, private to the user. Raises OSError."""
    for one in reversed([folder, *folder.parents]):
        if not one.is_dir():  # `mkdir(parents=True)` would leave the upper ones to the umask
            one.mkdir(mode=0o700, exist_ok=True)


def create_file(path: Path) -> None:
    """Makes an empty private file where there is none, and its folder; an empty one becomes private. Raises OSError."""
    create_folder(path.parent)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    elif path.is_file() and path.stat().st_size == 0:
        path.chmod(0o600)  # made by somebody for us, as `touch` or `mktemp` do


def flush_file(path: Path) -> None:
    """Returns when the file's content is on the disk. Raises OSError."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Returns when the names in the folder are on the disk; a file system that cannot do so for folders is left alone.

    Raises OSError where the folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


_WORDS = {
    errno.ENAMETOOLONG: "its name is longer than the system allows",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EROFS: "the disk is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "this user's share of the disk is used up",
    errno.ENOENT: "it does not exist",
    errno.ENOTDIR: "a part of its path is a file and no folder",
    errno.EISDIR: "a folder stands there",
    errno.ELOOP: "its links go round in a circle",
}


def in_words(error: OSError) -> str:
    """Why a file could not be used, as the end of a sentence; the system's own words where we have none."""
    return _WORDS.get(error.errno or 0) or error.strerror or type(error).__name__
