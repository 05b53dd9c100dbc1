"""The way to the server: PostgreSQL itself, or a daemon beside it. The one place that knows which of the two it is.

Both are imported when they are needed, and only the one that is: a laptop with a daemon loads no PostgreSQL driver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from localfirst_schema.errors import UnavailableError
from localfirst_sync.pulse import Pulse

from localfirst.settings import Settings

if TYPE_CHECKING:
    from localfirst_sync.known_server import Acquaintance
    from localfirst_sync.ports import Cursor, Identity, RemoteStore


class Probe(Protocol):
    """Asks for the head, for reads."""

    def head(self, budget_ms: float) -> Cursor:
        """The head, after at most so many milliseconds. Raises UnavailableError."""

    def is_ready(self) -> bool:
        """Whether the connection stands; if not, it is being made from now on."""

    def close(self) -> None:
        """Lets go of the connection."""


def open_remote(settings: Settings, identity: Identity, known: Acquaintance, pulse: Pulse) -> RemoteStore:
    """The server, which is to be the one that the replica knows. Raises UnavailableError."""
    if settings.server_url is not None:
        from localfirst_sync.http.store import HttpStore

        return HttpStore(settings.server_url, token(settings), identity, known, pulse)
    from localfirst_sync.postgres.store import PostgresStore

    assert settings.database_url is not None
    return PostgresStore(settings.database_url, identity, known, pulse)


def open_probe(settings: Settings, project_id: str, pulse: Pulse) -> Probe:
    """The question for the head. Raises UnavailableError."""
    if settings.server_url is not None:
        from localfirst_sync.http.probe import HttpHeadProbe

        return HttpHeadProbe(settings.server_url, token(settings), project_id, pulse)
    from localfirst_sync.postgres.probe import HeadProbe

    assert settings.database_url is not None
    return HeadProbe(settings.database_url, project_id, pulse)


def describe_server(settings: Settings) -> str:
    """Where the server is, without credentials."""
    if settings.server_url is not None:
        from localfirst_sync.http.address import described

        return described(settings.server_url)
    from localfirst_sync.postgres.address import describe_server as describe

    assert settings.database_url is not None
    return describe(settings.database_url)


def token(settings: Settings) -> str:
    """The token for the daemon. Raises UnavailableError where there is none."""
    if settings.server_token is None:
        raise UnavailableError(
            f"There is no token for {describe_server(settings)}: run `localfirst login {describe_server(settings)}`, or set"
            " LOCALFIRST_SERVER_TOKEN. Changes are kept in the replica.",
            cause="settings",
        )
    return settings.server_token
