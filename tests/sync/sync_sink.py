"""A sink that keeps what a pull gives it."""

from __future__ import annotations

from collections.abc import Sequence

from localfirst_sync.ports import HistoryRow


class Collected:
    """A `PullSink` in memory."""

    def __init__(self) -> None:
        self.tables: dict[str, list[tuple[object, ...]]] = {}
        self.log: list[HistoryRow] = []
        self.batches = 0
        self.expected: int | None = None

    def expects(self, changes: int) -> None:
        assert not self.batches, "it is said first"
        self.expected = changes

    def rows(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        self.batches += 1
        self.tables.setdefault(table, []).extend(rows)

    def history(self, rows: Sequence[HistoryRow]) -> None:
        self.batches += 1
        self.log.extend(rows)

    def ids(self, table: str) -> list[object]:
        """The ids of the rows of a table."""
        return [found[0] for found in self.tables.get(table, ())]
