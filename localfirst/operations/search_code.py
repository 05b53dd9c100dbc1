"""Searching indexed code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from localfirst_schema.arguments import SearchCode
from localfirst_schema.errors import UnavailableError
from localfirst_schema.results import CodeSearched

from localfirst.operations.operation import Operation
from localfirst.reading.without_replica import SessionWithoutReplica
from localfirst.replica.connection import sqlite_errors
from localfirst.session import Session

if TYPE_CHECKING:
    from localfirst.code_index.search.engine import CodeEngine

_engines: WeakKeyDictionary[Session, CodeEngine] = WeakKeyDictionary()


def search_code(session: Session | SessionWithoutReplica, arguments: SearchCode) -> dict[str, Any]:
    """Places in indexed files by words and by meaning, best first, and what the answer does not cover."""
    if isinstance(session, SessionWithoutReplica):
        raise session.refusal()
    with sqlite_errors():
        if arguments.scope == "team":
            from localfirst.code_index.search.team import search_team

            try:
                return search_team(session, arguments, _engine_of(session))
            except UnavailableError:
                here = _engine_of(session).answer(session.replica, arguments)
                return here | {"warnings": ["database_unavailable"]}
        return _engine_of(session).answer(session.replica, arguments)


def _engine_of(session: Session) -> CodeEngine:
    engine = _engines.get(session)
    if engine is None:
        from localfirst.code_index.search.engine import CodeEngine  # numpy and the model are for those who search

        engine = _engines[session] = CodeEngine(session.settings)
    return engine


OPERATIONS = (
    Operation(
        "search_code",
        "Search code",
        "Finds code in indexed repositories by what it does, by words or by a symbol's name, best first: file, lines, symbol,"
        " and the lines that say most. Index a repository first with index_repository.",
        SearchCode,
        CodeSearched,
        search_code,
        "read",
        idempotent=True,
    ),
)
