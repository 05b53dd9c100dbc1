"""The search tool's work on the replica: which repository is meant, the search, what its answer leaves out, short results."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from localfirst.code_index import file_name
from localfirst.code_index.file_name import as_text
from localfirst.code_index.search.excerpt import Excerpt, excerpt
from localfirst.code_index.search.scope import Scope, as_sqlite, deepest, language_named
from localfirst.code_index.search.search import Answer, CodeSearch, Found
from localfirst.code_index.search.trees import Tree, indexed_trees, is_elsewhere, seen_from
from localfirst.code_index.watch import TreeWatch
from localfirst.code_index.work_tree import WorkTree, work_tree_of
from localfirst.replica.connection import snapshot

if TYPE_CHECKING:
    from localfirst_schema.arguments import SearchCode

    from localfirst.embedding.provider import EmbeddingProvider
    from localfirst.settings import Settings

QUERY_PATIENCE_S = 2.0
"""How long a search waits for an embedding service."""

FIRST_LOOK_S = 0.1
"""How long the first search of a tree waits to learn whether it has changed."""

WATCHED = 3
"""Without a repository the trees of so many best results are asked for changes."""

GONE_COVERAGE = 0.999
"""What is covered at most where a repository's directory is not there: nobody can say whether the index is what it was."""


class CodeEngine:
    """What one session keeps for its searches: the model, what the first one has prepared, the trees that are watched."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._providers: dict[str, EmbeddingProvider | None] = {}
        self._watch = TreeWatch()
        self._asked: set[str] = set()
        self._kept: tuple[apsw.Connection, CodeSearch] | None = None

    def answer(self, connection: apsw.Connection, arguments: SearchCode) -> dict[str, Any]:
        """The result of the tool. Raises ValidationError for a path that cannot be meant."""
        here = work_tree_of(self._settings.root) if arguments.repo_path is None else None
        with snapshot(connection):
            known = indexed_trees(connection)
            scope = _scope(connection, known.trees, arguments, here)
            if scope is not None:
                meant = [tree for tree in known.trees if tree.repository_id in (scope.repositories or ())]
                found = self._find(connection, meant, scope, arguments, is_all=meant == known.trees and not known.any_gone)
        if known.any_gone:
            self._have_removed(connection)
        if scope is None:
            return nothing_found("index_missing")
        behind = self._behind(connection, meant, found)
        gone = _gone(meant, found)
        trees = {tree.repository_id: tree for tree in meant}
        rows = [_present(one, trees[one.place.repository_id], found, gone, whole=arguments.full_content) for one in found.found]
        coverage = min(found.coverage, GONE_COVERAGE) if gone else found.coverage
        warnings = _index_warnings(found, behind, gone)
        if is_elsewhere(known.trees, here):
            warnings.append("work_tree_not_indexed")
        return _result(rows, warnings, coverage, behind)

    def provider_of_model(self, model: str) -> EmbeddingProvider | None:
        """The provider whose vectors the index has: the configured one, or while that one's are being made, the one before."""
        if model not in self._providers:
            from localfirst.embedding.providers import provider_of_model

            self._providers[model] = provider_of_model(model, self._settings, patience_s=QUERY_PATIENCE_S)
        return self._providers[model]

    def close(self) -> None:
        """Ends the threads that watch trees, and lets go of the connection."""
        self._kept = None
        self._watch.close()

    def _find(
        self, connection: apsw.Connection, meant: list[Tree], scope: Scope, arguments: SearchCode, *, is_all: bool
    ) -> Answer:
        several = deepest([tree.root for tree in meant])
        if is_all:
            scope = scope._replace(repositories=None)  # a condition less on each place
        if self._kept is None or self._kept[0] is not connection:  # the session goes on with another one
            self._kept = connection, CodeSearch(connection, self.provider_of_model)
        answer = self._kept[1].find(connection, arguments.query, scope, arguments.limit * several)
        return answer._replace(found=_each_once(answer.found, meant)[: arguments.limit]) if several > 1 else answer

    def _have_removed(self, connection: apsw.Connection) -> None:
        """Has a worker take out what is left of work trees that are gone, however often this is called."""
        from localfirst.code_index.worker import start

        if connection.filename and connection.open_vfs != "memdb":  # no copy in memory
            start.ensure(self._settings)

    def _behind(self, connection: apsw.Connection, meant: list[Tree], answer: Answer) -> int | None:
        """How many files of the searched trees have changed since they were indexed; None if that is not known."""
        roots = {tree.repository_id: tree.root for tree in meant}
        best = list(dict.fromkeys(one.place.repository_id for one in answer.found if one.place.repository_id in roots))
        counts = []
        for root in [roots[number] for number in best[:WATCHED]] or [meant[0].root]:
            wait_s = 0.0 if root in self._asked else FIRST_LOOK_S
            self._asked.add(root)
            counts.append(self._watch.behind(connection, Path(os.fsdecode(os.fsencode(root))), wait_s=wait_s))
        known = [count for count in counts if count is not None]
        return sum(known) if known else None


def nothing_found(why: str) -> dict[str, Any]:
    """The result where there is no index to search; `why` is one of its `index_warnings`."""
    return _result([], [why], 0.0, None)


def _each_once(found: list[Found], meant: list[Tree]) -> list[Found]:
    """The same lines of a file once, the best of them: a tree may be indexed by itself and within another."""
    roots = {tree.repository_id: tree.root for tree in meant}
    seen = set()
    kept = []
    for one in found:
        place = one.place
        where = (f"{roots[place.repository_id]}/{place.path}", place.start_line, place.end_line)
        if where not in seen:
            seen.add(where)
            kept.append(one)
    return kept


def _gone(meant: list[Tree], answer: Answer) -> set[int]:
    """The searched repositories whose directory is no longer there: of those that were found, or the only one."""
    found = {one.place.repository_id for one in answer.found}
    return {tree.repository_id for tree in meant if not tree.is_there and (len(meant) == 1 or tree.repository_id in found)}


def _scope(connection: apsw.Connection, trees: list[Tree], arguments: SearchCode, here: WorkTree | None) -> Scope | None:
    """What is to be searched; None where there is no index. Raises ValidationError for what nothing can fit."""
    language = language_named(arguments.language) if arguments.language is not None else None
    if arguments.path_glob is not None:
        as_sqlite(arguments.path_glob)
    if arguments.repo_path is None:
        seen = tuple(tree.repository_id for tree in seen_from(trees, here))
        return Scope(seen, language, arguments.path_glob) if seen else None
    from localfirst.code_index.jobs.target import known_root, repository_root

    root = as_text(known_root(arguments.repo_path))
    named = work_tree_of(Path(known_root(arguments.repo_path)))
    by_root = {tree.root: tree for tree in trees if not _is_another_tree(tree.work_tree, named)}
    for folder in (root, *map(str, Path(root).parents)):
        if folder in by_root:
            inside = os.path.relpath(root, folder) if folder != root else None
            meant = (by_root[folder].repository_id,)
            scope = Scope(meant, language, arguments.path_glob, inside)
            if inside is not None and not _has_files(connection, Scope(meant, None, None, inside)):
                repository_root(arguments.repo_path)  # a file, or a name that is mistyped
            return scope
    repository_root(arguments.repo_path)  # says what is wrong with a path that is no directory
    return None


def _is_another_tree(tree: WorkTree | None, named: WorkTree | None) -> bool:
    """Whether these are two work trees of one repository: one may lie within the other, and is no part of it."""
    return tree is not None and named is not None and tree.common == named.common and tree.top != named.top


def _has_files(connection: apsw.Connection, scope: Scope) -> bool:
    where, values = scope.where()
    return bool(connection.execute(f"SELECT EXISTS (SELECT 1 FROM code_files AS f WHERE {where})", tuple(values)).get)


def _index_warnings(answer: Answer, behind: int | None, gone: set[int]) -> list[str]:
    warnings = []
    if answer.coverage < 1.0:
        warnings.append("index_incomplete")
    if answer.troubled:
        warnings.append("files_unreadable")
    if gone:
        warnings.append("repository_gone")
    if behind:
        warnings.append("index_behind")
    if not answer.by_meaning and answer.query.terms:
        warnings.append("searched_by_words_alone")
    return warnings


def _result(rows: list[dict[str, Any]], index_warnings: list[str], coverage: float, behind: int | None) -> dict[str, Any]:
    return {
        "success": True,
        "warnings": [],
        "data_source": "sqlite_cache",
        "results": rows,
        "coverage": coverage,
        "files_behind": behind,
        "index_warnings": index_warnings,
    }


def _present(found: Found, tree: Tree, answer: Answer, gone: set[int], *, whole: bool) -> dict[str, Any]:
    place = found.place
    if whole:
        displayed = Excerpt(place.start_line, place.end_line, place.text)
    else:
        displayed = excerpt(place.text, place.start_line, frozenset(answer.query.terms))
    return {
        "file_path": file_name.displayed(place.path),
        "start_line": displayed.start_line,
        "end_line": displayed.end_line,
        "symbol": place.symbol,
        "language": place.language,
        "content": displayed.text,
        "score": found.score,
        "repository": tree.name,
        "repository_path": tree.root,
        "repository_gone": place.repository_id in gone,
        "kind": place.kind,
        "chunk_start_line": place.start_line,
        "chunk_end_line": place.end_line,
    }
