"""Searching the repositories that the team has shared: candidates come from PostgreSQL, the order is the same as at home."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localfirst_schema.errors import InvalidStateError

from localfirst.code_index import file_name
from localfirst.code_index.search import ranking
from localfirst.code_index.search.candidates import Place, Stems, Wanted, counted
from localfirst.code_index.search.excerpt import Excerpt, excerpt
from localfirst.code_index.search.quantise import quantised
from localfirst.code_index.search.query import CodeQuery, understood
from localfirst.code_index.search.scope import as_sqlite, language_named
from localfirst.code_index.shared.key import key_at
from localfirst.code_index.shared.server import shared_index
from localfirst.code_index.shared.verified import verified

if TYPE_CHECKING:
    from localfirst_schema.arguments import SearchCode
    from localfirst_sync.code_port import Candidate

    from localfirst.client.ports import Reader
    from localfirst.code_index.search.engine import CodeEngine

_ACTIVE = "SELECT model FROM code_models WHERE active = 1"


def search_team(session: Reader, arguments: SearchCode, engine: CodeEngine) -> dict[str, Any]:
    """The result of the tool. Raises UnavailableError where the server is away, InvalidStateError where there is none."""
    session.end_snapshot()  # a server that is met for the first time is noted in the replica
    shared = shared_index(session.settings, session.replica)
    if shared is None:
        raise InvalidStateError(
            "there is no index of a team: set LOCALFIRST_SERVER_URL or LOCALFIRST_DATABASE_URL and leave LOCALFIRST_SHARE_CODE"
            " on, or search locally."
        )
    asked = understood(arguments.query)
    model, vector = _vector(session, arguments.query, engine)
    with shared:
        found = shared.candidates(
            words=[word for word in asked.terms if word.isalnum()],
            model=model,
            vector=vector,
            repository=_repository(session, arguments.repo_path),
            language=language_named(arguments.language) if arguments.language is not None else None,
        )
    asked_of, found = len(found), verified(session.replica, found)
    left_out = ["chunks_left_out"] if len(found) < asked_of else []
    if arguments.path_glob is not None:
        globs = as_sqlite(arguments.path_glob)
        matches = "SELECT " + " OR ".join(["? GLOB ?"] * len(globs))
        found = [one for one in found if session.replica.execute(matches, _beside(one.path, globs)).get]
    order = _ranked(session, asked, found)[: arguments.limit]
    words_alone = ["searched_by_words_alone"] if vector is None and asked.terms else []
    return {
        "success": True,
        "warnings": ["set_aside"] if left_out else [],
        "data_source": "postgresql",
        "results": [_present(score, found[place], asked, whole=arguments.full_content) for score, place in order],
        "coverage": round(len(found) / asked_of, 4) if asked_of else 1.0,
        "files_behind": None,
        "index_warnings": words_alone + left_out,
    }


def _beside(path: str, globs: list[str]) -> tuple[str, ...]:
    return tuple(value for glob in globs for value in (path, glob))


def _vector(session: Reader, query: str, engine: CodeEngine) -> tuple[str | None, bytes | None]:
    """The model whose vectors are asked, and the query's."""
    from localfirst_schema.errors import UnavailableError

    from localfirst.embedding import configured

    model = session.replica.execute(_ACTIVE).get
    try:
        provider = engine.provider_of_model(model) if model is not None else configured(session.settings)
        if provider is None:
            return None, None
        vector = provider.embed([query])
    except UnavailableError:
        return None, None
    return (provider.model, quantised(vector)[0].tobytes()) if vector.any() else (None, None)


def _repository(session: Reader, repo_path: str | None) -> str | None:
    """The name by which the team knows a repository; as it was given where nothing of that directory was shared."""
    return None if repo_path is None else key_at(session.replica, Path(repo_path)) or repo_path


def _ranked(session: Reader, asked: CodeQuery, found: list[Candidate]) -> list[tuple[float, int]]:
    """As at home, with the words' weights taken from the candidates: the server does not count its words."""
    wanted = Wanted(asked.terms, Stems(session.replica))
    files: dict[tuple[str, str], int] = {}
    seen = [
        counted(
            Place(
                place_id=number,
                chunk_id=number,
                start_line=one.start_line,
                end_line=one.end_line,
                symbol=one.symbol,
                kind=one.kind,
                file_id=files.setdefault((one.repository, one.path), len(files)),
                path=one.path,
                language=one.language,
                repository_id=0,
                text=one.text,
            ),
            wanted,
            one.cosine or 0.0,
        )
        for number, one in enumerate(found)
    ]
    places = Counter(word for candidate in seen for word in candidate.frequencies)
    weights = {word: math.log1p((len(seen) - places[word] + 0.5) / (places[word] + 0.5)) for word in wanted.words}
    return ranking.ranked(asked, weights, seen)


def _present(score: float, one: Candidate, asked: CodeQuery, *, whole: bool) -> dict[str, Any]:
    if whole:
        displayed = Excerpt(one.start_line, one.end_line, one.text)
    else:
        displayed = excerpt(one.text, one.start_line, frozenset(asked.terms))
    return {
        "file_path": file_name.displayed(one.path),
        "start_line": displayed.start_line,
        "end_line": displayed.end_line,
        "symbol": one.symbol,
        "language": one.language,
        "content": displayed.text,
        "score": round(score, 4),
        "repository": one.repository,
        "repository_path": None,
        "repository_gone": False,
        "kind": one.kind,
        "chunk_start_line": one.start_line,
        "chunk_end_line": one.end_line,
    }
