"""One project in four layers for all tests here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from gateway import Gateway
from postgres import Server

from reading.world import World


@pytest.fixture(scope="session")
def world(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Read by all tests, changed by none."""
    with postgres_server.database() as url:
        yield World(tmp_path_factory.mktemp("world"), url)


@pytest.fixture
def gateway(world: World) -> Iterator[Gateway]:
    """A way to the project's PostgreSQL that a test may disturb."""
    with closing(Gateway(world.url)) as opened:
        yield opened
