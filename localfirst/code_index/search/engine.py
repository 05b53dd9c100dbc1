"""The search tool's work on the replica: which repository is meant, the search, what its answer leaves out, short results."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from localfirst.code_index import file_name
from localfirst.code_index.file_name import as_bytes, as_text
from localfirst.code_index.search.excerpt import Excerpt, excerpt
from localfirst.code_index.search.scope import Scope, as_sqlite, deepest, language_named
from localfirst.code_index.search.search import Answer, Found, search_of
from localfirst.code_index.watch import TreeWatch

if TYPE_CHECKING:
    from localfirst_schema.arguments import SearchCode

    from localfirst.embedding.provider import EmbeddingProvider
    from localfirst.settings import Settings

QUERY_PATIENCE_S = 2.0
"""How long a search waits for an embedding service."""

FIRST_LOOK_S = 0.1
"""How long the first search of a tree waits to be told whether it has changed."""

WATCHED = 3
"""Without a repository the trees of so many best results are asked for changes."""

GONE_COVERAGE = 0.999
"""What is covered at most where a repository's directory is not there: nobody can say whether the index is what it was."""

_REPOSITORIES = "SELECT repository_id, root, name FROM code_repositories"


class CodeEngine:
    """What one session keeps for its searches: the model, the trees that are watched."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._providers: dict[str, EmbeddingProvider | None] = {}
        self._watch = TreeWatch()
        self._asked: set[str] = set()

    def answer(self, connection: apsw.Connection, arguments: SearchCode) -> dict[str, Any]:
        """The result of the tool. Raises ValidationError for a path that cannot be meant."""
        repositories = {row[0]: (str(row[1]), str(row[2])) for row in connection.execute(_REPOSITORIES)}
        scope = _scope(connection, repositories, arguments)
        if scope is None or not repositories:
            return nothing_found("index_missing")
        several = 1 if scope.repository_id is not None else deepest([root for root, _ in repositories.values()])
        found = search_of(connection, self.provider_of_model).find(
            connection, arguments.query, scope, arguments.limit * several
        )
        if several > 1:
            found = found._replace(found=_each_once(found.found, repositories)[: arguments.limit])
        behind = self._behind(connection, repositories, scope, found)
        gone = _gone(repositories, scope, found)
        rows = [_present(one, repositories, found, gone, whole=arguments.full_content) for one in found.found]
        coverage = min(found.coverage, GONE_COVERAGE) if gone else found.coverage
        return _result(rows, _index_warnings(found, behind, gone), coverage, behind)

    def provider_of_model(self, model: str) -> EmbeddingProvider | None:
        """The provider whose vectors the index has: the configured one, or while that one's are being made, the one before."""
        if model not in self._providers:
            from localfirst.embedding.choice import provider_of_model

            self._providers[model] = provider_of_model(model, self._settings, patience_s=QUERY_PATIENCE_S)
        return self._providers[model]

    def close(self) -> None:
        """Ends the threads that watch trees."""
        self._watch.close()

    def _behind(
        self, connection: apsw.Connection, repositories: dict[int, tuple[str, str]], scope: Scope, answer: Answer
    ) -> int | None:
        """How many files of the searched trees have changed since they were indexed; None if that is not known."""
        if scope.repository_id is not None:
            meant = [scope.repository_id]
        else:
            meant = list(dict.fromkeys(one.place.repository_id for one in answer.found))[:WATCHED] or list(repositories)[:1]
        counts = []
        for repository_id in meant:
            root = repositories[repository_id][0]
            wait_s = 0.0 if root in self._asked else FIRST_LOOK_S
            self._asked.add(root)
            counts.append(self._watch.behind(connection, Path(os.fsdecode(os.fsencode(root))), wait_s=wait_s))
        known = [count for count in counts if count is not None]
        return sum(known) if known else None


def nothing_found(why: str) -> dict[str, Any]:
    """The result where there is no index to search; `why` is one of its `index_warnings`."""
    return _result([], [why], 0.0, None)


def _each_once(found: list[Found], repositories: dict[int, tuple[str, str]]) -> list[Found]:
    """The same lines of a file once, the best of them: a tree may be indexed by itself and within another."""
    seen = set()
    kept = []
    for one in found:
        place = one.place
        where = (f"{repositories[place.repository_id][0]}/{place.path}", place.start_line, place.end_line)
        if where not in seen:
            seen.add(where)
            kept.append(one)
    return kept


def _gone(repositories: dict[int, tuple[str, str]], scope: Scope, answer: Answer) -> set[int]:
    """The searched repositories whose directory is no longer there: of those that were found, or that was asked for."""
    meant = {one.place.repository_id for one in answer.found}
    if scope.repository_id is not None:
        meant.add(scope.repository_id)
    return {number for number in meant if not os.path.isdir(as_bytes(repositories[number][0]))}  # noqa: PTH112 - any bytes


def _scope(connection: apsw.Connection, repositories: dict[int, tuple[str, str]], arguments: SearchCode) -> Scope | None:
    """What is to be searched; None for a repository without an index. Raises ValidationError for what nothing can fit."""
    language = language_named(arguments.language) if arguments.language is not None else None
    if arguments.path_glob is not None:
        as_sqlite(arguments.path_glob)
    if arguments.repo_path is None:
        return Scope(None, language, arguments.path_glob)
    from localfirst.code_index.jobs.target import known_root, repository_root

    root = as_text(known_root(arguments.repo_path))
    ids = {path: repository_id for repository_id, (path, _) in repositories.items()}
    for folder in (root, *map(str, Path(root).parents)):
        if folder in ids:
            inside = os.path.relpath(root, folder) if folder != root else None
            scope = Scope(ids[folder], language, arguments.path_glob, inside)
            if inside is not None and not _has_files(connection, Scope(ids[folder], None, None, inside)):
                repository_root(arguments.repo_path)  # a file, or a name that is mistyped
            return scope
    repository_root(arguments.repo_path)  # says what is wrong with a path that is no directory
    return None


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


def _present(
    found: Found, repositories: dict[int, tuple[str, str]], answer: Answer, gone: set[int], *, whole: bool
) -> dict[str, Any]:
    place = found.place
    root, name = repositories.get(place.repository_id, ("", ""))
    if whole:
        shown = Excerpt(place.start_line, place.end_line, place.text)
    else:
        shown = excerpt(place.text, place.start_line, frozenset(answer.query.terms))
    return {
        "file_path": file_name.shown(place.path),
        "start_line": shown.start_line,
        "end_line": shown.end_line,
        "symbol": place.symbol,
        "language": place.language,
        "content": shown.text,
        "score": found.score,
        "repository": name,
        "repository_path": root or None,
        "repository_gone": place.repository_id in gone,
        "kind": place.kind,
        "chunk_start_line": place.start_line,
        "chunk_end_line": place.end_line,
    }
