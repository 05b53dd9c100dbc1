"""Waiting for news: a NOTIFY on the project's channel, which pushes and direct writes send when they commit.

It is empty, but for `NAME`: then the project is called otherwise from now on.

The store's own connection listens, since it is idle whenever somebody waits. A notice is a hint and nothing more: it may be
lost (a pooler, a broken connection) and it comes back for one's own pushes; the head says what is so.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from localfirst_sync.postgres.connection import Connection
from localfirst_sync.postgres.failure import unavailable
from localfirst_sync.postgres.pooler import POLL_S
from localfirst_sync.readable import readable
from localfirst_sync.wake import Wake

NAME = b"name"


def channel(project_id: str) -> str:
    """The project's channel, as the triggers in PostgreSQL name it."""
    return f"localfirst_{project_id.replace('-', '')}"


def listen(connection: Connection, project_id: str) -> None:
    """Subscribes the connection, where that is of use. Raises `UnavailableError`."""
    if connection.pooled or connection.is_standby:
        return
    try:
        connection.execute(_listen(project_id))
    except psycopg.Error as error:
        raise unavailable(error) from None


def send(connection: Connection, project_id: str) -> None:
    """The same within a pipeline: it holds for all that is asked after it. It fails on a standby."""
    if not connection.pooled:
        connection.execute(b"BEGIN")
        connection.execute(_listen(project_id))
        connection.execute(b"COMMIT")


def _listen(project_id: str) -> sql.Composed:
    return sql.SQL("LISTEN {}").format(sql.Identifier(channel(project_id)))


class Notices:
    """Notices that came while the connection was busy: the driver takes them off the line with other questions' answers.

    Those of the connection's own pushes tell nothing new.

    Attributes:
        is_renamed: whether one of all that came has reported another name.
    """

    def __init__(self, connection: Connection) -> None:
        self._came = False
        self._own = connection.info.backend_pid
        self.is_renamed = False
        connection.add_notify_handler(self._take)

    def _take(self, notice: psycopg.Notify) -> None:
        self.note(notice.payload.encode(), notice.pid)

    def note(self, payload: bytes, sender: int) -> None:
        """One has come."""
        self._came |= sender != self._own
        self.is_renamed |= payload == NAME

    def taken(self) -> bool:
        """Whether any came since this was last asked."""
        came, self._came = self._came, False
        return came


def wait(connection: Connection, notices: Notices, wake: Wake, timeout_s: float) -> bool:
    """Waits for a notice (True), for `wake`, or for the time to pass (False). Raises `UnavailableError` if the line breaks.

    Behind a pooler or from a standby, where no notice comes, no longer than it takes to ask again.
    """
    if connection.pooled or connection.is_standby:
        timeout_s = min(timeout_s, POLL_S)
    try:
        _take_notices(connection, notices)
        if notices.taken():
            return True
        line = connection.fileno()
        if line not in readable([line, wake.fileno()], timeout_s):
            return False
        connection.pgconn.consume_input()
        _take_notices(connection, notices)
        return notices.taken()
    except (psycopg.Error, OSError, ValueError) as error:
        raise unavailable(error) from None


def _take_notices(connection: Connection, notices: Notices) -> None:
    while (notice := connection.pgconn.notifies()) is not None:
        notices.note(notice.extra, notice.be_pid)
