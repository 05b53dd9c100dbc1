"""A connection pooler before PostgreSQL (PgBouncer and its kind): how it is known, and what is done otherwise behind one.

In transaction mode each transaction may run in another session, which other clients use too. So nothing may be left in a
session or expected there: a statement that was prepared by name, a setting, a subscription (`LISTEN`). What a transaction needs
is set within it. A pooler in session mode cannot be distinguished from the outside, and is treated alike.
"""

from __future__ import annotations

import hashlib

import psycopg

POLL_S = 1.0
"""How often the head is asked for behind a pooler, where no notice arrives."""

CAUSE = "pooler"
"""`details["cause"]` of an error that gave a pooler away; the next connection is made as one has to be behind it."""

MARKER = ("IntervalStyle", "iso_8601")
"""A setting that PostgreSQL reports at the start: where it was asked for and is another one, a pooler has thrown it away."""

_known: set[bytes] = set()


def is_known(dsn: str) -> bool:
    """Whether a pooler has been met at this address, by this process."""
    return _key(dsn) in _known


def note(dsn: str) -> None:
    """Remembers that a pooler is at this address."""
    _known.add(_key(dsn))


def refused_options(error: psycopg.Error) -> bool:
    """Whether a pooler refused the start-up parameters. PgBouncer says so in English, whatever PostgreSQL speaks, and with a
    code that says no more than that the protocol was not kept to."""
    return "unsupported startup parameter" in str(error)


def drops_options(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    """Whether the settings that were asked for at the start never reached PostgreSQL."""
    name, value = MARKER
    return connection.info.parameter_status(name) != value


def _key(dsn: str) -> bytes:
    return hashlib.sha256(dsn.encode(errors="surrogatepass")).digest()
