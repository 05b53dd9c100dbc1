"""The files of a scan against those of the store, by `stat` alone.

A file whose size, time and inode are what they were is unchanged, unless it was read within the same tick of the clock in which
it had been written: what was written after that shows the same time. Where `stat` cannot decide, the content's hash does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import apsw
import msgspec
import xxhash

from localfirst.code_index.file_name import as_bytes, as_text
from localfirst.code_index.found_file import FoundFile
from localfirst.code_index.skipped import Skipped, SkipRule

RACY_NS = 2_000_000_000
"""The coarsest tick of file systems in use (FAT): a file younger than this when it was read may have changed unseen."""

# A file that cannot be read at present may be in both: then it is known as it looked when that was noticed.
_STORED = """
    SELECT path, size, mtime_ns, inode, seen_ns - mtime_ns, NULL, NULL FROM code_files WHERE repository_id = :repository
    UNION ALL
    SELECT path, size, mtime_ns, inode, seen_ns - mtime_ns, rule, detail FROM code_left_out WHERE repository_id = :repository
"""


class Differences(msgspec.Struct, frozen=True):
    """Paths, as the store names them."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    """Of another size than in the store."""

    suspect: tuple[str, ...]
    """Of the same size, but touched or too young when it was read: compare the content's hash."""

    deleted: tuple[str, ...]
    unchanged: tuple[str, ...]
    left_out: tuple[Skipped, ...]
    """Files of the scan that were left out when they were read, and look as they did."""

    @property
    def to_read(self) -> tuple[str, ...]:
        """What has to be read, in the order of the paths."""
        return tuple(sorted((*self.new, *self.changed, *self.suspect)))


def differences(connection: apsw.Connection, root: Path, repository_id: int, found: Iterable[FoundFile]) -> Differences:
    """What a run would have to do; reads the store's list once, some 2 µs per file."""
    stored = {path: rest for path, *rest in connection.execute(_STORED, {"repository": repository_id})}
    new, changed, suspect, unchanged, left_out = [], [], [], [], []
    for file in found:
        path = as_text(file.path)
        known = stored.pop(path, None)
        if known is None:
            new.append(path)
            continue
        size, mtime_ns, inode, age_ns, rule, detail = known
        if size != file.size:
            changed.append(path)
        elif mtime_ns != file.mtime_ns or inode != file.inode or age_ns < RACY_NS:
            suspect.append(path)
        elif rule is None:
            unchanged.append(path)
        elif rule == SkipRule.UNREADABLE and os.access(os.path.join(os.fsencode(root), as_bytes(path)), os.R_OK):  # noqa: PTH118 - bytes
            suspect.append(path)  # the permission came back, which leaves no trace in what was compared
        else:
            left_out.append(Skipped(path, SkipRule(rule), detail))
    return Differences(
        new=tuple(new),
        changed=tuple(changed),
        suspect=tuple(suspect),
        deleted=tuple(sorted(stored)),
        unchanged=tuple(unchanged),
        left_out=tuple(left_out),
    )


def content_hash(content: bytes) -> bytes:
    """Identity of a file's content, 16 bytes; not against forgery, which whoever may write the file has no need of."""
    return xxhash.xxh3_128_digest(content)
