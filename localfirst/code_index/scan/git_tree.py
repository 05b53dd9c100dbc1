"""The files of a work tree as git sees them: tracked, and untracked but not ignored.

What git tracks belongs to the tree although an ignore rule names it. A submodule that is checked out is part of the tree,
listed by its own git; another repository inside the tree that git does not track (a clone, a worktree) is not, and is
reported.

Nothing of the repository's configuration is in force, nothing is fetched, and no lock is taken. Where git is missing, refuses,
or hangs, there is no listing, and the caller walks the tree itself.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from localfirst.code_index.scan.rules import FILLED_DIRECTORIES
from localfirst.git.place import repository_at
from localfirst.git.project import find_root
from localfirst.git.runner import Hash, NoAnswerError, Question

_TIME_LIMIT_S = 30.0
_TREE = ("-c", "core.bare=false")
_IGNORING = (*_TREE, "-c", f"core.ignoreCase={'true' if sys.platform in ('darwin', 'win32') else 'false'}")
_FILLED = tuple(f"--exclude={name}/" for name in sorted(FILLED_DIRECTORIES))
_UNREADABLE = re.compile(r"^warning: could not open directory '(.*)/?': (.*)$", re.MULTILINE)


class NoListing(Exception):
    """Git does not list this directory."""


class GitTree:
    """The two listings of one work tree. The one of untracked files walks the tree, and runs while the other is used.

    Use as a context manager; raises `NoListing` on entry or from either listing.
    """

    def __init__(self, root: Path, should_stop: Callable[[], bool] | None = None) -> None:
        repository = repository_at(find_root(root))
        if repository is None:
            raise NoListing("there is no repository that is believed")
        prefix = Path(os.path.realpath(root)).relative_to(repository.top).as_posix()
        self._prefix = "" if prefix == "." else prefix + "/"
        self._how = _Asked(
            {"GIT_INDEX_FILE": str(repository.own / "index"), "GIT_WORK_TREE": str(repository.top)},
            root,
            repository.kind(),
            should_stop,
        )
        self._excluded: tuple[str, ...] = ()
        if repository.file("info/exclude").state() is not None:
            self._excluded = (f"--exclude-from={repository.common / 'info' / 'exclude'}",)
        if repository.own_file("index").state() is None and (repository.own / "index").exists():
            raise NoListing("the index is no file")

    def __enter__(self) -> GitTree:
        self._others = self._how.begin(
            *_IGNORING, "ls-files", "-z", "--others", *self._excluded, "--exclude-standard", *_FILLED
        )
        return self

    def __exit__(self, *raised: object) -> None:
        self._others.stop()

    def tracked(self) -> list[str]:
        """Paths of the index, also of files that are not there; a submodule is one path."""
        # A path with a merge conflict is listed once per side.
        return list(dict.fromkeys(_paths(_answer(self._how.begin(*_TREE, "ls-files", "-z", "--cached")))))

    def untracked(self) -> tuple[list[str], list[tuple[str, str]]]:
        """Paths (ending with ``/``: another repository), and the directories that could not be read, with the reason."""
        paths = _paths(_answer(self._others))
        refused = _UNREADABLE.findall(os.fsdecode(self._others.said()))
        return paths, [(path.removeprefix(self._prefix).rstrip("/"), reason) for path, reason in refused]


class _Asked(NamedTuple):
    """What git says of a tree."""

    environment: dict[str, str]
    root: Path
    kind: Hash
    should_stop: Callable[[], bool] | None

    def begin(self, *arguments: str) -> Question:
        try:
            return Question(
                *arguments,
                environment=self.environment,
                directory=self.root,
                kind=self.kind,
                by_users_configuration=True,  # it says which files the user wants ignored everywhere
                time_limit_s=_TIME_LIMIT_S,
                should_stop=self.should_stop,
            )
        except NoAnswerError as error:
            raise NoListing(str(error)) from error


def _answer(question: Question) -> bytes:
    try:
        return question.answer()
    except NoAnswerError as error:
        raise NoListing(str(error)) from error


def _paths(listed: bytes) -> list[str]:
    """Those that lie below the root: an index may name anything."""
    paths = os.fsdecode(listed).split("\0")[:-1]
    return [path for path in paths if not path.startswith(("/", "../")) and "/../" not in path and path != ".."]
