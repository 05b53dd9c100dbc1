"""What may stop a run, beyond the errors of the replica and of the embedding provider (`EmbeddingUnavailableError`).

RepositoryGoneError   the folder is missing, unreadable, or suspiciously empty; nothing was deleted
DiskFullError         no room for the replica to grow; the run may go on when there is
"""

from __future__ import annotations

from localfirst_schema.errors import InvalidStateError

from localfirst.code_index.store.errors import DiskFullError

__all__ = ["DiskFullError", "RepositoryGoneError"]


class RepositoryGoneError(InvalidStateError):
    """The repository's folder is not what was indexed. `details` names the `repo_path`."""

    @property
    def name(self) -> str:
        """Users see it as an `InvalidStateError`."""
        return "InvalidStateError"
