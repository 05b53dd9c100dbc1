"""Takes a tree that this replica alone has published off the server. Chunks and vectors stay: they are by content, nobody's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localfirst_sync.postgres.connection import Connection

_DELETE = b"DELETE FROM localfirst.code_repositories WHERE project_id = %s AND repository = %s"


def withdraw(server: Connection, project_id: str, key: str) -> None:
    """Deletes the repository's row, its files and places with it. Raises UnavailableError while the server is away."""
    from localfirst_sync.postgres.code_set import postgres_errors
    from localfirst_sync.postgres.connection import writing

    with postgres_errors(), writing(server):
        server.execute(_DELETE, (project_id, key))
