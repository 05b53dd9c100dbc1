"""A project in a fresh database, and replicas reduced to their outboxes that push to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from localfirst_schema.identifiers import project_id
from localfirst_sync.postgres.connection import Connection, connect
from localfirst_sync.postgres.migrate import ensure_project
from sync_laptop import PROJECT_NAME, Reached, Way
from sync_sender import Sender


@pytest.fixture
def project() -> str:
    """The id of the project."""
    return project_id(PROJECT_NAME)


@pytest.fixture
def server(database_url: str, project: str) -> Iterator[Connection]:
    """A connection to a database in which the project has been started."""
    connection = connect(database_url)
    ensure_project(connection, project, PROJECT_NAME)
    yield connection
    connection.close()


@pytest.fixture
def ann(server: Connection, project: str) -> Sender:
    """A replica's outbox."""
    return Sender(server, project, "ann")


@pytest.fixture
def bob(server: Connection, project: str) -> Sender:
    """Another replica's outbox."""
    return Sender(server, project, "bob")


@pytest.fixture(params=["direct", "daemon"])
def way(request: pytest.FixtureRequest) -> Way:
    """By PostgreSQL's own address, and by a daemon: what is true of the one has to be of the other."""
    return Way(request.param)


@pytest.fixture
def reached(way: Way, database_url: str, far_url: str, trip_s: float) -> Iterator[Reached]:
    """That database, in both ways; the daemon stands at the laptop's end of the line."""
    with way.to(far_url if trip_s else database_url, database_url) as found:
        yield found
