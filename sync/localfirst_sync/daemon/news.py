"""What is new, for all projects and all laptops: one connection that listens, in a thread of its own.

A notice is a hint; the head that is asked for after it is what counts. After the connection was cut, and wherever PostgreSQL
sends no notices (behind a transaction pooler, from a standby), the heads of all projects that somebody follows are asked for.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import psycopg
from localfirst_schema.errors import UnavailableError
from psycopg import sql

from localfirst_sync.ports import Cursor
from localfirst_sync.postgres import rights, tokens
from localfirst_sync.postgres.connection import Connection, close_quietly, closed_on_failure, connect
from localfirst_sync.postgres.failure import unavailable
from localfirst_sync.postgres.listen import NAME, channel
from localfirst_sync.readable import readable
from localfirst_sync.supervised import Supervised
from localfirst_sync.wake import Wake

POLL_S = 30.0
DEAF_POLL_S = 1.0
"""How often heads are asked for where no notices come."""

SPREAD_S = 0.02
"""The shortest time from one event to the next: changes that follow each other closely are one."""

PAUSE_S = 1.0

_HEADS = "SELECT project_id::text, head, tag FROM localfirst.project_heads WHERE project_id = ANY(%s::uuid[])"


class News:
    """From `start` to `stop`. Its callbacks are called in its thread.

    Args:
        on_head: called with a project and its head whenever it may have changed.
        on_renamed: called with a project that has another name.
        on_token: called with the id of a token that was revoked or rotated.
    """

    def __init__(
        self,
        dsn: str,
        on_head: Callable[[str, Cursor], None],
        on_renamed: Callable[[str], None],
        on_token: Callable[[str], None],
    ) -> None:
        self._dsn = dsn
        self._on_head, self._on_renamed, self._on_token = on_head, on_renamed, on_token
        self._lock = threading.Lock()
        self._followers: dict[str, int] = {}
        self._asked: set[str] = set()
        self._wake = Wake()
        self._connection: Connection | None = None
        self._thread = Supervised(self._run, "localfirst-news", on_end=self._end)

    def start(self) -> None:
        """Begins to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it, and waits for that."""
        self._thread.stop()
        self._wake.set()
        self._thread.join(10.0)

    def follow(self, project_id: str) -> None:
        """Somebody follows a project: its head is sent soon, and from now on. From any thread."""
        with self._lock:
            self._followers[project_id] = self._followers.get(project_id, 0) + 1
            self._asked.add(project_id)
        self._wake.set()

    def leave(self, project_id: str) -> None:
        """Somebody follows it no longer. From any thread."""
        with self._lock:
            left = self._followers.get(project_id, 0) - 1
            if left > 0:
                self._followers[project_id] = left
            else:
                self._followers.pop(project_id, None)
        self._wake.set()

    def _run(self) -> None:
        while not self._thread.stopping.is_set():
            try:
                with closed_on_failure(connect(self._dsn)) as connection:
                    self._listen(connection)
                close_quietly(connection)
            except (UnavailableError, psycopg.Error, OSError):
                self._thread.stopping.wait(random.uniform(PAUSE_S / 2, PAUSE_S))  # noqa: S311 - it spreads daemons

    def _listen(self, connection: Connection) -> None:
        connection.is_standby = rights.access(connection) == "standby"
        is_deaf = connection.pooled or connection.is_standby
        heard: dict[str, str] = {}
        if not is_deaf:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(tokens.CHANNEL)))
        with self._lock:
            dirty = set(self._followers)
        while not self._thread.stopping.is_set():
            with self._lock:
                wanted, asked = set(self._followers), self._asked
                self._asked = set()
            if not is_deaf:
                _settle(connection, heard, wanted)
            dirty = (dirty | asked) & wanted
            if dirty:
                self._tell(connection, dirty)
                self._thread.stopping.wait(SPREAD_S)
            noticed = self._awaited(connection, heard, DEAF_POLL_S if is_deaf else POLL_S)
            dirty = wanted if is_deaf or noticed is None else noticed

    def _tell(self, connection: Connection, projects: set[str]) -> None:
        try:
            found: list[Any] = connection.execute(_HEADS, (sorted(projects),)).fetchall()
        except psycopg.Error as error:
            raise unavailable(error) from None
        for project_id, seq, tag in found:
            self._on_head(project_id, Cursor(seq, tag))

    def _awaited(self, connection: Connection, heard: dict[str, str], timeout_s: float) -> set[str] | None:
        """The projects of which notices came; none when it was woken, and None when the time has passed."""
        found = self._notices(connection, heard)
        if found:
            return found
        line, wake = connection.fileno(), self._wake.fileno()
        come = readable([line, wake], timeout_s)
        self._wake.clear()
        if not come:
            return None
        if line in come:
            connection.pgconn.consume_input()
        return self._notices(connection, heard)

    def _notices(self, connection: Connection, heard: dict[str, str]) -> set[str]:
        found = set()
        while (notice := connection.pgconn.notifies()) is not None:
            name = notice.relname.decode()
            if name == tokens.CHANNEL:
                self._on_token(notice.extra.decode(errors="replace"))
            elif (project_id := heard.get(name)) is not None:
                found.add(project_id)
                if notice.extra == NAME:
                    self._on_renamed(project_id)
        return found

    def _end(self) -> None:
        self._wake.close()


def _settle(connection: Connection, heard: dict[str, str], wanted: set[str]) -> None:
    """Listens for what is wanted, and no more."""
    for project_id in wanted - set(heard.values()):
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel(project_id))))
        heard[channel(project_id)] = project_id
    for name, project_id in list(heard.items()):
        if project_id not in wanted:
            connection.execute(sql.SQL("UNLISTEN {}").format(sql.Identifier(name)))
            del heard[name]
