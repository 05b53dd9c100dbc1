"""Fixtures of the code index's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from code_index.indexing import Indexed
from code_index.workers import no_worker_left
from localfirst import settings
from localfirst.code_index.pipeline.pool import Pool
from localfirst.replica.connection import connect
from localfirst.replica.opening import open_replica
from localfirst.settings import Settings


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """Computing processes, warm after their first use; none of their threads outlives a file's tests."""
    with Pool(2) as pool:
        yield pool


@pytest.fixture
def indexed(tmp_path: Path, pool: Pool) -> Iterator[Indexed]:
    """A replica with an empty code index."""
    indexed = Indexed(tmp_path / "replica.sqlite3", pool)
    yield indexed
    indexed.connection.close()


@pytest.fixture
def fresh(tmp_path: Path, pool: Pool) -> Iterator[Callable[[], Indexed]]:
    """Makes further replicas, for comparing."""
    made: list[Indexed] = []

    def make() -> Indexed:
        made.append(Indexed(tmp_path / f"fresh-{len(made)}.sqlite3", pool))
        return made[-1]

    yield make
    for indexed in made:
        indexed.connection.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty working tree."""
    root = (tmp_path / "repository").resolve()
    root.mkdir()
    return root


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The settings of a project with a replica; its workers end with the test."""
    for name in ("DATA", "STATE", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("LOCALFIRST_REPLICA", str(tmp_path / "replica.sqlite3"))
    monkeypatch.delenv("LOCALFIRST_DATABASE_URL", raising=False)
    (tmp_path / "project").mkdir()
    found = settings.load(tmp_path / "project")
    open_replica(found.replica, found.project).close()
    with no_worker_left(found.replica):
        yield found


@pytest.fixture
def replica(here: Settings) -> Iterator[apsw.Connection]:
    connection = connect(here.replica)
    yield connection
    connection.close()
