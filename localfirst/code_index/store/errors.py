"""What may go wrong with the store beyond the errors of the replica."""

from __future__ import annotations

from localfirst_schema.errors import UnavailableError


class DiskFullError(UnavailableError):
    """The disk that holds the replica is full; the run may go on when there is room."""

    @property
    def name(self) -> str:
        """Users see it as an `UnavailableError`."""
        return "UnavailableError"
