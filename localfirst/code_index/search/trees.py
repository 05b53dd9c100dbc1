"""Which of the indexed trees a search answers from: of the work trees of one repository one, and none that is gone."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import apsw

from localfirst.code_index.file_name import as_bytes
from localfirst.code_index.store import repositories
from localfirst.code_index.work_tree import WorkTree, is_gone, work_tree_of


class Tree(NamedTuple):
    """An indexed root, as it is on the disk now."""

    repository_id: int
    root: str
    name: str
    indexed_at: str | None
    work_tree: WorkTree | None
    is_there: bool


class Indexed(NamedTuple):
    """The roots that are indexed."""

    trees: list[Tree]
    any_gone: bool
    """Whether there are entries of work trees that were removed; those are not among `trees`."""


def indexed_trees(connection: apsw.Connection) -> Indexed:
    """Reads the store's list, and looks at each root: some 0.1 ms for each."""
    trees: list[Tree] = []
    any_gone = False
    for one in repositories.every(connection):
        is_there = os.path.isdir(as_bytes(one.root))  # noqa: PTH112 - any bytes
        work_tree = (work_tree_of(Path(os.fsdecode(as_bytes(one.root)))) if is_there else None) or one.work_tree
        if work_tree is not None and is_gone(work_tree):
            any_gone = True
        else:
            trees.append(Tree(one.repository_id, one.root, one.name, one.indexed_at, work_tree, is_there))
    return Indexed(trees, any_gone)


def seen_from(trees: Sequence[Tree], here: WorkTree | None) -> list[Tree]:
    """Of each repository the roots of one work tree: of the one that the client is in, else of the best that there is."""
    by_repository: defaultdict[str, list[Tree]] = defaultdict(list)
    kept = []
    for tree in trees:
        if tree.work_tree is None:
            kept.append(tree)
        else:
            by_repository[tree.work_tree.common].append(tree)
    for relatives in by_repository.values():
        top = max(relatives, key=lambda tree: _rank(tree, here)).work_tree
        kept += [tree for tree in relatives if tree.work_tree == top]
    return kept


def is_elsewhere(trees: Sequence[Tree], here: WorkTree | None) -> bool:
    """Whether the client's repository is indexed, and the work tree that it is in is not."""
    if here is None:
        return False
    relatives = [one for tree in trees if (one := tree.work_tree) is not None and one.common == here.common]
    return bool(relatives) and here not in relatives


def _rank(tree: Tree, here: WorkTree | None) -> tuple[bool, bool, bool, bool, str]:
    """The client's own, then what is there, whole trees before folders of one, the main work tree, the one indexed last."""
    assert tree.work_tree is not None
    return (
        tree.work_tree == here,
        tree.is_there,
        tree.root == tree.work_tree.top,
        not tree.work_tree.is_linked,
        tree.indexed_at or "",
    )
