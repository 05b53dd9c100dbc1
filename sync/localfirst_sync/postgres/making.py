"""The making of a connection, watched: at which step it failed, and by which SQLSTATE, whatever language the server speaks.

libpq keeps no SQLSTATE of a connection that never came about, but for its text, where it stands if it is asked to be verbose;
that is asked for as soon as there is a connection to ask. The driver has no word for it, so libpq is called beside it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import ConnStatus, PollingStatus
from psycopg.waiting import Ready, Wait

if TYPE_CHECKING:
    from psycopg.abc import PQGenConn
    from psycopg.pq.abc import PGconn

_TERSE, _DEFAULT, _VERBOSE = 0, 1, 2
"""`PGVerbosity`."""

_CODE = re.compile(r":  ([0-9A-Z]{5}): ")
"""In a verbose text: severity (in the server's language), two blanks, the SQLSTATE."""


@dataclass(frozen=True)
class Failure:
    """Why a connection did not come about.

    Attributes:
        step: what libpq was at; None: it refused the address before it did anything.
        code: the server's SQLSTATE, if it has said one.
        needs_password: the server has asked for a password, and there was none.
        missing_file: the setting of the address that names a file which cannot be read.
        text: libpq's own text. Never to be displayed.
    """

    step: ConnStatus | None
    code: str | None
    needs_password: bool
    missing_file: str | None
    text: str = field(repr=False)


_failures: ContextVar[list[Failure]] = ContextVar("failures")


@contextmanager
def failures_logged() -> Iterator[list[Failure]]:
    """What fails in the block is in the list: the driver makes errors of its own of it, and passes nothing on."""
    found: list[Failure] = []
    token = _failures.set(found)
    try:
        yield found
    finally:
        _failures.reset(token)


def make(conninfo: str) -> PQGenConn[PGconn]:
    """The driver's generator that makes a connection, but for being watched. Raises psycopg.OperationalError."""
    connection = pq.PGconn.connect_start(conninfo.encode())
    step: ConnStatus | None = None
    _set_verbosity(connection, _VERBOSE)
    while connection.status != ConnStatus.BAD:
        step = ConnStatus(connection.status)
        polled = connection.connect_poll()
        if polled == PollingStatus.OK:
            _set_verbosity(connection, _DEFAULT)
            connection.nonblocking = 1
            return connection
        if polled == PollingStatus.FAILED:
            break
        wait = Wait.R if polled == PollingStatus.READING else Wait.W
        while (yield connection.socket, wait) == Ready.NONE:
            pass
    if step is None and _is_address_of_socket(connection):
        step = ConnStatus.STARTED  # such a connection is made, or not, before there is anything to wait for
    text = connection.get_error_message()
    codes = _CODE.findall(text)
    missing = _missing_file(conninfo)
    _failures.get([]).append(Failure(step, codes[-1] if codes else None, bool(connection.needs_password), missing, text))
    connection.finish()
    raise psycopg.OperationalError(f"connection failed: {text}")


def _missing_file(conninfo: str) -> str | None:
    try:
        given = conninfo_to_dict(conninfo)
    except psycopg.Error:
        return None
    for name in ("sslrootcert", "sslcert", "sslkey", "sslcrl"):
        path = str(given.get(name) or os.environ.get(f"PG{name.upper()}") or "")
        if path and path != "system" and not os.access(path, os.R_OK):
            return name
    return None


def _is_address_of_socket(connection: PGconn) -> bool:
    host, port = connection.host or b"", connection.port or b""
    return host.startswith((b"/", b"@")) and port.isdigit() and 0 < int(port) < 65536


def _set_verbosity(connection: PGconn, verbosity: int) -> None:
    pointer: int | None = getattr(connection, "pgconn_ptr", None)
    if pointer is not None and (call := _verbosity_of_libpq()) is not None:
        call(pointer, verbosity)


@cache
def _verbosity_of_libpq() -> Callable[[int, int], int] | None:
    """`PQsetErrorVerbosity` of the libpq that the driver works with; None where it cannot be found."""
    import ctypes

    try:
        if pq.__impl__ == "python":
            from psycopg.pq import _pq_ctypes

            library: Any = _pq_ctypes.impl.pq  # type: ignore[attr-defined]  # the library that it has loaded
        else:
            # What an extension module is linked with is found through it.
            module = sys.modules[f"psycopg_{'binary' if pq.__impl__ == 'binary' else 'c'}.pq"]
            library = ctypes.CDLL(str(module.__file__))
        call: Any = library.PQsetErrorVerbosity
    except (AttributeError, KeyError, OSError, ImportError):
        return None
    call.argtypes, call.restype = [ctypes.c_void_p, ctypes.c_int], ctypes.c_int
    found: Callable[[int, int], int] = call
    return found
