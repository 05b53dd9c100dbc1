"""What of a `.git` is believed, and where its parts are.

A `.git` that is a folder of the checkout is its repository. One that leads elsewhere (a file `gitdir: PATH`, a link) is
believed only if that place names this checkout in turn: of a linked work tree git writes its path into the repository
(`gitdir`), of a submodule into `core.worktree`. What comes with a checkout cannot write there, so it cannot borrow another
repository. The shared part of a linked work tree is the repository that holds it, and no other.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from localfirst.checkout import CheckoutFile, file_named_by_user
from localfirst.git import configuration
from localfirst.git.runner import Hash

_NAME_LIMIT_BYTES = 16 * 1024


class Repository(NamedTuple):
    """A work tree and its repository, all paths resolved."""

    top: Path
    own: Path
    """What belongs to this work tree: its HEAD and its index."""

    common: Path
    """What all work trees share: configuration, references, objects."""

    def file(self, name: str) -> CheckoutFile:
        """A file of the shared part."""
        return CheckoutFile(self.common, self.common / name)

    def own_file(self, name: str) -> CheckoutFile:
        """A file of this work tree's part."""
        return CheckoutFile(self.own, self.own / name)

    def configuration(self) -> bytes:
        """The text of its configuration; empty where it cannot be read."""
        with suppress(OSError):
            return self.file("config").read(configuration.LIMIT_BYTES)
        return b""

    def kind(self) -> Hash:
        """The hash that it names its objects by."""
        text = self.configuration()
        if b"objectformat" in text.lower() and ("extensions.objectformat", "sha256") in configuration.entries(text):
            return "sha256"
        return "sha1"


def repository_at(top: Path) -> Repository | None:
    """The repository of a work tree; None where there is none that is believed."""
    top = Path(os.path.realpath(top))
    own = _own(top)
    if own is None or not (own.is_relative_to(top) or _names(own, top)):
        return None
    common = _common(own)
    if common is None or not (common.is_relative_to(top) or common == own or _holds(common, own)):
        return None
    return Repository(top, own, common)


def _own(top: Path) -> Path | None:
    mark = top / ".git"
    if not mark.is_dir():
        text = _line(file_named_by_user(mark))
        if text is None or not text.startswith("gitdir:"):
            return None
        mark = top / text.removeprefix("gitdir:").strip()
    own = Path(os.path.realpath(mark))
    return own if own.is_dir() else None


def _common(own: Path) -> Path | None:
    if not (own / "commondir").exists():
        return own
    text = _line(CheckoutFile(own, own / "commondir"))
    return Path(os.path.realpath(own / text)) if text else None


def _holds(common: Path, own: Path) -> bool:
    return own.parent == common / "worktrees"


def _names(own: Path, top: Path) -> bool:
    """Whether a place outside names this work tree as its own."""
    text = _line(CheckoutFile(own, own / "gitdir"))
    if text is not None:
        return Path(os.path.realpath((own / text).parent)) == top and Path(text).name == ".git"
    with suppress(OSError):
        named = dict(configuration.entries(CheckoutFile(own, own / "config").read(configuration.LIMIT_BYTES)))
        worktree = named.get("core.worktree")
        return worktree is not None and Path(os.path.realpath(own / worktree)) == top
    return False


def _line(file: CheckoutFile) -> str | None:
    """The only line of a small file."""
    with suppress(OSError):
        return os.fsdecode(file.read(_NAME_LIMIT_BYTES)).rstrip("\r\n")
    return None
