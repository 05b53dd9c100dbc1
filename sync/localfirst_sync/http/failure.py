"""The engine's errors as messages, and back: a laptop's engine does not know whom it speaks to."""

from __future__ import annotations

from typing import NoReturn

from localfirst_schema.errors import InvalidStateError, UnavailableError

from localfirst_sync.http.messages import Failed
from localfirst_sync.ports import Busy, Fenced, IdentityTaken, ServerWasRestored, SyncError

REFUSED = "request"
"""The cause of a question that the daemon does not take."""


class MeetAgain(Exception):
    """The daemon has another PostgreSQL than the one that was met."""


def as_message(error: SyncError | UnavailableError) -> Failed:
    """What the daemon says of an error."""
    match error:
        case IdentityTaken():
            return Failed("identity_taken", details={"agreed": error.agreed})
        case Fenced():
            return Failed("fenced")
        case Busy():
            return Failed("busy", details={"held": list(error.held), "last_number": error.last_number})
        case ServerWasRestored():
            return Failed("restored")
        case UnavailableError():
            return Failed("unavailable", error.message, error.details)
        case _:
            raise TypeError(type(error).__name__)


def raise_it(failed: Failed) -> NoReturn:
    """Raises what a message says. What it says wrongly is an `UnavailableError` too: a daemon is not believed blindly."""
    details = failed.details
    match failed.kind:
        case "identity_taken":
            raise IdentityTaken(_number(details.get("agreed")))
        case "fenced":
            raise Fenced
        case "busy":
            held = details.get("held")
            numbers = [_number(one) for one in held] if isinstance(held, list) else []
            raise Busy(numbers, _number(details.get("last_number")))
        case "restored":
            raise ServerWasRestored
        case "meet":
            raise MeetAgain
        case "refused":
            raise UnavailableError(
                f"The server did not take a request: {failed.message or 'it does not say why.'} Changes are kept here.",
                cause=REFUSED,
            )
        case "unavailable":
            cause = details.get("cause")
            rest = {name: value for name, value in details.items() if name != "cause" and isinstance(name, str)}
            raise UnavailableError(
                failed.message or "The server cannot answer now.", cause=cause if isinstance(cause, str) else "server", **rest
            )


def read_only() -> InvalidStateError:
    """A write with a token that may only read."""
    return InvalidStateError("this token may only read; ask for one that may write.", cause="read_only")


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
