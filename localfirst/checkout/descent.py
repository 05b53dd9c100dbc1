"""From a root down to the folder that holds a file, without leaving the root on the way.

Each folder is opened relative to the one before, never through a link; a link is read, and its target walked in the same way.
So what was checked is what is used, whoever exchanges folders and links meanwhile. A link may lead anywhere inside the root.
One that leads out of it, or into what git keeps for itself (`.git`, whose files make programs run), is refused.

Where the system opens nothing relative to a folder (Windows), the resolved path is compared instead.
"""

from __future__ import annotations

import errno
import os
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LINKS_MAX = 40
"""As many links as Linux itself follows in one path."""

_IS_RELATIVE = os.open in os.supports_dir_fd and os.readlink in os.supports_dir_fd
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_DIRECTORY", 0)
"""A folder that may be passed through but not listed is good enough, where the system has it so."""

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_PERHAPS_A_LINK = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)
"""What systems say of a link where a folder was asked for."""


class OutsideError(OSError):
    """The path leads out of the root, or into what git keeps for itself."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.ELOOP, "its path leads out of the project", str(path))


@contextmanager
def holding_folder(root: Path | None, path: Path) -> Iterator[tuple[int | None, str]]:
    """The open folder that holds the file, and its name there: no link, but perhaps nothing yet, or no regular file.

    Args:
        root: what the path lies below and must not leave; None where its links may lead anywhere.

    Yields None and the resolved path where the system opens nothing relative to a folder. Raises OutsideError, and OSError
    for a folder on the way that is not there or cannot be opened.
    """
    if not _IS_RELATIVE:
        yield None, _resolved(root, path)
        return
    folders: list[int] = []
    try:
        if root is None:
            place, name = os.path.split(os.path.realpath(path))
            folders.append(os.open(place, _FOLDER))
        else:
            folders.append(os.open(root, _FOLDER))
            name = _descend(folders, root, path.relative_to(root).parts)
        yield folders[-1], name
    finally:
        for folder in folders:
            os.close(folder)


def _descend(folders: list[int], root: Path, parts: tuple[str, ...]) -> str:
    """Opens folder after folder, each added to `folders`; returns the name of what is in the last."""
    waiting = list(reversed(parts))
    links = 0
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if len(folders) == 1:
                raise OutsideError(root.joinpath(*parts))
            os.close(folders.pop())
            continue
        if _is_gits(part):
            raise OutsideError(root.joinpath(*parts))
        target = _target(part, folders[-1]) if not waiting else _enter(part, folders)
        if target is not None:
            links += 1
            if links > LINKS_MAX:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(root.joinpath(*parts)))
            if target.is_absolute():
                target = _below(root, target)
                while len(folders) > 1:
                    os.close(folders.pop())
            waiting += reversed(target.parts)
        elif not waiting:
            return part
    raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(root.joinpath(*parts)))


def _enter(part: str, folders: list[int]) -> Path | None:
    """Opens the folder; where it is a link, its target instead."""
    try:
        folders.append(os.open(part, _FOLDER | _NO_LINK, dir_fd=folders[-1]))
    except OSError as error:
        if error.errno in _PERHAPS_A_LINK and (target := _target(part, folders[-1])) is not None:
            return target
        raise
    return None


def _target(part: str, folder: int) -> Path | None:
    """Where a link leads; None for what is no link, or is not there."""
    try:
        return Path(os.readlink(part, dir_fd=folder))
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        raise


def _below(root: Path, target: Path) -> Path:
    try:
        return target.relative_to(root)
    except ValueError:
        raise OutsideError(target) from None


def _resolved(root: Path | None, path: Path) -> str:
    resolved = Path(os.path.realpath(path))
    if root is not None and any(_is_gits(part) for part in _below(Path(os.path.realpath(root)), resolved).parts):
        raise OutsideError(path)
    return str(resolved)


def _is_gits(part: str) -> bool:
    """Whether a name is `.git` for any file system: in any case, with marks that are not seen, or as Windows shortens it."""
    if part.isascii():
        return part.rstrip(". ").casefold() in (".git", "git~1")
    return "".join(one for one in part if unicodedata.category(one) != "Cf").casefold() == ".git"
