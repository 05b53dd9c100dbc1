"""What may go wrong with the store beyond the errors of the replica."""

from __future__ import annotations

from typing import Any

from localfirst_schema.errors import UnavailableError


class DiskFullError(UnavailableError):
    """The disk that holds the replica is full; the run may go on when there is room."""

    def __init__(self, message: str, *, cause: str = "replica", **details: Any) -> None:
        super().__init__(message, cause=cause, **details)

    @property
    def name(self) -> str:
        """Users see it as an `UnavailableError`."""
        return "UnavailableError"
