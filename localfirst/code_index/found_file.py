"""A file of a working tree that belongs to the index, as the scan saw it."""

from __future__ import annotations

import msgspec


class FoundFile(msgspec.Struct, frozen=True):
    """A regular file inside the repository."""

    path: str
    """Relative to the root, with ``/``; bytes that are not UTF-8 are kept with ``surrogateescape``."""

    size: int
    """Bytes."""

    mtime_ns: int
    """Modification time, nanoseconds since the epoch."""

    inode: int
