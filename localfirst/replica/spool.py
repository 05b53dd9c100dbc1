"""Keeps a pull aside until it is complete: in memory while it is small, then in a temporary file.

Nothing on the write path waits for a network: the rows of a pull are all here before the replica's transaction begins.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from localfirst_sync import sieve
from localfirst_sync.ports import HistoryRow
from localfirst_sync.sieve import Misfit

MEMORY_ROWS = 50_000
"""About 50 MB of rows as Python objects; a larger pull is written to the disk."""

HISTORY = sieve.HISTORY


class Spool:
    """A `PullSink`: batches of rows by table, read back in the order in which they came.

    Attributes:
        aside: what came and cannot be taken.
    """

    def __init__(self) -> None:
        self.aside: list[Misfit] = []
        self._batches: list[tuple[str, Sequence[Sequence[Any]]]] = []
        self._held = 0
        self._file: Any = None
        self._encoder = msgspec.msgpack.Encoder()

    def expects(self, changes: int) -> None:
        """It holds as much as comes."""

    def rows(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Takes current rows of one table."""
        taken, aside = sieve.rows(table, rows)
        self.aside += aside
        self.keep(table, taken)

    def keep(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Takes rows that were looked at already."""
        self._batches.append((table, rows))
        self._held += len(rows)
        if self._held > MEMORY_ROWS:
            self._spill()

    def history(self, rows: Sequence[HistoryRow]) -> None:
        """Takes history rows."""
        taken, aside = sieve.history(rows)
        self.aside += aside
        self.keep(HISTORY, taken)

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="localfirst-pull-")  # noqa: SIM115 (closed by `close`)
        for batch in self._batches:
            frame = self._encoder.encode(batch)
            self._file.write(len(frame).to_bytes(8, "big") + frame)
        self._batches.clear()
        self._held = 0

    def batches(self) -> Iterator[tuple[str, Sequence[Sequence[Any]]]]:
        """All batches, oldest first."""
        if self._file is not None:
            self._file.seek(0)
            while header := self._file.read(8):
                yield msgspec.msgpack.decode(self._file.read(int.from_bytes(header, "big")))
        yield from self._batches

    def close(self) -> None:
        """Lets go of the memory and the file."""
        self._batches.clear()
        if self._file is not None:
            self._file.close()
