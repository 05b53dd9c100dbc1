"""The team's index on the server, for one thread. The first call connects, migrates if it may, and starts the project.

Every method raises UnavailableError while the server is away, and connects again when it is called the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import apsw
from localfirst_schema.errors import UnavailableError

from localfirst.client.way import token
from localfirst.replica.known_server import KnownServer
from localfirst.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from localfirst_sync.code_port import Candidate, CodeServer

_Result = TypeVar("_Result")

_IDENTITY = "SELECT project_id, project_name, replica_id FROM replica"


class SharedIndex:
    """One project's shared code index. `known` belongs to the replica's connection, and so to the same thread."""

    def __init__(self, settings: Settings, project_id: str, project_name: str, replica_id: str, known: KnownServer) -> None:
        self._settings = settings
        self._project_id = project_id
        self._project_name = project_name
        self._replica_id = replica_id
        self._known = known
        self._server: CodeServer | None = None
        self._open = ExitStack()

    def __enter__(self) -> SharedIndex:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self.close()
        return False

    def fetch(self, model: str, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        """Chunk hash → int8 vector of `model`, for those that somebody has embedded."""
        return self._with_server(lambda server: server.fetch_vectors(model, hashes))

    def publish(self, replica: apsw.Connection, root: Path, by: str | None = None) -> int:
        """Brings the server's tree of the repository at `root` level with the replica's; how many files were sent."""
        from localfirst.code_index.shared.publish import publish

        return self._with_server(lambda server: publish(replica, server, self._replica_id, root, by))

    def withdraw(self, key: str) -> None:
        """Takes the tree that is known by this key off the server."""
        self._with_server(lambda server: server.withdraw(key))

    def candidates(
        self,
        *,
        words: list[str],
        model: str | None,
        vector: bytes | None,
        repository: str | None = None,
        language: str | None = None,
    ) -> list[Candidate]:
        """See `CodeServer.candidates`."""
        from localfirst_sync.code_port import CodeWanted

        wanted = CodeWanted(words, model, vector, repository, language)
        return self._with_server(lambda server: server.candidates(wanted))

    def close(self) -> None:
        """Closes the connection; the next call makes another."""
        self._server = None
        self._open.close()

    def _with_server(self, action: Callable[[CodeServer], _Result]) -> _Result:
        try:
            if self._server is None:
                self._server = self._by_daemon() if self._settings.server_url is not None else self._by_database()
            return action(self._server)
        except UnavailableError:
            self.close()
            raise

    def _by_daemon(self) -> CodeServer:
        from localfirst_sync.http.code import HttpCodeServer
        from localfirst_sync.http.store import HttpStore
        from localfirst_sync.ports import Identity

        assert self._settings.server_url is not None
        identity = Identity(self._project_id, self._project_name, self._replica_id, 0)
        store = HttpStore(self._settings.server_url, token(self._settings), identity, self._known)
        self._open.callback(store.close)
        return HttpCodeServer(store)

    def _by_database(self) -> CodeServer:
        from localfirst_sync.postgres import acquaintance, migrate
        from localfirst_sync.postgres.code_server import PostgresCodeServer
        from localfirst_sync.postgres.connection import close_quietly, closed_on_failure, connect

        url = self._settings.database_url
        assert url is not None
        with closed_on_failure(connect(url)) as connection:
            acquaintance.expect(connection, url, self._project_id, self._known)
            migrate.migrate(connection)
            met = acquaintance.meet(connection, url, self._project_id, self._project_name, self._known)
            self._project_id, self._project_name = met.project
        self._open.callback(close_quietly, connection)
        return PostgresCodeServer(connection, self._project_id)


def shared_index(settings: Settings, replica: apsw.Connection) -> SharedIndex | None:
    """The team's index; None where there is no server, sharing is switched off, or the project has no name that counts."""
    if not settings.has_server or not settings.share_code or settings.is_name_withheld:
        return None
    row: tuple[Any, ...] = replica.execute(_IDENTITY).fetchall()[0]
    project_id, name, replica_id = row
    if name is None:
        return None
    return SharedIndex(settings, project_id, name, replica_id, KnownServer(replica))
