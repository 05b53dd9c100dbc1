"""What a run has to do: the scan of a working tree against the store. Nothing is read or deleted yet."""

from __future__ import annotations

from collections.abc import Callable, Container
from pathlib import Path

import apsw
import msgspec

from localfirst.code_index.file_name import as_text
from localfirst.code_index.pipeline.errors import RepositoryGoneError
from localfirst.code_index.scan import Scan, scan
from localfirst.code_index.skipped import Skipped
from localfirst.code_index.store import repositories
from localfirst.code_index.store.differences import Differences, differences
from localfirst.code_index.store.transaction import writing
from localfirst.code_index.work_tree import work_tree_of

MANY_FILES = 20
"""A tree without a single file, of which the index knows so many, is an unmounted disk rather than a wish to delete them."""


class Plan(msgspec.Struct, frozen=True):
    """A run over one repository. Paths are as the store names them (`file_name`)."""

    root: Path
    tree: tuple[int, int]
    """Device and inode of the root: while they are the same, a file that is missing was deleted."""

    repository_id: int
    siblings: tuple[int, ...]
    """The other work trees of the repository that are indexed: what they have of a file is not cut again."""

    to_read: tuple[str, ...]
    """New and changed files, and those of which `stat` cannot tell; sorted."""

    to_delete: tuple[str, ...]
    """Files that the index has and the tree has not, or that a rule leaves out by now."""

    unchanged: int
    scanned: int
    """Files that belong to the index."""

    skipped: tuple[Skipped, ...]
    """What the scan left out, and what was left out earlier when it was read and looks the same."""

    recut: bool = False
    """Whether files are cut and their words made even where their content is known."""

    def only(self, paths: Container[str]) -> Plan:
        """The part of it that concerns these paths: what is left of an earlier run."""
        return msgspec.structs.replace(
            self,
            to_read=tuple(path for path in self.to_read if path in paths),
            to_delete=tuple(path for path in self.to_delete if path in paths),
        )


def plan(
    connection: apsw.Connection, root: Path, name: str, *, force: bool = False, should_stop: Callable[[], bool] | None = None
) -> Plan:
    """What there is to do for the tree at `root`; it becomes one of the store's repositories if it was none.

    Args:
        force: cut everything again, and believe an empty tree.
        should_stop: asked again and again during the scan.

    Raises ScanStoppedError, RepositoryGoneError, and what `scan` raises.
    """
    root = _present(root)
    work_tree = work_tree_of(root)
    known = repositories.find(connection, root)
    if known is None or known.name != name or known.work_tree != work_tree:
        with writing(connection):
            repositories.add(connection, root, name)
            known = repositories.find(connection, root)
            assert known is not None
            repositories.note_place(connection, known.repository_id, work_tree)
    siblings = repositories.with_same_paths(connection, work_tree, known.root)
    tree, seen = _identity(root), _scan(root, should_stop)
    found = differences(connection, root, known.repository_id, seen.files)
    if not seen.files and not seen.skipped and len(found.deleted) >= MANY_FILES and not force:
        raise RepositoryGoneError(
            f"{root} is empty, but {len(found.deleted)} files of it are in the index; look whether its disk is mounted,"
            " or index it with force_reindex to empty the index too.",
            repo_path=str(root),
        )
    recut = force or known.chunker != repositories.CUTTING
    return Plan(
        root=root,
        tree=tree,
        repository_id=known.repository_id,
        siblings=() if force else tuple(sibling.repository_id for sibling in siblings),
        to_read=tuple(sorted(as_text(file.path) for file in seen.files)) if recut else found.to_read,
        to_delete=found.deleted,
        unchanged=0 if recut else len(found.unchanged),
        scanned=len(seen.files),
        skipped=_skipped(seen.skipped, found, recut),
        recut=recut,
    )


def look_that_it_is_there(plan: Plan) -> None:
    """Raises RepositoryGoneError if the root is not the folder any more that was planned for, or cannot be read."""
    if _identity(_present(plan.root)) != plan.tree:
        raise _gone(plan.root, "another folder is in its place")


def _present(root: Path) -> Path:
    try:
        root = root.resolve(strict=True)
        next(root.iterdir(), None)
    except OSError as error:
        raise _gone(root, error.strerror or type(error).__name__) from None
    return root


def _identity(root: Path) -> tuple[int, int]:
    status = root.stat()
    return status.st_dev, status.st_ino


def _scan(root: Path, should_stop: Callable[[], bool] | None) -> Scan:
    try:
        return scan(root, should_stop)
    except OSError as error:
        raise _gone(root, error.strerror or type(error).__name__) from None


def _gone(root: Path, reason: str) -> RepositoryGoneError:
    return RepositoryGoneError(
        f"{root} cannot be read ({reason}); nothing was taken out of the index. Look whether it was moved, or its disk or"
        " permissions changed.",
        repo_path=str(root),
    )


def _skipped(by_scan: list[Skipped], found: Differences, recut: bool) -> tuple[Skipped, ...]:
    named = [msgspec.structs.replace(skipped, path=as_text(skipped.path)) for skipped in by_scan]
    return tuple(sorted([*named, *(() if recut else found.left_out)], key=lambda skipped: skipped.path))
