"""The mark of a repository: a random number in its common git directory, by which it is known again after a move.

It says nothing by itself. What came with an archive has a mark that this user's table does not know, and a copy has the mark of
another repository that is still in its place: in both a new one is written (`localfirst.settings.finding`).
"""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from pathlib import Path

from localfirst.checkout import CheckoutFile
from localfirst.git.place import Repository

NAME = "localfirst-mark"
_LIMIT_BYTES = 64
_MARK = re.compile(rb"([0-9a-f]{32})\n?")


def read_mark(common: Path) -> str | None:
    """The mark in a common git directory; None where there is none that can be read."""
    with suppress(OSError):
        if (found := _MARK.fullmatch(CheckoutFile(common, common / NAME).read(_LIMIT_BYTES))) is not None:
            return found[1].decode()
    return None


def write_mark(repository: Repository) -> str | None:
    """Gives the repository a new mark; None where nothing can be written."""
    mark = secrets.token_hex(16)
    with suppress(OSError):
        repository.file(NAME).write(f"{mark}\n".encode())
        return mark
    return None
