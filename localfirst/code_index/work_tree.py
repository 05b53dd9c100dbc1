"""The git work tree that a directory lies in. Those of one repository are one to the code index, and known by what they share.

What git says is believed as `localfirst.git.place` believes it: a checkout cannot make itself part of another repository.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from localfirst.code_index.file_name import as_bytes, as_text
from localfirst.git.place import repository_at
from localfirst.git.project import find_root


class WorkTree(NamedTuple):
    """Absolute paths, links resolved, as the store names files."""

    top: str
    own: str
    """What git keeps of this work tree alone."""

    common: str
    """What all work trees of the repository share."""

    @property
    def is_linked(self) -> bool:
        """Whether it was made by ``git worktree add``."""
        return self.own != self.common

    def within(self, root: str) -> str:
        """Where a directory of this work tree lies in it; empty for the top."""
        return "" if root == self.top else root.removeprefix(f"{self.top}/")

    def in_main(self, root: str) -> str:
        """Where a directory of this work tree stands in the main one; of a bare repository that one's place stands for it."""
        main, within = self.common.removesuffix("/.git"), self.within(root)
        return f"{main}/{within}" if within else main


def work_tree_of(directory: Path) -> WorkTree | None:
    """Of a directory that is there; None where no repository is believed."""
    repository = repository_at(find_root(directory))
    if repository is None:
        return None
    top, own, common = (as_text(str(path)) for path in (repository.top, repository.own, repository.common))
    return WorkTree(top, own, common)


def is_gone(tree: WorkTree) -> bool:
    """Whether a linked work tree was removed: its directory is gone, or its repository does not know it any more.

    One that is locked is kept, which is what git has locks for (a disk that is not always there); and where the repository
    itself is away, nobody knows.
    """
    if not tree.is_linked or not _is_there(tree.common) or _is_there(f"{tree.own}/locked"):
        return False
    if not _is_there(tree.top):
        return True
    return not _is_there(tree.own) and repository_at(Path(os.fsdecode(as_bytes(tree.top)))) is None


def _is_there(path: str) -> bool:
    """Also where it cannot be looked at: what is hidden by a permission is not gone."""
    try:
        os.lstat(as_bytes(path))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
