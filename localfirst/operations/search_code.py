"""Searching indexed code."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from localfirst_schema.arguments import SearchCode
from localfirst_schema.errors import InvalidStateError, UnavailableError
from localfirst_schema.results import CodeSearched

from localfirst.client.ports import Reader
from localfirst.operations.operation import Operation
from localfirst.replica.connection import sqlite_errors

if TYPE_CHECKING:
    from localfirst.code_index.search.engine import CodeEngine

logger = logging.getLogger("localfirst.search")


def search_code(session: Reader, arguments: SearchCode) -> dict[str, Any]:
    """Places in indexed files by words and by meaning, best first, and what the answer does not cover."""
    with sqlite_errors():
        if session.is_replica_away:
            return _without_replica(session, arguments)
        if arguments.scope == "team":
            from localfirst.code_index.search.team import search_team

            try:
                return search_team(session, arguments, _engine_of(session))
            except UnavailableError:
                here = _engine_of(session).answer(session.replica, arguments)
                return here | {"warnings": ["database_unavailable"]}
        return _engine_of(session).answer(session.replica, arguments)


def _without_replica(session: Reader, arguments: SearchCode) -> dict[str, Any]:
    """From a copy of the replica's index where there is one, else from the team's, else nothing; says which in any case."""
    from localfirst.code_index.search.engine import nothing_found
    from localfirst.code_index.search.team import search_team

    if session.has_index() and arguments.scope == "local":
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
    if session.has_index():
        return _engine_of(session).answer(session.replica, arguments) | _said_of(session)
    return nothing_found("index_unavailable") | _said_of(session)


def _said_of(session: Reader) -> dict[str, Any]:
    """Where an answer is from that is not the server's: what the server has of items says nothing of code."""
    source = session.of_replica()
    if session.link is not None and "database_unavailable" not in source["warnings"] and not session.link.is_online():
        source["warnings"].insert(0, "database_unavailable")
    return source


def _engine_of(session: Reader) -> CodeEngine:
    from localfirst.code_index.search.engine import CodeEngine  # numpy and the model are for those who search

    return session.services.of(CodeEngine, lambda: CodeEngine(session.settings))


OPERATIONS = (
    Operation(
        "search_code",
        "Search code",
        "Finds code by what it does, by words or by a symbol's name, best first, in repositories that index_repository has"
        " indexed.",
        SearchCode,
        CodeSearched,
        search_code,
        "read",
        idempotent=True,
        groups=(
            "core",
            "index",
        ),
        of_replica_alone=True,
    ),
)
