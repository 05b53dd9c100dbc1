"""The commit that is checked out, from the files in which git keeps its references.

They are read without git, since git would need the repository's configuration for it. A repository that keeps them in another
way (`reftable`) has no commit as far as this goes.
"""

from __future__ import annotations

import re
from contextlib import suppress

from localfirst.git.place import Repository

_PACKED_LIMIT_BYTES = 64 * 1024 * 1024
_LIMIT_BYTES = 16 * 1024
_STEPS_MAX = 5
_COMMIT = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NAME = re.compile(rb"refs/[^\x00-\x20\x7f~^:?*\[\\]+")


def head_commit(repository: Repository) -> str | None:
    """The id of the commit; None where there is none, or it cannot be found."""
    text = b""
    with suppress(OSError):
        text = repository.own_file("HEAD").read(_LIMIT_BYTES).strip()
    for _ in range(_STEPS_MAX):
        if _COMMIT.fullmatch(text):
            return text.decode()
        name = text.removeprefix(b"ref:").strip()
        if not text.startswith(b"ref:") or not _NAME.fullmatch(name) or b".." in name:
            return None
        text = _value(repository, name)
    return None


def _value(repository: Repository, name: bytes) -> bytes:
    with suppress(OSError):
        return repository.file(name.decode("utf-8", "surrogateescape")).read(_LIMIT_BYTES).strip()
    with suppress(OSError):
        packed = repository.file("packed-refs").read(_PACKED_LIMIT_BYTES)
        for line in packed.split(b"\n"):
            commit, _, of = line.rstrip().partition(b" ")
            if of == name:
                return commit
    return b""
