"""Fixtures of the code index's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from code_index.indexing import Indexed
from localfirst.code_index.pipeline.pool import Pool


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """Computing processes, warm after their first use."""
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
