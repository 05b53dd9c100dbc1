"""Searching indexed code."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from localfirst_schema.arguments import SearchCode
from localfirst_schema.errors import InvalidStateError, UnavailableError
from localfirst_schema.results import CodeSearched

from localfirst.operations.operation import Operation
from localfirst.reading.without_replica import SessionWithoutReplica
from localfirst.replica.connection import sqlite_errors
from localfirst.session import Session

if TYPE_CHECKING:
    from localfirst.code_index.search.engine import CodeEngine

logger = logging.getLogger("localfirst.search")

engines: WeakKeyDictionary[Session | SessionWithoutReplica, CodeEngine] = WeakKeyDictionary()
"""What each session keeps for its searches."""


def search_code(session: Session | SessionWithoutReplica, arguments: SearchCode) -> dict[str, Any]:
    """Places in indexed files by words and by meaning, best first, and what the answer does not cover."""
    with sqlite_errors():
        if isinstance(session, SessionWithoutReplica):
            return _without_replica(session, arguments)
        if arguments.scope == "team":
            from localfirst.code_index.search.team import search_team

            try:
                return search_team(session, arguments, _engine_of(session))
            except UnavailableError:
                here = _engine_of(session).answer(session.replica, arguments)
                return here | {"warnings": ["database_unavailable"]}
        return _engine_of(session).answer(session.replica, arguments)


def _without_replica(session: SessionWithoutReplica, arguments: SearchCode) -> dict[str, Any]:
    """From a copy of the replica's index where there is one, else from the team's, else nothing; says which in any case."""
    from localfirst.code_index.search.engine import nothing_found
    from localfirst.code_index.search.team import search_team

    if session.has_copy() and arguments.scope == "local":
        return _engine_of(session).answer(session.replica, arguments) | _said_of(session)
    if session.link is not None and session.link.is_online():
        try:
            found = search_team(session, arguments, _engine_of(session))
        except (UnavailableError, InvalidStateError) as error:
            logger.info("the team's index does not stand in for the replica's: %s", error.message)
        else:
            if arguments.scope == "local":
                found["index_warnings"].append("index_unavailable")
                if not found["results"]:
                    found["coverage"] = 0.0  # perhaps it is here, and was never shared
            return found
    if session.has_copy():
        return _engine_of(session).answer(session.replica, arguments) | _said_of(session)
    return nothing_found("index_unavailable") | _said_of(session)


def _said_of(session: SessionWithoutReplica) -> dict[str, Any]:
    """Where an answer is from that is not the server's: what the server has of items says nothing of code."""
    source = session.of_replica()
    if session.link is not None and "database_unavailable" not in source["warnings"] and not session.link.is_online():
        source["warnings"].insert(0, "database_unavailable")
    return source


def _engine_of(session: Session | SessionWithoutReplica) -> CodeEngine:
    engine = engines.get(session)
    if engine is None:
        from localfirst.code_index.search.engine import CodeEngine  # numpy and the model are for those who search

        engine = engines[session] = CodeEngine(session.settings)
        session.held.callback(engine.close)
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
