"""A small share of the stress run; `python -m end_to_end.stress` does as much as one likes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import Server

from end_to_end import stress

LEVEL_S = 30.0
"""A loaded machine may take its time; the program itself asks for five seconds."""


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A PostgreSQL of its own: some of its processes are killed, which restarts it for everybody."""
    server = Server(tmp_path_factory.mktemp("postgres"))
    server.execute("ALTER SYSTEM SET synchronous_commit = on")
    server.execute("SELECT pg_reload_conf()")
    yield server
    server.stop()


def test_kills_partitions_and_restores_lose_nothing(tmp_path: Path, own_server: Server) -> None:
    reported: list[str] = []
    with stress.run(tmp_path, own_server, replicas=3, seed=11, limit_s=LEVEL_S) as made:
        found = stress.rounds(made, kills=3, partitions=2, restores=1, seed=11, tell=reported.append)
    assert len(reported) == len(made.level_s) == 6
    assert found["acknowledged"] > 30
