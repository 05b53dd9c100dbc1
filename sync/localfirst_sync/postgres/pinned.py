"""What the engine's sessions rely on, whatever a role, a database or an address says: set once a session, and behind a
pooler in each transaction.

Times that a person writes into an address stand (`options=-c lock_timeout=…`). What would change the meaning of a statement or
of an answer does not: how a string is written, how a time, an array or a number is displayed, where names are looked up.
"""

from __future__ import annotations

from collections.abc import Mapping

from localfirst_sync.postgres import pooler

STATEMENT_TIMEOUT_MS = 60_000
LOCK_TIMEOUT_MS = 5_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 15_000

SEARCH_PATH = "pg_catalog,pg_temp"
"""Where our sessions look names up: what another user makes in `public` is never taken for PostgreSQL's own."""

_BOUNDS: dict[str, str | int] = {
    "statement_timeout": STATEMENT_TIMEOUT_MS,
    "lock_timeout": LOCK_TIMEOUT_MS,
    "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT_MS,
}

_OF_SESSION: dict[str, str | int] = {
    # The server, too, must notice that a laptop is gone.
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "idle_session_timeout": 0,
}

_MEANING: dict[str, str | int] = {
    "search_path": SEARCH_PATH,
    "timezone": "UTC",
    "datestyle": "ISO",
    "bytea_output": "hex",
    "extra_float_digits": 1,
    "array_nulls": "on",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "row_security": "on",
    "default_transaction_isolation": "read\\ committed",
    "default_transaction_deferrable": "off",
    "default_transaction_read_only": "off",
    "exit_on_error": "off",
    "check_function_bodies": "on",
    "plpgsql.extra_errors": "none",
}

PIN = "SELECT " + ", ".join(
    f"pg_catalog.set_config('{name}', '{str(value).replace(chr(92), '')}', true)"
    for name, value in {**_BOUNDS, **_MEANING}.items()
    if not name.startswith("default_transaction")  # each transaction of ours says these itself
)
"""The same within a transaction, for a session that is not one's own."""


def options(given: str | None) -> str:
    """libpq's `options` with all of this; `given` are those of the address."""
    meaning = {**_MEANING, pooler.MARKER[0]: pooler.MARKER[1]}
    return f"{_written({**_BOUNDS, **_OF_SESSION})} {given or ''} {_written(meaning)}"


def _written(settings: Mapping[str, str | int]) -> str:
    return " ".join(f"-c {name}={value}" for name, value in settings.items())
