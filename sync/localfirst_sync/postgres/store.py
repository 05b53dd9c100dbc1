"""PostgreSQL as a `RemoteStore`: one connection, made when it is needed and again when it broke."""

from __future__ import annotations

from typing import Literal

from localfirst_schema.errors import UnavailableError

from localfirst_sync.ports import Cursor, Identity, PullSink, Push, Pushed, Recollection, Restored, Staging, Told
from localfirst_sync.postgres import head, listen, migrate, pull, push, restore, snapshot
from localfirst_sync.postgres.connection import Connection, close_quietly, closed_on_failure, connect
from localfirst_sync.wake import Wake

HEAD_BUDGET_MS = 5_000


class PostgresStore:
    """The server of one project. For one thread. The first call connects, migrates if it may, and starts the project."""

    def __init__(self, dsn: str, identity: Identity) -> None:
        self._dsn = dsn
        self._project_id = identity.project_id
        self._project_name = identity.project_name
        self._connection: Connection | None = None
        self._notices: listen.Notices | None = None

    def __enter__(self) -> PostgresStore:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self.close()
        return False

    def head(self) -> Cursor:
        """See `RemoteStore.head`; waits for at most `HEAD_BUDGET_MS`."""
        try:
            return head.ask(self._connected(), self._project_id, HEAD_BUDGET_MS)
        except UnavailableError:
            self.close()
            raise

    def push(self, identity: Identity, pushed: Push) -> Pushed:
        """See `RemoteStore.push`."""
        try:
            return push.push(self._connected(), identity, pushed)
        except UnavailableError:
            self.close()
            raise

    def pull(self, cursor: Cursor, sink: PullSink) -> Cursor:
        """See `RemoteStore.pull`."""
        try:
            return pull.pull(self._connected(), self._project_id, cursor, sink)
        except UnavailableError:
            self.close()
            raise

    def snapshot(self, staging: Staging) -> None:
        """See `RemoteStore.snapshot`."""
        try:
            snapshot.snapshot(self._connected(), self._project_id, staging)
        except UnavailableError:
            self.close()
            raise

    def confirm(self, cursor: Cursor) -> None:
        """See `RemoteStore.confirm`."""
        try:
            restore.confirm(self._connected(), self._project_id, cursor)
        except UnavailableError:
            self.close()
            raise

    def fence(self, identity: Identity) -> None:
        """See `RemoteStore.fence`."""
        try:
            restore.fence(self._connected(), identity)
        except UnavailableError:
            self.close()
            raise

    def history_counts(self) -> dict[str, Told]:
        """See `RemoteStore.history_counts`."""
        try:
            return restore.history_counts(self._connected(), self._project_id)
        except UnavailableError:
            self.close()
            raise

    def restore(self, identity: Identity, recollection: Recollection, known: Cursor) -> Restored:
        """See `RemoteStore.restore`."""
        try:
            return restore.restore(self._connected(), identity, recollection, known)
        except UnavailableError:
            self.close()
            raise

    def wait(self, wake: Wake, timeout_s: float) -> bool:
        """See `RemoteStore.wait`."""
        try:
            connection = self._connected()
            assert self._notices is not None
            return listen.wait(connection, self._notices, wake, timeout_s)
        except UnavailableError:
            self.close()
            raise

    def close(self) -> None:
        """Closes the connection; the next call makes another."""
        connection, self._connection = self._connection, None
        close_quietly(connection)

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            with closed_on_failure(connect(self._dsn)) as connection:
                migrate.migrate(connection)
                migrate.ensure_project(connection, self._project_id, self._project_name)
                self._notices = listen.Notices(connection)
                listen.listen(connection, self._project_id)
                head.prepare(connection)
            self._connection = connection
        return self._connection
