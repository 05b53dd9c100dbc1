"""The roots that are indexed."""

from __future__ import annotations

from pathlib import Path

import apsw
import msgspec
from localfirst_schema import timestamps

from localfirst.code_index.chunk import CHUNKER
from localfirst.code_index.file_name import as_text
from localfirst.code_index.words import WORDS

CUTTING = f"{CHUNKER} {WORDS}"
"""Identity of what becomes of a file: where a repository's differs, its files are cut again."""

_FIND = "SELECT repository_id, root, name, chunker, indexed_at FROM code_repositories WHERE root = ?"
_ADD = (
    "INSERT INTO code_repositories (root, name, chunker) VALUES (?, ?, ?) ON CONFLICT (root) DO UPDATE SET name = excluded.name"
)
_FINISH = "UPDATE code_repositories SET chunker = ?, indexed_at = ? WHERE repository_id = ?"


class Repository(msgspec.Struct, frozen=True):
    """A row of `code_repositories`."""

    repository_id: int
    root: str
    name: str
    chunker: str
    indexed_at: str | None


def root_text(root: Path) -> str:
    """How the store names a root (absolute, links resolved by the caller)."""
    return as_text(str(root))


def find(connection: apsw.Connection, root: Path) -> Repository | None:
    """The repository at this root; None if it was never indexed."""
    row = connection.execute(_FIND, (root_text(root),)).fetchone()
    return Repository(*row) if row else None


def add(connection: apsw.Connection, root: Path, name: str) -> None:
    """Makes the row, or gives it its present name."""
    connection.execute(_ADD, (root_text(root), name, CUTTING))


def note_indexed(connection: apsw.Connection, repository_id: int) -> None:
    """Notes that a run has reached its end."""
    connection.execute(_FINISH, (CUTTING, timestamps.now(), repository_id))
