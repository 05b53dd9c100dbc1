"""Replicas with damage at a place that is known."""

from __future__ import annotations

from pathlib import Path

import apsw

PAGE = 4096


def checkpointed(path: Path) -> None:
    """Everything of the log is in the file."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(10_000)
    [(is_busy, _, _)] = connection.execute("PRAGMA wal_checkpoint (truncate)").fetchall()
    assert not is_busy
    connection.close()


def pages_of(path: Path, table: str, kind: str = "leaf") -> list[int]:
    """The numbers of the leaf pages of a table, or of its internal ones."""
    connection = apsw.Connection(str(path))
    sql = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ? ORDER BY path"
    pages = [int(number) for (number,) in connection.execute(sql, (table, kind))]
    connection.close()
    return pages


def destroy(path: Path, *pages: int) -> None:
    """Overwrites pages with what no page can be."""
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE)
            file.write(b"\xa5" * PAGE)
