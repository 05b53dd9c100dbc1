"""A client's session, with the replica if that can be had."""

from __future__ import annotations

from localfirst_schema.errors import UnavailableError

from localfirst.client.session import Session
from localfirst.client.without_replica import SessionWithoutReplica
from localfirst.settings import Settings


def open_session(settings: Settings) -> Session | SessionWithoutReplica[Session]:
    """A session. Raises what is wrong with the settings or with the project's name."""
    try:
        return Session(settings)
    except UnavailableError as error:
        return SessionWithoutReplica(settings, error, lambda patience_ms: _with_replica(settings, patience_ms))


def _with_replica(settings: Settings, patience_ms: int | None) -> Session:
    return Session(settings) if patience_ms is None else Session(settings, patience_ms=patience_ms)
