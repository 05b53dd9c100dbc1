"""The roots that are indexed, and the work tree that each of them lies in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

import apsw
import msgspec
from localfirst_schema import timestamps

from localfirst.code_index.chunk import CHUNKER
from localfirst.code_index.file_name import as_text
from localfirst.code_index.words import WORDS
from localfirst.code_index.work_tree import WorkTree, work_tree_of

CUTTING = f"{CHUNKER} {WORDS}"
"""Identity of what becomes of a file: where a repository's differs, its files are cut again."""

_COLUMNS = "repository_id, root, name, chunker, indexed_at, work_tree, git_own, git_common"
_ALL = f"SELECT {_COLUMNS} FROM code_repositories"
_FIND = f"{_ALL} WHERE root = ?"
_ADD = (
    "INSERT INTO code_repositories (root, name, chunker) VALUES (?, ?, ?) ON CONFLICT (root) DO UPDATE SET name = excluded.name"
)
_PLACE = "UPDATE code_repositories SET work_tree = ?, git_own = ?, git_common = ? WHERE repository_id = ?"
_FINISH = "UPDATE code_repositories SET chunker = ?, indexed_at = ? WHERE repository_id = ?"


class Repository(msgspec.Struct, frozen=True):
    """A row of `code_repositories`."""

    repository_id: int
    root: str
    name: str
    chunker: str
    indexed_at: str | None
    work_tree: WorkTree | None
    """As it was when it was last indexed."""


def root_text(root: Path) -> str:
    """How the store names a root (absolute, links resolved by the caller)."""
    return as_text(str(root))


def find(connection: apsw.Connection, root: Path) -> Repository | None:
    """The repository at this root; None if it was never indexed."""
    row = connection.execute(_FIND, (root_text(root),)).fetchone()
    return _repository(*row) if row else None


def usual_name(connection: apsw.Connection, root: Path) -> str:
    """What a directory is called in the index: as it is; one in a linked work tree as its like in the repository's main one."""
    tree = work_tree_of(root)
    if tree is None or not tree.is_linked:
        return root.name
    main = tree.in_main(root_text(root))
    row = connection.execute("SELECT name FROM code_repositories WHERE root = ?", (main,)).fetchone()
    return str(row[0]) if row is not None else PurePath(main).name.removesuffix(".git")


def every(connection: apsw.Connection) -> list[Repository]:
    """All of them."""
    rows: Iterable[Any] = connection.execute(_ALL)
    return [_repository(*row) for row in rows]


def with_same_paths(connection: apsw.Connection, tree: WorkTree | None, root: str) -> list[Repository]:
    """The other roots at this place in a work tree of this repository whose files are cut as they would be now."""
    if tree is None:
        return []
    return [
        other
        for other in every(connection)
        if other.work_tree is not None
        and other.work_tree.common == tree.common
        and other.root != root
        and other.work_tree.within(other.root) == tree.within(root)
        and other.chunker == CUTTING
    ]


def note_place(connection: apsw.Connection, repository_id: int, tree: WorkTree | None) -> None:
    """Notes the work tree that it lies in now."""
    top, own, common = tree or (None, None, None)
    connection.execute(_PLACE, (top, own, common, repository_id))


def add(connection: apsw.Connection, root: Path, name: str) -> None:
    """Makes the row, or gives it its present name."""
    connection.execute(_ADD, (root_text(root), name, CUTTING))


def note_indexed(connection: apsw.Connection, repository_id: int) -> None:
    """Notes that a run has reached its end."""
    connection.execute(_FINISH, (CUTTING, timestamps.now(), repository_id))


def note_leaving(connection: apsw.Connection, repository_id: int) -> None:
    """Notes that its files are about to be taken out: until it is indexed again it is not whole."""
    connection.execute("UPDATE code_repositories SET indexed_at = NULL WHERE repository_id = ?", (repository_id,))


def _repository(
    repository_id: int,
    root: str,
    name: str,
    chunker: str,
    indexed_at: str | None,
    top: str | None,
    own: str | None,
    common: str | None,
) -> Repository:
    tree = WorkTree(top, own, common) if top is not None and own is not None and common is not None else None
    return Repository(repository_id, root, name, chunker, indexed_at, tree)
