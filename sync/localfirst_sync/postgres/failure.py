"""What went wrong with the server, in words: the one place that turns the driver's errors into ours.

The driver's own text names hosts and users and sometimes repeats what it was given, so none of it is passed on: an error is
classified by its SQLSTATE or, where the connection never came about, by the few phrases that libpq uses.
"""

from __future__ import annotations

import psycopg
from localfirst_schema.errors import UnavailableError
from psycopg import errors

from localfirst_sync.postgres import pooler

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

_NUMBERS = (
    "numbers",
    "PostgreSQL's log has lines beyond its last number, so the next one is taken (somebody wrote its tables by hand);"
    " `localfirst doctor --verify --fix` puts them in order",
)

_BY_PHRASE: tuple[tuple[str, str, str], ...] = (
    (
        "authentication method requirement",
        "settings",
        "PostgreSQL asks for the password in a way that could give it away: have it ask by SCRAM or its certificate be checked"
        " (sslmode=verify-full), or say in the address what may be used (require_auth=md5 or require_auth=password)",
    ),
    ("port number", "settings", "LOCALFIRST_DATABASE_URL names no port: that must be a number from 1 to 65535"),
    ('option "port"', "settings", "LOCALFIRST_DATABASE_URL names no port: that must be a number from 1 to 65535"),
    ("password authentication failed", "password", "PostgreSQL refused the password"),
    ("no password supplied", "password", "PostgreSQL wants a password and none is configured"),
    ("does not exist", "database", "PostgreSQL has no such database or user"),
    ("too many clients", "connections", "PostgreSQL has no connection left"),
    ("remaining connection slots", "connections", "PostgreSQL has no connection left"),
    ("no pg_hba.conf entry", "permission", "PostgreSQL does not let this user in from here"),
    ("permission denied", "permission", "PostgreSQL does not let this user in"),
    ("starting up", "connection", "PostgreSQL is starting up"),
    ("shutting down", "connection", "PostgreSQL is shutting down"),
    ("connection refused", "refused", "nothing answers at PostgreSQL's address"),
    ("no such file or directory", "refused", "nothing answers at PostgreSQL's address"),
    ("timeout expired", "timeout", "PostgreSQL did not answer in time"),
    ("timed out", "timeout", "PostgreSQL did not answer in time"),
    ("could not translate host name", "refused", "the name of PostgreSQL's host is not known (is the network there?)"),
    ("name or service not known", "refused", "the name of PostgreSQL's host is not known (is the network there?)"),
    ("failed to resolve", "refused", "the name of PostgreSQL's host is not known (is the network there?)"),
    ("network is unreachable", "refused", "the network is not there"),
    ("no route to host", "refused", "PostgreSQL's host cannot be reached"),
    ("ssl", "tls", "the encrypted connection to PostgreSQL could not be made"),
    ("certificate", "tls", "the encrypted connection to PostgreSQL could not be made"),
)

_SAFE = "Changes are kept in the replica and go out when it is back."

_SAFE_WITHOUT_SETTING = "Correct the setting; until then changes are kept in the replica."


def unavailable(error: Exception) -> UnavailableError:
    """The error for users: one sentence in plain words, `details["cause"]` for programs, no secret and no driver's text."""
    cause, words = _classify(error)
    safe = _SAFE_WITHOUT_SETTING if cause == "settings" else _SAFE
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
    if isinstance(error, psycopg.Error) and error.sqlstate in _BY_SQLSTATE:
        return _BY_SQLSTATE[error.sqlstate]
    text, code = str(error).lower(), getattr(error, "sqlstate", None)
    if not code:
        for phrase, cause, words in _BY_PHRASE:
            if phrase in text:
                return cause, words
    if isinstance(error, psycopg.ProgrammingError) and not error.sqlstate:
        return "settings", "LOCALFIRST_DATABASE_URL cannot be read as the address of a PostgreSQL database"
    if isinstance(error, psycopg.OperationalError):
        return "connection", "the connection to PostgreSQL was lost"
    return "server", f"PostgreSQL reported an error (SQLSTATE {code})" if code else "PostgreSQL reported an error"
