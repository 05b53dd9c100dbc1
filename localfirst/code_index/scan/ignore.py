"""Nested ignore files with the syntax of gitignore.

As in git the deepest file that says something decides, its last matching line first, and nothing below an ignored directory
comes back. Patterns of one file are also joined to two expressions that are tried first: most files match nothing, and learn it
in a microsecond.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from localfirst.checkout import CheckoutFile
from localfirst.code_index.scan.pattern import Rule, rule_of_line
from localfirst.git.place import repository_at

LOCALFIRST_IGNORE = ".localfirstignore"
"""Leaves files out of the index alone; for tracked files too."""

LIMIT_BYTES = 256 * 1024
"""Nobody writes longer ones; git itself has a limit too (100 MB)."""

_FLAGS = re.DOTALL | (re.IGNORECASE if sys.platform in ("darwin", "win32") else 0)


class _Compiled:
    """One rule, compiled when it is first needed."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    @cached_property
    def expression(self) -> re.Pattern[bytes]:
        return re.compile(self.rule.source, _FLAGS)


class Patterns:
    """The patterns of one file, for paths relative to its directory."""

    def __init__(self, text: bytes) -> None:
        lines = text.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        rules = [rule for line in lines if (rule := rule_of_line(line.removesuffix(b"\r"))) is not None]
        self._rules = [_Compiled(rule) for rule in reversed(rules)]
        self._names = _any_of(rule.source for rule in rules if rule.is_of_name)
        self._paths = _any_of(rule.source for rule in rules if not rule.is_of_name)

    def ignores(self, path: str) -> bool | None:
        """None where no pattern matches; a directory's path ends with ``/``."""
        is_folder = path.endswith("/")
        whole = os.fsencode(path[:-1] if is_folder else path)
        name = whole[whole.rfind(b"/") + 1 :]
        may_name = self._names is not None and self._names.match(name) is not None
        may_path = self._paths is not None and self._paths.match(whole) is not None
        if not (may_name or may_path):
            return None
        for one in self._rules:
            rule = one.rule
            if (rule.is_of_folders and not is_folder) or not (may_name if rule.is_of_name else may_path):
                continue
            if one.expression.match(name if rule.is_of_name else whole) is not None:
                return not rule.is_negated
        return None


def _any_of(sources: Iterable[bytes]) -> re.Pattern[bytes] | None:
    joined = b"|".join(sources)
    return re.compile(joined, _FLAGS) if joined else None


def _patterns_of(root: Path, place: str) -> Patterns | None:
    """The patterns of an ignore file; None without one. One that cannot be read is as good as none, as in git."""
    try:
        return Patterns(CheckoutFile(root, Path(place)).read(LIMIT_BYTES))
    except OSError:
        return None


def excluded_by(top: Path) -> Patterns | None:
    """What the repository with this work tree leaves out without a file in the tree (`info/exclude`); None without one."""
    if (repository := repository_at(top)) is None:
        return None
    try:
        return Patterns(repository.file("info/exclude").read(LIMIT_BYTES))
    except OSError:
        return None


class IgnoreFiles:
    """What the ignore files of one tree say, read as their directories are asked for.

    `root` is the tree's, `names` the files that count, the stronger last; `weakest` decides where none of them says anything.
    Paths are relative to the root.
    """

    def __init__(self, root: Path, names: Sequence[str], weakest: Patterns | None = None) -> None:
        self._place = root
        self._weakest = () if weakest is None else ((0, weakest),)
        self._root = os.fspath(root)
        self._names = tuple(reversed(names))
        # For each directory: None if it is ignored, else its own and its parents' patterns, deepest first, with their
        # prefix's length.
        self._directories: dict[str, tuple[tuple[int, Patterns], ...] | None] = {}

    def ignores_file(self, path: str) -> bool:
        """Whether a file is ignored, or lies in an ignored directory."""
        patterns = self._patterns(path[: max(path.rfind("/"), 0)])
        if patterns is None:
            return True
        return bool(patterns) and self._decided(patterns, path)

    def ignores_directory(self, path: str) -> bool:
        """Whether a directory is ignored, or lies in an ignored one."""
        return self._patterns(path) is None

    def _patterns(self, directory: str) -> tuple[tuple[int, Patterns], ...] | None:
        if directory in self._directories:
            return self._directories[directory]
        above: tuple[tuple[int, Patterns], ...] = self._weakest
        if directory:
            found = self._patterns(directory[: max(directory.rfind("/"), 0)])
            above = found or ()
            if found is None or (above and self._decided(above, directory + "/")):
                self._directories[directory] = None
                return None
        base = f"{self._root}/{directory}" if directory else self._root
        own = [patterns for name in self._names if (patterns := self._of_file(f"{base}/{name}")) is not None]
        length = len(directory) + 1 if directory else 0
        all_of_them = (*((length, patterns) for patterns in own), *above)
        self._directories[directory] = all_of_them
        return all_of_them

    def _of_file(self, place: str) -> Patterns | None:
        return _patterns_of(self._place, place) if os.path.lexists(place) else None  # most directories have none

    @staticmethod
    def _decided(patterns: tuple[tuple[int, Patterns], ...], path: str) -> bool:
        for length, one in patterns:
            ignored = one.ignores(path[length:])
            if ignored is not None:
                return ignored
        return False
