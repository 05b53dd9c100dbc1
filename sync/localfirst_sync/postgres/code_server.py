"""The team's code index of one project in PostgreSQL, over one connection: see `code_port.CodeServer`."""

from __future__ import annotations

from collections.abc import Sequence

from localfirst_sync.code_port import Candidate, CodeWanted, SharedChunk, SharedFile
from localfirst_sync.postgres import code_search, code_set
from localfirst_sync.postgres.connection import Connection


class PostgresCodeServer:
    """For the connection's thread."""

    def __init__(self, connection: Connection, project_id: str) -> None:
        self._connection = connection
        self._project_id = project_id

    def fetch_vectors(self, model: str, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        """See `CodeServer.fetch_vectors`."""
        return code_set.fetch_vectors(self._connection, self._project_id, model, hashes)

    def missing_chunks(self, hashes: Sequence[bytes]) -> set[bytes]:
        """See `CodeServer.missing_chunks`."""
        return code_set.missing_chunks(self._connection, self._project_id, hashes)

    def missing_vectors(self, model: str, hashes: Sequence[bytes]) -> set[bytes]:
        """See `CodeServer.missing_vectors`."""
        return code_set.missing_vectors(self._connection, self._project_id, model, hashes)

    def put_chunks(self, chunks: Sequence[SharedChunk]) -> None:
        """See `CodeServer.put_chunks`."""
        code_set.put_chunks(self._connection, self._project_id, chunks)

    def put_vectors(self, model: str, vectors: Sequence[tuple[bytes, bytes]]) -> None:
        """See `CodeServer.put_vectors`."""
        code_set.put_vectors(self._connection, self._project_id, model, vectors)

    def note_repository(self, repository: str, name: str, by: str | None) -> None:
        """See `CodeServer.note_repository`."""
        code_set.note_repository(self._connection, self._project_id, repository, name, by)

    def complete_model(self, repository: str) -> str | None:
        """See `CodeServer.complete_model`."""
        return code_set.complete_model(self._connection, self._project_id, repository)

    def note_complete_model(self, repository: str, model: str) -> None:
        """See `CodeServer.note_complete_model`."""
        code_set.note_complete_model(self._connection, self._project_id, repository, model)

    def files_of(self, repository: str) -> dict[str, bytes]:
        """See `CodeServer.files_of`."""
        return code_set.files_of(self._connection, self._project_id, repository)

    def put_files(self, repository: str, files: Sequence[SharedFile], deleted: Sequence[str]) -> None:
        """See `CodeServer.put_files`."""
        code_set.put_files(self._connection, self._project_id, repository, files, deleted)

    def ensure_vector_index(self, model: str) -> bool:
        """See `CodeServer.ensure_vector_index`."""
        return code_set.ensure_vector_index(self._connection, model)

    def withdraw(self, repository: str) -> None:
        """See `CodeServer.withdraw`."""
        code_set.withdraw(self._connection, self._project_id, repository)

    def candidates(self, wanted: CodeWanted) -> list[Candidate]:
        """See `CodeServer.candidates`."""
        return code_search.candidates(
            self._connection,
            self._project_id,
            words=list(wanted.words),
            model=wanted.model,
            vector=wanted.vector,
            repository=wanted.repository,
            language=wanted.language,
        )
