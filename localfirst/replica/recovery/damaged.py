"""Reading a damaged database: every row that can still be read, around the places that cannot.

The file is copied first, with its log, and only the copy is opened: the damaged one stays as it was found. A table is read by
rowid; where a page cannot be read, the next rowid that can is sought, by steps that double and then by halves. Where the first
page is lost (header and schema), it is replaced in the copy by that of a new replica, whose tables begin at the same pages.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw

from localfirst.replica.connection import closed_on_failure
from localfirst.replica.defences import defend_foreign, reading_time_s
from localfirst.replica.migrate import migrate

logger = logging.getLogger("localfirst.replica")

ROWID_MAX = 2**63 - 1
PATIENCE = 10
"""How many times as long as a sound file a damaged one may take to be read: places are sought in it again and again."""

_BATCH = 500
_PAGE_COUNT_AT, _FREELIST_AT = 28, 32
_INTERIOR = 5
_HEADER = 100


@contextmanager
def opened(path: Path) -> Iterator[apsw.Connection | None]:
    """A connection to a copy of the file at `path`; None where not even a page of schema is left."""
    with tempfile.TemporaryDirectory(prefix=".salvage-", dir=path.parent) as folder:
        copy = Path(folder) / "replica"
        for suffix in ("", "-wal"):
            if (source := Path(f"{path}{suffix}")).exists():
                shutil.copyfile(source, f"{copy}{suffix}")
        connection = _open(copy)
        for mend in (_replace_header, _replace_schema):
            if connection is None:
                mend(copy)
                connection = _open(copy)
        try:
            if connection is not None:
                _empty_log(connection)
            yield connection
        finally:
            if connection is not None:
                connection.close()


def _empty_log(connection: apsw.Connection) -> None:
    """Brings the copy's log into its file, whose pages may be read one by one afterwards."""
    try:
        connection.pragma("wal_checkpoint(truncate)")
    except apsw.Error as error:
        logger.info("the log of a damaged replica cannot be brought into its file: %s", type(error).__name__)


def _open(copy: Path) -> apsw.Connection | None:
    connection = apsw.Connection(str(copy))
    try:
        with closed_on_failure(connection):
            defend_foreign(connection, PATIENCE * reading_time_s(copy))
            if connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'replica'").get:
                return connection
    except apsw.Error:
        pass  # it is not a database any more; the caller tries what else there is
    connection.close()
    return None


def _replace_header(copy: Path) -> None:
    """Gives the copy the header of a new replica; the schema behind it stays."""
    page_size, pages = _new_replica(copy.with_name("fresh"))
    _write_first_page(copy, bytearray(pages[:_HEADER]), copy.stat().st_size // page_size, b"")


def _replace_schema(copy: Path) -> None:
    """Gives the copy the first page of a new replica, and behind its end the pages that the schema goes on with."""
    page_size, pages = _new_replica(copy.with_name("fresh"))
    first = bytearray(pages[:page_size])
    length = copy.stat().st_size // page_size
    moved = []
    for at in _child_pointers(first):
        child = int.from_bytes(first[at : at + 4], "big")
        moved.append(pages[(child - 1) * page_size : child * page_size])
        first[at : at + 4] = (length + len(moved)).to_bytes(4, "big")
    with copy.open("r+b") as file:
        file.truncate(length * page_size)
    _write_first_page(copy, first, length + len(moved), b"".join(moved))


def _new_replica(path: Path) -> tuple[int, bytes]:
    """The page size and the content of a new replica."""
    with closing(apsw.Connection(str(path))) as made:
        migrate(made, path)
        page_size = made.pragma("page_size")
    content = path.read_bytes()
    path.unlink()
    return page_size, content


def _write_first_page(copy: Path, page: bytearray, page_count: int, more: bytes) -> None:
    """Overwrites the beginning of the copy, without a freelist, and appends `more`."""
    page[_PAGE_COUNT_AT : _PAGE_COUNT_AT + 4] = page_count.to_bytes(4, "big")
    page[_FREELIST_AT : _FREELIST_AT + 8] = bytes(8)
    with copy.open("r+b") as file:
        file.write(page)
        file.seek(0, 2)
        file.write(more)


def _child_pointers(page: bytearray) -> Iterator[int]:
    """Where the first page names other pages of the schema (section 1.6 of SQLite's file format), if there are others."""
    if page[100] != _INTERIOR:
        return
    for number in range(int.from_bytes(page[103:105], "big")):
        at = 112 + 2 * number
        yield int.from_bytes(page[at : at + 2], "big")
    yield 108


class Reading:
    """What was read of one table.

    Attributes:
        gaps: how many places could not be read; what they held is not known.
    """

    def __init__(self, connection: apsw.Connection, table: str, columns: Sequence[str]) -> None:
        self._connection = connection
        self._sql = f"SELECT rowid, {', '.join(columns)} FROM {table} NOT INDEXED WHERE rowid >= ? ORDER BY rowid LIMIT ?"
        self.gaps = 0

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Every row that can be read, without its rowid."""
        at = -ROWID_MAX - 1
        while True:
            rows, is_whole = self._from(at, _BATCH)
            for rowid, *values in rows:
                at = rowid + 1
                yield tuple(values)
            if is_whole and len(rows) < _BATCH:
                return
            if not is_whole:
                self.gaps += 1
                following = self._next_readable(at)
                if following is None:
                    return
                at = following

    def _from(self, at: int, limit: int) -> tuple[list[tuple[Any, ...]], bool]:
        """The rows from a rowid on, as far as they can be read, and whether that was without an error."""
        rows: list[tuple[Any, ...]] = []
        try:
            for row in self._connection.execute(self._sql, (at, limit)):
                rows.append(row)
        except (apsw.Error, UnicodeDecodeError, MemoryError):
            return rows, False
        return rows, True

    def _next_readable(self, bad: int) -> int | None:
        """The first rowid after `bad` from which a row can be read; None where there is none."""
        bad = max(bad, 0)
        step = 1
        while not self._is_readable(good := min(bad + step, ROWID_MAX)):
            if good == ROWID_MAX:
                return None
            bad, step = good, step * 2
        while good - bad > 1:
            middle = (good + bad) // 2
            if self._is_readable(middle):
                good = middle
            else:
                bad = middle
        return good

    def _is_readable(self, at: int) -> bool:
        return self._from(at, 1)[1]
