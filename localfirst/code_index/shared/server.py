"""The team's index in PostgreSQL, for one thread. The first call connects, migrates if it may, and starts the project.

Every method raises UnavailableError while the server is away, and connects again when it is called the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import apsw
from localfirst_schema.errors import UnavailableError

from localfirst.replica.known_server import KnownServer
from localfirst.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from localfirst_sync.postgres.code_search import Candidate
    from localfirst_sync.postgres.connection import Connection

_Result = TypeVar("_Result")

_IDENTITY = "SELECT project_id, project_name, replica_id FROM replica"


class SharedIndex:
    """One project's shared code index. `known` belongs to the replica's connection, and so to the same thread."""

    def __init__(self, url: str, project_id: str, project_name: str, replica_id: str, known: KnownServer) -> None:
        self._url = url
        self._project_id = project_id
        self._project_name = project_name
        self._replica_id = replica_id
        self._known = known
        self._connection: Connection | None = None

    def __enter__(self) -> SharedIndex:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self.close()
        return False

    def fetch(self, model: str, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        """Chunk hash → int8 vector of `model`, for those that somebody has embedded."""
        from localfirst_sync.postgres.code_set import fetch_vectors

        return self._with_server(lambda connection: fetch_vectors(connection, self._project_id, model, hashes))

    def publish(self, replica: apsw.Connection, root: Path, by: str | None = None) -> int:
        """Brings the server's tree of the repository at `root` level with the replica's; how many files were sent."""
        from localfirst.code_index.shared.publish import publish

        return self._with_server(lambda connection: publish(replica, connection, self._project_id, self._replica_id, root, by))

    def withdraw(self, key: str) -> None:
        """Takes the tree that is known by this key off the server."""
        from localfirst.code_index.shared.withdraw import withdraw

        self._with_server(lambda connection: withdraw(connection, self._project_id, key))

    def candidates(
        self,
        *,
        words: list[str],
        model: str | None,
        vector: bytes | None,
        repository: str | None = None,
        language: str | None = None,
    ) -> list[Candidate]:
        """See `code_search.candidates`."""
        from localfirst_sync.postgres import code_search

        return self._with_server(
            lambda connection: code_search.candidates(
                connection, self._project_id, words=words, model=model, vector=vector, repository=repository, language=language
            )
        )

    def close(self) -> None:
        """Closes the connection; the next call makes another."""
        from localfirst_sync.postgres.connection import close_quietly

        connection, self._connection = self._connection, None
        close_quietly(connection)

    def _with_server(self, action: Callable[[Connection], _Result]) -> _Result:
        try:
            return action(self._connected())
        except UnavailableError:
            self.close()
            raise

    def _connected(self) -> Connection:
        from localfirst_sync.postgres import acquaintance, migrate
        from localfirst_sync.postgres.connection import closed_on_failure, connect

        if self._connection is None or self._connection.closed:
            with closed_on_failure(connect(self._url)) as connection:
                acquaintance.expect(connection, self._url, self._project_id, self._known)
                migrate.migrate(connection)
                met = acquaintance.meet(connection, self._url, self._project_id, self._project_name, self._known)
                self._project_id, self._project_name = met.project
            self._connection = connection
        return self._connection


def shared_index(settings: Settings, replica: apsw.Connection) -> SharedIndex | None:
    """The team's index; None where there is no server, sharing is switched off, or the project has no name that counts."""
    if settings.database_url is None or not settings.share_code or settings.is_name_withheld:
        return None
    row: tuple[Any, ...] = replica.execute(_IDENTITY).fetchall()[0]
    project_id, name, replica_id = row
    if name is None:
        return None
    return SharedIndex(settings.database_url, project_id, name, replica_id, KnownServer(replica))
