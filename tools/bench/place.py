"""Where a benchmark works: a folder and a PostgreSQL of its own, both gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from localfirst.demo.server import running_postgres


@contextmanager
def own_folder(directory: str = ".") -> Iterator[Path]:
    """A folder on the disk of `directory`."""
    # The sync loop's last connection may still be closing when a benchmark ends.
    with TemporaryDirectory(prefix="bench-", dir=directory, ignore_cleanup_errors=True) as name:
        yield Path(name).resolve()


@contextmanager
def own_server() -> Iterator[str]:
    """A running PostgreSQL: its connection string."""
    with TemporaryDirectory(prefix="bench-pg-", ignore_cleanup_errors=True) as data, running_postgres(Path(data)) as server:
        yield server.url()
