"""How a connection to PostgreSQL is made, and what is expected of it.

Every wait has a bound: for the connection itself, for a dead network (TCP), for a silent server (`bounded`), for a lock, for a
statement, and for a client that went to sleep within a transaction (so that it cannot keep the head of the project locked).
Autocommit, since every transaction of the engine is written out in full.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, TypeAlias

import psycopg
from localfirst_schema.errors import UnavailableError
from psycopg import IsolationLevel
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import ExecStatus

from localfirst_sync.postgres import pinned, pooler
from localfirst_sync.postgres.authentication import is_supported, require_auth
from localfirst_sync.postgres.bounded import STEP_S, BoundedConnection, watched_while_made
from localfirst_sync.postgres.failure import not_made, unavailable
from localfirst_sync.postgres.hosts import open_primary
from localfirst_sync.postgres.making import failures_logged
from localfirst_sync.postgres.pinned import PIN
from localfirst_sync.pulse import Pulse

logger = logging.getLogger("localfirst.sync")

# It warns of pipelines that fail, with the names of user and database; what fails is reported by whoever asked.
logging.getLogger("psycopg").setLevel(logging.ERROR)

Connection: TypeAlias = BoundedConnection

CONNECT_TIMEOUT_S = 20
"""How long a connection may take that moves; each of its steps has `STEP_S`. A longer time in the address holds for both."""

PREPARED_MAX = 200


def connect(dsn: str, *, connect_timeout_s: int = CONNECT_TIMEOUT_S, pulse: Pulse | None = None) -> Connection:
    """A new connection in autocommit mode; `pulse` is informed of its signs of life, from its first steps on.

    Raises `UnavailableError`, which never repeats anything of `dsn`.
    """
    with failures_logged() as failures:
        try:
            with watched_while_made(pulse or Pulse(), _step_s(dsn)):
                connection = _connect(dsn, connect_timeout_s)
        except (psycopg.Error, UnicodeError) as error:
            raise not_made(error, failures) from None
    with closed_on_failure(connection):
        _require_utf8(connection)
    if connection.pooled:
        connection.prepare_threshold = None  # nothing is prepared, whoever asks for it
        connection.isolation_level = IsolationLevel.READ_COMMITTED
        connection.read_only = False  # each transaction says so: the session is somebody else's, and may say otherwise
        return connection
    # Only what says so is prepared: a statement that psycopg prepares by itself within a pipeline that then fails is
    # remembered as prepared although it never was.
    connection.prepare_threshold = 2**31
    connection.prepared_max = PREPARED_MAX
    return connection


def _step_s(dsn: str) -> float:
    """How long a step may take: whoever gives a connection a long time in its address means that the line needs it."""
    try:
        return max(STEP_S, float(conninfo_to_dict(dsn).get("connect_timeout") or 0))
    except ValueError:
        return STEP_S


def _connect(dsn: str, timeout_s: int) -> Connection:
    pooled = pooler.is_known(dsn)
    if not pooled:
        try:
            connection = open_primary(_open, _settings(dsn, timeout_s))
        except psycopg.Error as error:
            if not pooler.refused_options(error):
                raise
        else:
            with closed_on_failure(connection):
                connection.pooled = pooler.drops_options(connection)
            return connection
        pooler.note(dsn)
    connection = open_primary(_open, _settings(dsn, timeout_s, options=False))
    connection.pooled = True
    return connection


def _open(settings: dict[str, Any]) -> Connection:
    return BoundedConnection.connect(make_conninfo("", **settings), autocommit=True)


def _require_utf8(connection: Connection) -> None:
    """In another encoding not every text can be kept, and `normalize` does not exist. Nothing is made there."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in (None, "UTF8"):
        raise wrong_encoding(encoding)


def wrong_encoding(encoding: str) -> UnavailableError:
    """The error for a database that cannot hold every text."""
    return UnavailableError(
        f"The PostgreSQL database keeps its text as {encoding}; localfirst needs one in UTF8 (CREATE DATABASE … ENCODING 'UTF8'"
        " TEMPLATE template0). Nothing was made there; until LOCALFIRST_DATABASE_URL names such a database, changes are kept in"
        " the replica.",
        cause="settings",
    )


def begin(connection: Connection, how: str) -> None:
    """Begins a transaction, by a statement of one's own. Behind a pooler the settings are made in it; no trip in a pipeline."""
    connection.execute(how.encode())
    if connection.pooled:
        connection.execute(PIN.encode())


def writing(connection: Connection) -> AbstractContextManager[object]:
    """For a statement that writes by itself: behind a pooler the session may be one that only reads unless a transaction says
    otherwise."""
    return connection.transaction() if connection.pooled else nullcontext()


def conninfo(dsn: str, *, connect_timeout_s: int = CONNECT_TIMEOUT_S, options: bool = True) -> str:
    """`dsn` with the engine's settings, as one text. Raises psycopg.ProgrammingError."""
    return make_conninfo("", **_settings(dsn, connect_timeout_s, options=options))


def _settings(dsn: str, connect_timeout_s: int, *, options: bool = True) -> dict[str, Any]:
    """`dsn` with the engine's settings. What `dsn` itself says of timeouts stands, what it says of the search path does not.

    Raises psycopg.ProgrammingError.
    """
    given = conninfo_to_dict(dsn)
    settings: dict[str, Any] = {
        "application_name": "localfirst",
        "client_encoding": "utf8",
        "connect_timeout": connect_timeout_s,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }
    settings |= given
    if is_supported() and (required := require_auth({n: str(v) for n, v in given.items()}, os.environ)) is not None:
        settings["require_auth"] = required
    if options:
        settings["options"] = pinned.options(given.get("options"))  # type: ignore[arg-type]  # text, if it is there
    return settings


def roll_back(connection: Connection, to_savepoint: str | None = None) -> None:
    """Rolls back, wholly or to a savepoint. Raises psycopg.OperationalError when the connection is broken.

    It goes past psycopg, which forgets all prepared statements when it sees a rollback.
    """
    command = "ROLLBACK" if to_savepoint is None else f"ROLLBACK TO SAVEPOINT {to_savepoint}"
    if connection.command(command.encode()).status != ExecStatus.COMMAND_OK:
        raise psycopg.OperationalError("the transaction could not be rolled back")


def roll_back_quietly(connection: Connection) -> None:
    """Rolls back what failed, before its error is raised. A connection that is broken has done so by itself."""
    with suppress(psycopg.Error):
        roll_back(connection)


@contextmanager
def taken_back_on_failure(connection: Connection) -> Iterator[None]:
    """What fails within is rolled back. Raises UnavailableError for the driver's errors, all others as they are."""
    try:
        yield
    except psycopg.Error as error:
        roll_back_quietly(connection)
        raise unavailable(error) from None
    except BaseException:
        roll_back_quietly(connection)
        raise


def close_quietly(connection: Connection | None) -> None:
    """Closes a connection that may be broken; there is nothing that the caller could do about a failure."""
    if connection is not None:
        try:
            connection.close()
        except psycopg.Error:
            logger.debug("closing a broken connection failed")


@contextmanager
def closed_on_failure(connection: Connection) -> Iterator[Connection]:
    """For what a new connection needs before it is used: it is closed when that fails."""
    try:
        yield connection
    except BaseException:
        close_quietly(connection)
        raise


def lost(doing: str) -> UnavailableError:
    """The error for a server that is connected and silent."""
    return UnavailableError(f"PostgreSQL did not answer in time ({doing}); it is tried again by itself.", cause="timeout")
