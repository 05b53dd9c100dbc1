"""Nested ignore files with the syntax of gitignore, evaluated by pathspec.

As in git the deepest file that says something decides, its last matching line first, and nothing below an ignored directory
comes back. Patterns of one file are also joined to one expression that is tried first: most files match nothing, and learn it
in a microsecond.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

LOCALFIRST_IGNORE = ".localfirstignore"
"""Leaves files out of the index alone; for tracked files too."""

_GROUP = re.compile(r"\(\?P<\w+>")


class _Patterns:
    """The patterns of one file, for paths relative to its directory."""

    def __init__(self, lines: Sequence[str]) -> None:
        from pathspec import GitIgnoreSpec

        self._spec = GitIgnoreSpec.from_lines(lines)
        expressions = [_GROUP.sub("(?:", pattern.regex.pattern) for pattern in self._spec.patterns if pattern.regex is not None]
        self._any = re.compile("|".join(f"(?:{expression})" for expression in expressions)) if expressions else None

    def ignores(self, path: str) -> bool | None:
        """None where no pattern matches; a directory's path ends with ``/``."""
        if self._any is None or self._any.match(path) is None:
            return None
        return self._spec.check_file(path).include


def _patterns_of(place: str) -> _Patterns | None:
    """The patterns of an ignore file; None without one. One that cannot be read is as good as none, as in git."""
    try:
        with open(place, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123 - the name may not be UTF-8
            return _Patterns(file.read().splitlines())
    except OSError:
        return None


class IgnoreFiles:
    """What the ignore files of one tree say, read as their directories are asked for.

    `root` is the tree's, `names` the files that count, the stronger last. Paths are relative to the root.
    """

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self._root = os.fspath(root)
        self._names = tuple(reversed(names))
        # For each directory: None if it is ignored, else its own and its parents' patterns, deepest first, with their
        # prefix's length.
        self._directories: dict[str, tuple[tuple[int, _Patterns], ...] | None] = {}

    def ignores_file(self, path: str) -> bool:
        """Whether a file is ignored, or lies in an ignored directory."""
        patterns = self._patterns(path[: max(path.rfind("/"), 0)])
        if patterns is None:
            return True
        return bool(patterns) and self._decided(patterns, path)

    def ignores_directory(self, path: str) -> bool:
        """Whether a directory is ignored, or lies in an ignored one."""
        return self._patterns(path) is None

    def _patterns(self, directory: str) -> tuple[tuple[int, _Patterns], ...] | None:
        if directory in self._directories:
            return self._directories[directory]
        above: tuple[tuple[int, _Patterns], ...] = ()
        if directory:
            found = self._patterns(directory[: max(directory.rfind("/"), 0)])
            above = found or ()
            if found is None or (above and self._decided(above, directory + "/")):
                self._directories[directory] = None
                return None
        base = f"{self._root}/{directory}" if directory else self._root
        own = [patterns for name in self._names if (patterns := _patterns_of(f"{base}/{name}")) is not None]
        length = len(directory) + 1 if directory else 0
        all_of_them = (*((length, patterns) for patterns in own), *above)
        self._directories[directory] = all_of_them
        return all_of_them

    @staticmethod
    def _decided(patterns: tuple[tuple[int, _Patterns], ...], path: str) -> bool:
        for length, one in patterns:
            ignored = one.ignores(path[length:])
            if ignored is not None:
                return ignored
        return False
