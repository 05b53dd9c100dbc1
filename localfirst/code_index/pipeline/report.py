"""What a run tells its job, and asks of it.

The job's own rows are written in the transaction that writes the index, so that both say the same after a power cut.
"""

from __future__ import annotations

from typing import Protocol

import apsw
import msgspec

from localfirst.code_index.skipped import Skipped


class Done(msgspec.Struct, frozen=True):
    """Files that are done with, whatever became of them."""

    paths: tuple[str, ...]
    indexed: int = 0
    """How many were cut and written."""

    unchanged: int = 0
    """How many turned out to hold what the index has."""

    deleted: int = 0
    skipped: tuple[Skipped, ...] = ()
    chunks: int = 0
    """Chunks of the indexed files."""


class Embedded(msgspec.Struct, frozen=True):
    """Chunks that have their vector now."""

    chunks: int
    fetched: int
    """How many of them came from the team's server."""


class Report(Protocol):
    """A job, as the run sees it. All methods are called in the thread of the run."""

    def should_stop(self) -> bool:
        """Whether the run is to end soon; asked several times a second."""

    def files_done(self, connection: apsw.Connection, done: Done) -> None:
        """Called inside the transaction that writes these files; may write, must not commit."""

    def chunks_queued(self, count: int) -> None:
        """How many chunks there are to embed; called outside of transactions, again when there are more."""

    def chunks_done(self, connection: apsw.Connection, done: Embedded) -> None:
        """Called inside the transaction that writes these vectors; may write, must not commit."""
