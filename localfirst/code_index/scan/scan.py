"""The files of a working tree that belong to the index, by name and stat; nothing is opened but ignore files.

Git lists where it can, else the tree is walked. A file that is listed and not there any more is left out silently. Names may
hold any byte. 15 000 files take some 0.1 s.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from operator import attrgetter
from pathlib import Path
from stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG

import msgspec

from localfirst.code_index.found_file import FoundFile
from localfirst.code_index.scan.git_tree import GitTree, NoListing
from localfirst.code_index.scan.ignore import LOCALFIRST_IGNORE, IgnoreFiles
from localfirst.code_index.scan.rules import MAX_BYTES, STORE_DIRECTORIES, rule_of
from localfirst.code_index.scan.walk import walk
from localfirst.code_index.skipped import Skipped, SkipRule

_LOOK_EVERY_PATHS = 100

_NO_PART = STORE_DIRECTORIES | {"", ".", ".."}
"""No name of a folder inside: an index may say anything."""


class ScanStoppedError(Exception):
    """Nobody wants the scan any more."""


class Scan(msgspec.Struct, frozen=True):
    """What stands in a working tree, sorted by path."""

    files: list[FoundFile]
    skipped: list[Skipped]


def scan(root: Path, should_stop: Callable[[], bool] | None = None) -> Scan:
    """Scans the tree under `root`; `should_stop` is asked again and again whether anybody still wants it.

    Raises ScanStoppedError if not; `FileNotFoundError`, `NotADirectoryError` or `PermissionError` when `root` is gone, no
    directory, or may not be read.
    """
    with os.scandir(root):  # the reason in the system's words, before anything is concluded from an empty listing
        pass
    found = _Findings(root, should_stop)
    found.tree("")
    found.files.sort(key=attrgetter("path"))
    found.skipped.sort(key=attrgetter("path"))
    return Scan(found.files, found.skipped)


class _Findings:
    """A scan in the making."""

    def __init__(self, root: Path, should_stop: Callable[[], bool] | None) -> None:
        self._should_stop = should_stop
        self.files: list[FoundFile] = []
        self.skipped: list[Skipped] = []
        self._root = root
        self._ignored = IgnoreFiles(root, (LOCALFIRST_IGNORE,))
        self._inside: dict[str, bool] = {"": True}

    def tree(self, prefix: str) -> None:
        """Takes in the tree below `prefix` (empty, or ending with ``/``)."""
        place = self._root / prefix if prefix else self._root
        files, skipped = len(self.files), len(self.skipped)
        try:
            listed = self._listed_by_git(place, prefix)
        except NoListing:
            listed = False
        self._look()
        if not listed:
            del self.files[files:], self.skipped[skipped:]  # of a git that gave up halfway
            self._walked(place, prefix)

    def _listed_by_git(self, place: Path, prefix: str) -> bool:
        """False when git lists nothing: an empty tree, or one that an enclosing repository ignores."""
        with GitTree(place, self._should_stop) as git:
            tracked = git.tracked()
            directories = self._take(prefix + path for path in tracked) if prefix else self._take(tracked)
            for path in directories:
                self._submodule(path)
            untracked, refused = git.untracked()
            self._take(prefix + path for path in untracked if not path.endswith("/"))
        for path in untracked:
            if path.endswith("/"):
                self.skipped.append(Skipped(prefix + path[:-1], SkipRule.REPOSITORY, "not tracked by the one around it"))
        for path, reason in refused:
            self.skipped.append(Skipped(prefix + path, SkipRule.UNREADABLE, reason))
        return bool(tracked or untracked)

    def _submodule(self, path: str) -> None:
        """A directory that git lists as one path: taken in where it is checked out."""
        if (self._root / path / ".git").exists() and not self._ignored.ignores_directory(path):
            self.tree(path + "/")

    def _walked(self, place: Path, prefix: str) -> None:
        """Takes in what git does not list."""
        paths, repositories, skipped = walk(place, self._look)
        self._take(prefix + path for path in paths)
        for one in skipped:
            self.skipped.append(Skipped(prefix + one.path, one.rule, one.detail) if prefix else one)
        for path in repositories:
            if not self._ignored.ignores_directory(prefix + path):
                self.tree(f"{prefix}{path}/")

    def _take(self, paths: Iterable[str]) -> list[str]:
        """Stats each path and decides about it; the directories among them."""
        base = os.fspath(self._root) + "/"
        files, skipped, lstat, ignores = self.files, self.skipped, os.lstat, self._ignored.ignores_file
        inside = self._inside
        directories: list[str] = []
        for number, path in enumerate(paths):
            if not number % _LOOK_EVERY_PATHS:
                self._look()
            folder = path[: max(path.rfind("/"), 0)]
            if not (inside[folder] if folder in inside else self._is_inside(folder)) or ignores(path):
                continue
            try:
                status = lstat(base + path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, ValueError) as error:
                skipped.append(Skipped(path, SkipRule.UNREADABLE, _reason(error)))
                continue
            kind = S_IFMT(status.st_mode)
            if kind != S_IFREG:
                if kind == S_IFDIR:
                    directories.append(path)
                elif kind == S_IFLNK:
                    skipped.append(Skipped(path, SkipRule.LINK, "never followed"))
                else:
                    skipped.append(Skipped(path, SkipRule.NOT_A_FILE))
                continue
            named = rule_of(path)
            size = status.st_size
            if named is not None:
                skipped.append(Skipped(path, *named))
            elif size > MAX_BYTES:
                skipped.append(Skipped(path, SkipRule.TOO_LARGE, f"{size} bytes, at most {MAX_BYTES}"))
            elif size == 0:
                skipped.append(Skipped(path, SkipRule.EMPTY))
            else:
                files.append(FoundFile(path, size, status.st_mtime_ns, status.st_ino))
        return directories

    def _look(self) -> None:
        if self._should_stop is not None and self._should_stop():
            raise ScanStoppedError

    def _is_inside(self, folder: str) -> bool:
        """Whether a directory is reached without a link: git still lists what it tracks below one that became a link."""
        known = self._inside.get(folder)
        if known is None:
            cut = folder.rfind("/")
            known = folder[cut + 1 :] not in _NO_PART and self._is_inside(folder[: max(cut, 0)])
            known = known and not os.path.islink(f"{os.fspath(self._root)}/{folder}")  # noqa: PTH114 - any bytes
            self._inside[folder] = known
        return known


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
