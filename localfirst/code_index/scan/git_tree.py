"""The files of a work tree as git sees them: tracked, and untracked but not ignored.

What git tracks belongs to the tree although an ignore rule names it. A submodule that is checked out is part of the tree,
listed by its own git; another repository inside the tree that git does not track (a clone, a worktree) is not, and is
reported.

Nothing of the repository's configuration is run (`core.fsmonitor`), nothing is fetched, and no lock is taken. Where git is
missing, refuses (another owner's repository), or hangs, there is no listing, and the caller walks the tree itself.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localfirst.code_index.scan.rules import FILLED_DIRECTORIES

_TIMEOUT_S = 60
_FILLED = tuple(f"--exclude={name}/" for name in sorted(FILLED_DIRECTORIES))
_UNREADABLE = re.compile(r"^warning: could not open directory '(.*)/?': (.*)$", re.MULTILINE)


class NoListing(Exception):
    """Git does not list this directory."""


@contextmanager
def _git(root: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
    command = ["git", "-c", "core.fsmonitor=false", "-C", os.fspath(root), *arguments]
    try:
        process = subprocess.Popen(  # noqa: S603 - a fixed command
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
    except OSError as error:
        raise NoListing(str(error)) from error
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _answer(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """What git answered, and what it said to standard error."""
    try:
        output, said = process.communicate(timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise NoListing(f"git took more than {_TIMEOUT_S} s") from error
    if process.returncode != 0:
        raise NoListing(os.fsdecode(said).strip())
    return os.fsdecode(output), os.fsdecode(said)


class GitTree:
    """The two listings of one work tree. The one of untracked files walks the tree, and runs while the other is used.

    Use as a context manager; raises `NoListing` on entry or from either listing.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._walking = _git(root, "ls-files", "-z", "--others", "--exclude-standard", *_FILLED)

    def __enter__(self) -> GitTree:
        self._others = self._walking.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._walking.__exit__(None, None, None)

    def tracked(self) -> list[str]:
        """Paths of the index, also of files that are not there; a submodule is one path."""
        with _git(self._root, "ls-files", "-z", "--cached") as process:
            # A path with a merge conflict is listed once per side.
            return list(dict.fromkeys(_answer(process)[0].split("\0")[:-1]))

    def untracked(self) -> tuple[list[str], list[tuple[str, str]]]:
        """Paths (ending with ``/``: another repository), and the directories that could not be read, with the reason."""
        listed, said = _answer(self._others)
        paths = listed.split("\0")[:-1]
        refused = _UNREADABLE.findall(said)
        if not refused:
            return paths, []
        with _git(self._root, "rev-parse", "--show-prefix") as process:
            prefix = _answer(process)[0].rstrip("\n")
        return paths, [(path.removeprefix(prefix).rstrip("/"), reason) for path, reason in refused]
