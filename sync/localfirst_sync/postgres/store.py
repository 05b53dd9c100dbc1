"""PostgreSQL as a `RemoteStore`: one connection, made when it is needed and again when it broke."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, Self, TypeVar

import psycopg
from localfirst_schema.errors import UnavailableError

from localfirst_sync.known_server import Acquaintance
from localfirst_sync.ports import (
    Access,
    Again,
    Cursor,
    HistoryCount,
    Identity,
    PullSink,
    Push,
    Pushed,
    RecoveryPart,
    Restored,
    Staging,
)
from localfirst_sync.postgres import acquaintance, head, listen, migrate, pooler, pull, push, restore, rights, snapshot
from localfirst_sync.postgres.connection import Connection, close_quietly, closed_on_failure, connect, roll_back
from localfirst_sync.postgres.failure import unavailable
from localfirst_sync.pulse import Pulse
from localfirst_sync.structure import Key
from localfirst_sync.wake import Wake

HEAD_BUDGET_MS = 3_000
HEAD_TRIPS = 6
"""How long the question for the head may take."""

KEPT_BUDGET_S = 0.5
KEPT_TRIPS = 4
"""The same over a connection that has been idle: somebody on the way may have forgotten it, and a new one answers sooner. So
long the first word of a push or a pull may take there, too."""

_Result = TypeVar("_Result")


class PostgresStore:
    """The server of one project. For one thread. The first call connects, migrates if it may, and starts the project.

    `known` is what the replica keeps of its server: another one is refused at each connection. Without it any is taken.
    `pulse` is informed of the server's signs of life.
    """

    def __init__(self, dsn: str, identity: Identity, known: Acquaintance | None = None, pulse: Pulse | None = None) -> None:
        self._dsn = dsn
        self._pulse = pulse or Pulse()
        self._known = known
        self._project_id = identity.project_id
        self._project_name = identity.project_name
        self._connection: Connection | None = None
        self._notices: listen.Notices | None = None
        self._first_head: Cursor | None = None
        self._access: Access = "write"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self.close()
        return False

    def head(self) -> Cursor:
        """See `RemoteStore.head`. The wait has a bound; a connection that was cut while it was idle is made again."""
        if self._connection is not None and not self._connection.closed:
            try:
                return self._head(min(HEAD_BUDGET_MS, 1000 * self._pulse.budget_s(KEPT_BUDGET_S, KEPT_TRIPS)))
            except UnavailableError as error:
                if error.details.get("cause") not in ("connection", "timeout"):
                    raise
        return self._head(max(HEAD_BUDGET_MS, 1000 * HEAD_TRIPS * self._pulse.trip_s))

    def _head(self, budget_ms: float) -> Cursor:
        with self._server() as connection:
            # It was asked for just now, with the first questions on this connection.
            return self._first_head or head.ask(connection, self._project_id, budget_ms)

    def access(self) -> Access:
        """See `RemoteStore.access`. A standby that was promoted is met anew: from now on there are notices, and it migrates."""
        with self._server() as connection:
            if self._access == "write":
                return "write"
            before, self._access = self._access, rights.access(connection)
        if before == "standby" != self._access:
            self.close()
        return self._access

    def push(self, identity: Identity, pushed: Push) -> Pushed:
        """See `RemoteStore.push`."""
        return self._soon(lambda connection: push.push(connection, identity, pushed))

    def pull(self, cursor: Cursor, sink: PullSink, again: Again | None = None, known: Sequence[Cursor] = ()) -> Cursor:
        """See `RemoteStore.pull`."""
        return self._soon(lambda connection: pull.pull(connection, self._project_id, cursor, sink, again, known))

    def snapshot(self, staging: Staging) -> None:
        """See `RemoteStore.snapshot`."""
        with self._server() as connection:
            snapshot.snapshot(connection, self._project_id, staging)

    def confirm(self, cursor: Cursor) -> None:
        """See `RemoteStore.confirm`."""
        with self._server() as connection:
            restore.confirm(connection, self._project_id, cursor)

    def fence(self, identity: Identity) -> None:
        """See `RemoteStore.fence`."""
        with self._server() as connection:
            restore.fence(connection, identity)

    def history_counts(self) -> dict[Key, HistoryCount]:
        """See `RemoteStore.history_counts`."""
        with self._server() as connection:
            return restore.history_counts(connection, self._project_id)

    def restore(self, identity: Identity, recovery_part: RecoveryPart, known: Cursor) -> Restored:
        """See `RemoteStore.restore`."""
        with self._server() as connection:
            return restore.restore(connection, identity, recovery_part, known)

    def wait(self, wake: Wake, timeout_s: float) -> bool:
        """See `RemoteStore.wait`. A connection that is cut meanwhile is worth a look at the server, by another one."""
        try:
            with self._server() as connection:
                assert self._notices is not None
                return listen.wait(connection, self._notices, wake, timeout_s)
        except UnavailableError:
            return True

    def close(self) -> None:
        """Closes the connection; the next call makes another."""
        connection, self._connection = self._connection, None
        close_quietly(connection)

    def _soon(self, work: Callable[[Connection], _Result]) -> _Result:
        """Work that begins with a small question. Over a connection that stood already the answer to that has to come soon, or
        another connection is made, and the work is begun anew there: nothing was heard of it yet."""
        kept = self._connection
        try:
            with self._server() as connection:
                if connection is not kept:
                    return work(connection)
                with connection.word_within(self._pulse.budget_s(KEPT_BUDGET_S, KEPT_TRIPS)):
                    return work(connection)
        except UnavailableError:
            if kept is None or not kept.is_mute:
                raise
        with self._server() as connection:
            return work(connection)

    @contextmanager
    def _server(self) -> Iterator[Connection]:
        """The connection; while the server is away it is let go, and the next call makes another."""
        try:
            yield self._connected()
        except UnavailableError as error:
            if error.details.get("cause") == pooler.CAUSE:
                pooler.note(self._dsn)
            self.close()
            raise

    def _meet(self, connection: Connection) -> Access:
        """What is allowed there; the project is what the server knows by then, under another id and name perhaps."""
        if self._known is not None:
            project, access = acquaintance.meet(connection, self._dsn, self._project_id, self._project_name, self._known)
            self._project_id, self._project_name = project
            return access
        if migrate.ensure_project(connection, self._project_id, self._project_name).id != self._project_id:
            raise UnavailableError("PostgreSQL has a project of this name, with another id.", cause="project")
        return rights.access(connection)

    def _make_ready(self, connection: Connection) -> None:
        """The first questions one by one, and whatever is to be made."""
        if self._known is not None:
            acquaintance.expect(connection, self._dsn, self._project_id, self._known)
        migrate.migrate(connection)
        self._access = self._meet(connection)
        connection.is_standby = self._access == "standby"
        listen.listen(connection, self._project_id)
        head.prepare(connection)

    def _greet(self, connection: Connection) -> bool:
        """All first questions in one trip, where nothing has to be made or asked before: whether that was possible."""
        if self._known is None or not acquaintance.is_expected(connection, self._known):
            return False
        try:
            with connection.pipeline():
                listen.send(connection, self._project_id)
                installed = migrate.send_installed(connection)
                met = acquaintance.send_question(connection, self._project_id, self._project_name, self._known)
                asked = head.send(connection, self._project_id)
        except psycopg.Error as error:
            if connection.closed:
                raise unavailable(error) from None
            roll_back(connection)
            return False  # there is something to be made first, or it is a standby
        its_head = head.answered(connection, asked)
        if not migrate.is_complete(installed):
            return False
        project_id = self._project_id
        its_name = self._project_name
        way = acquaintance.direct_way(connection, self._dsn)
        project, self._access = acquaintance.met(connection, met, way, project_id, its_name, self._known)
        self._project_id, self._project_name = project
        connection.is_standby = self._access == "standby"
        if its_head is None or project.id != project_id:
            listen.listen(connection, project.id)
        else:
            self._first_head = its_head
        return True

    def _connected(self) -> Connection:
        self._first_head = None
        if self._notices is not None and self._notices.is_renamed:
            self._notices = None
            self.close()  # what the project is called is asked with the first questions of a connection
        if self._connection is None or self._connection.closed:
            with closed_on_failure(connect(self._dsn, pulse=self._pulse)) as connection:
                self._notices = listen.Notices(connection)
                if not self._greet(connection):
                    self._make_ready(connection)
            self._connection = connection
        return self._connection
