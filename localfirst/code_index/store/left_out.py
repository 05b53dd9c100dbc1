"""Files that turned out to be none of the index's when they were read (binary, minified, unreadable …)."""

from __future__ import annotations

from collections.abc import Iterable

import apsw
from msgspec.structs import astuple

from localfirst.code_index.skipped import Skipped
from localfirst.code_index.store.cut_file import Seen

_PUT = """
    INSERT OR REPLACE INTO code_left_out (repository_id, path, rule, detail, size, mtime_ns, inode, seen_ns)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_FORGET = "DELETE FROM code_left_out WHERE repository_id = ? AND path = ?"


def note(connection: apsw.Connection, repository_id: int, skipped: Skipped, seen: Seen) -> None:
    """Notes why a file was left out, and how it looked: until it looks otherwise it is not read again."""
    connection.execute(_PUT, (repository_id, skipped.path, skipped.rule.value, skipped.detail, *astuple(seen)))


def forget(connection: apsw.Connection, repository_id: int, paths: Iterable[str]) -> None:
    """These files are no longer left out."""
    connection.executemany(_FORGET, [(repository_id, path) for path in paths])
