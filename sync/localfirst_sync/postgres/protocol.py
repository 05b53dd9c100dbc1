"""Whether this client speaks the protocol that a server's newest migration asks for."""

from __future__ import annotations

from localfirst_schema.errors import UnavailableError
from localfirst_schema.wire import PROTOCOL_VERSION

CAUSE = "protocol"


def check_protocol(asked_for: object) -> None:
    """Raises `UnavailableError` for a later protocol than this client's."""
    if isinstance(asked_for, int) and asked_for > PROTOCOL_VERSION:
        raise UnavailableError(
            "The PostgreSQL database is newer than this client; upgrade localfirst (`uv tool upgrade localfirst` or your"
            " package manager). Changes are kept in the replica until then.",
            cause=CAUSE,
        )
