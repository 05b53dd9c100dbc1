"""The simulated server: the engine's server side over a PostgreSQL that is not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from localfirst_schema.entities import CONFIGURATION
from localfirst_sync.ports import Again, Cursor, HistoryCount, Identity, PullSink, Push, Pushed, RecoveryPart, Restored, Staging
from localfirst_sync.postgres import pull, push, restore, snapshot
from localfirst_sync.structure import Key
from localfirst_sync.wake import Wake

from simulation.direct_sql import Psql
from simulation.fate import Fate
from simulation.statements import Connection
from simulation.tables import Tables


class Server:
    """`RemoteStore` for every machine of a run.

    Attributes:
        is_down: nobody gets an answer.
    """

    def __init__(self, fate: Fate, project_id: str, on_commit: Callable[[Tables, Tables], None]) -> None:
        self._project = project_id
        self.connection = Connection(fate, on_commit)
        self.is_down = False
        self._begin()

    def _begin(self) -> None:
        """What the first client does that meets an empty database."""
        configuration = {"active_context_type": "feature", "default_token_budget": 200_000}
        self.psql(lambda sql: sql.insert(CONFIGURATION, **configuration))

    @property
    def tables(self) -> Tables:
        """What is committed."""
        return self.connection.tables

    def set_back(self, tables: Tables | None) -> None:
        """The database is restored from a dump, or lost and begun anew (None)."""
        self.connection.tables = Tables() if tables is None else tables.copy()
        if tables is None:
            self._begin()

    def open_psql(self) -> Psql:
        """A transaction of a direct writer that stays open: it types, and commits."""
        return Psql(self.connection, self._project)

    def psql(self, statements: Callable[[Psql], object]) -> bool:
        """A transaction of a direct writer; False if the server refused it."""
        return self.open_psql().run(statements)

    def head(self) -> Cursor:
        """See `RemoteStore.head`."""
        return Cursor(self.tables.head, self.tables.tag)

    def push(self, identity: Identity, pushed: Push) -> Pushed:
        """See `RemoteStore.push`."""
        return push.push(self.connection, identity, pushed)  # type: ignore[arg-type]

    def pull(self, cursor: Cursor, sink: PullSink, again: Again | None = None, known: Sequence[Cursor] = ()) -> Cursor:
        """See `RemoteStore.pull`."""
        return pull.pull(self.connection, self._project, cursor, sink, again, known)  # type: ignore[arg-type]

    def snapshot(self, staging: Staging) -> None:
        """See `RemoteStore.snapshot`."""
        snapshot.snapshot(self.connection, self._project, staging)  # type: ignore[arg-type]

    def confirm(self, cursor: Cursor) -> None:
        """See `RemoteStore.confirm`."""
        restore.confirm(self.connection, self._project, cursor)  # type: ignore[arg-type]

    def fence(self, identity: Identity) -> None:
        """See `RemoteStore.fence`."""
        restore.fence(self.connection, identity)  # type: ignore[arg-type]

    def history_counts(self) -> dict[Key, HistoryCount]:
        """See `RemoteStore.history_counts`."""
        return restore.history_counts(self.connection, self._project)  # type: ignore[arg-type]

    def restore(self, identity: Identity, recovery_part: RecoveryPart, known: Cursor) -> Restored:
        """See `RemoteStore.restore`."""
        return restore.restore(self.connection, identity, recovery_part, known)  # type: ignore[arg-type]

    def wait(self, wake: Wake, timeout_s: float) -> bool:
        """Nobody waits in a simulation."""
        return False

    def close(self) -> None:
        """Nothing is open."""
