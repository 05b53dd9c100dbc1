"""What went wrong with the server, in words: the one place that turns the driver's errors into ours.

The driver's own text names hosts and users and sometimes repeats what it was given, so none of it is passed on. An error is
classified by its SQLSTATE, which is the same in every language; a connection that never came about by the SQLSTATE that the
server has said, or by the step at which it failed (`making.Failure`). The few texts that are looked into are libpq's own about
the address that it was given and about `require_auth`; they come from no server.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from localfirst_schema.errors import UnavailableError
from psycopg import errors
from psycopg.pq import ConnStatus

from localfirst_sync.postgres import pooler
from localfirst_sync.postgres.making import Failure

RETRIED = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
)
"""The server gave way to somebody else: the same transaction, begun again, may succeed."""

_BY_SQLSTATE: dict[str, tuple[str, str]] = {
    "28P01": ("password", "PostgreSQL refused the password"),
    "28000": ("permission", "PostgreSQL does not let this user in"),
    "3D000": ("database", "PostgreSQL has no database of this name"),
    "42501": ("permission", "PostgreSQL denies this user what localfirst needs (`localfirst doctor` says what is missing)"),
    "53300": ("connections", "PostgreSQL has no connection left"),
    "53100": ("disk", "PostgreSQL's disk is full"),
    **dict.fromkeys(
        ("26000", "42P05", "08P01"),
        (pooler.CAUSE, "a connection pooler before PostgreSQL mixes the statements of its clients"),
    ),
    "57P01": ("connection", "PostgreSQL is shutting down"),
    "57P02": ("connection", "PostgreSQL is restarting after a crash"),
    "57P03": ("connection", "PostgreSQL is starting up"),
    "57014": ("timeout", "PostgreSQL took too long to answer"),
    "25P03": ("timeout", "PostgreSQL ended a transaction that had stood still for too long"),
    "25006": ("standby", "PostgreSQL takes no writes (a standby, or one that was made read-only)"),
    "42P01": ("schema", "PostgreSQL lacks tables that localfirst needs (`localfirst doctor` says which)"),
    "3F000": ("schema", "PostgreSQL lacks the schema `localfirst`"),
    "55P03": ("busy", "PostgreSQL is busy: somebody else holds the rows"),
    "40P01": ("busy", "PostgreSQL is busy: somebody else holds the rows"),
    "40001": ("busy", "PostgreSQL is busy: somebody else changed the rows"),
}

_POOLER_ITSELF = (
    pooler.CAUSE,
    "a connection pooler before PostgreSQL has no connection to it, or none became free in time, or it has cut one",
)
"""PgBouncer tells every trouble of its own by the code of a broken protocol. The statements of nobody were mixed then."""

_NUMBERS = (
    "numbers",
    "PostgreSQL's log has lines beyond its last number, so the next one is taken (somebody wrote its tables by hand);"
    " `localfirst doctor --verify --fix` puts them in order",
)

_PORT = "LOCALFIRST_DATABASE_URL names no port: that must be a number from 1 to 65535"

_BY_ADDRESS: tuple[tuple[str, str], ...] = (
    ("port number", _PORT),
    ('option "port"', _PORT),
)
"""What libpq says of an address that it cannot use."""

_AUTHENTICATION = (
    "settings",
    "PostgreSQL asks for the password in a way that could give it away: have it ask by SCRAM or its certificate be checked"
    " (sslmode=verify-full), or say in the address what may be used (require_auth=md5 or require_auth=password)",
)

_PASSING = frozenset({"refused", "timeout", "connection", "connections", "busy", "disk", "server", "standby", pooler.CAUSE})
"""Causes that may pass by themselves. The others stay until somebody does something."""

_SAFE = "Changes are kept in the replica and go out when it is back."

_SAFE_UNTIL_MENDED = "This does not pass by itself; until it is put right, changes are kept in the replica."

_SAFE_WITHOUT_SETTING = "Correct the setting; until then changes are kept in the replica."


def unavailable(error: Exception) -> UnavailableError:
    """The error for users: one sentence in plain words, `details["cause"]` for programs, no secret and no driver's text."""
    return _in_words(*_classify(error))


def not_made(error: Exception, failures: Sequence[Failure]) -> UnavailableError:
    """The same for a connection that did not come about; `failures` are those of its attempts, in order."""
    return _in_words(*_classify_making(error, failures))


def _in_words(cause: str, words: str) -> UnavailableError:
    safe = _SAFE_WITHOUT_SETTING if cause == "settings" else _SAFE if cause in _PASSING else _SAFE_UNTIL_MENDED
    return UnavailableError(f"{words[0].upper()}{words[1:]}. {safe}", cause=cause)


def is_temporary(error: psycopg.Error) -> bool:
    """Whether the same transaction may succeed when it is begun again at once, on the same connection."""
    return isinstance(error, RETRIED)


def blames_the_data(error: psycopg.Error) -> bool:
    """Whether the server refused what was written (a constraint, a value, a limit), so that trying again is no use."""
    return (error.sqlstate or "")[:2] in ("22", "23", "54") or isinstance(error, psycopg.DataError)


def name_of_refusal(error: psycopg.Error) -> str:
    """What of the data was refused: the constraint or, without one, the SQLSTATE's name. Never a value."""
    return error.diag.constraint_name or type(error).__name__


def _classify(error: Exception) -> tuple[str, str]:
    if isinstance(error, psycopg.Error) and error.diag.constraint_name == "history_pkey":
        return _NUMBERS
    code = getattr(error, "sqlstate", None)
    # PostgreSQL itself says with each error where in its source it arose.
    if isinstance(error, errors.ProtocolViolation) and error.diag.source_function is None:
        return _POOLER_ITSELF
    if code in _BY_SQLSTATE:
        return _BY_SQLSTATE[code]
    if isinstance(error, errors.ConnectionTimeout):
        return "timeout", "PostgreSQL did not answer in time"
    if isinstance(error, psycopg.OperationalError) and not code:
        return "connection", "the connection to PostgreSQL was lost"
    return "server", f"PostgreSQL reported an error (SQLSTATE {code})" if code else "PostgreSQL reported an error"


def _classify_making(error: Exception, failures: Sequence[Failure]) -> tuple[str, str]:
    if isinstance(error, errors.ConnectionTimeout):
        return _classify(error)
    if not failures:
        return _before_any_step(error)
    # Of several hosts or attempts the one that got an answer tells the most.
    failure = max(
        failures, key=lambda one: (one.code is not None, one.step not in (None, ConnStatus.STARTED, ConnStatus.NEEDED))
    )
    if failure.code == errors.ProtocolViolation.sqlstate:
        return _POOLER_ITSELF  # no statement was sent yet that could be mixed
    if failure.code is not None:
        return _BY_SQLSTATE.get(failure.code, ("server", f"PostgreSQL refused the connection (SQLSTATE {failure.code})"))
    if failure.needs_password:
        return "password", "PostgreSQL wants a password and none is configured"
    if failure.step is None:
        return _address(failure.text)
    if failure.step == ConnStatus.SSL_STARTUP:
        return _encryption(failure)
    if failure.step in (ConnStatus.STARTED, ConnStatus.NEEDED):
        return "refused", "nothing answers at PostgreSQL's address"
    if "authentication method requirement" in failure.text:
        return _AUTHENTICATION
    return "connection", "the connection to PostgreSQL was cut while it was being made"


def _before_any_step(error: Exception) -> tuple[str, str]:
    """The driver has looked at the address and the names in it by itself."""
    if isinstance(error, psycopg.OperationalError):
        return "refused", "the name of PostgreSQL's host is not known (is the network there?)"
    return _address(str(error))


def _address(text: str) -> tuple[str, str]:
    lower = text.lower()
    for phrase, words in _BY_ADDRESS:
        if phrase in lower:
            return "settings", words
    return "settings", "LOCALFIRST_DATABASE_URL cannot be read as the address of a PostgreSQL database"


def _encryption(failure: Failure) -> tuple[str, str]:
    if failure.missing_file:
        return "settings", f"the file that LOCALFIRST_DATABASE_URL names as {failure.missing_file} cannot be read"
    return "tls", (
        "the encrypted connection to PostgreSQL could not be made (its certificate is not one that is trusted here, or the"
        " server has no encryption and the address asks for it)"
    )
