"""What the system says of a file, in words for a person."""

from __future__ import annotations

import errno

_WORDS = {
    errno.ENAMETOOLONG: "its name is longer than the system allows",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EROFS: "the disk is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "this user's share of the disk is used up",
    errno.ENOENT: "it does not exist",
    errno.ENOTDIR: "a part of its path is a file and no folder",
    errno.EISDIR: "a folder stands there",
    errno.ELOOP: "its links go round in a circle",
}


def in_words(error: OSError) -> str:
    """Why a file could not be used, as the end of a sentence; the system's own words where we have none."""
    return _WORDS.get(error.errno or 0) or error.strerror or type(error).__name__
