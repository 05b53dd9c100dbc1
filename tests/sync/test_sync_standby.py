"""A standby first in an address, and a standby alone."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cluster import run
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.errors import UnavailableError
from localfirst_sync.postgres.connection import connect
from localfirst_sync.postgres.probe import HeadProbe
from localfirst_sync.wake import Wake
from psycopg.conninfo import make_conninfo
from standby import Pair, pair
from sync_laptop import laptops
from sync_sender import task


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    """A primary and its standby."""
    with pair() as made:
        yield made


@pytest.fixture
def database(servers: Pair) -> str:
    """An empty database, on both."""
    name = f"test_{uuid.uuid4().hex}"
    run(servers.primary.url(), f"CREATE DATABASE {name} TEMPLATE template0")
    servers.await_replay()
    return name


def _standby_reached(url: str) -> bool:
    with connect(url) as connection:
        return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)


def test_a_standby_that_is_first_in_the_address_is_passed_over(servers: Pair, database: str, tmp_path: Path) -> None:
    url = servers.url(database, standby_first=True)
    assert not _standby_reached(url)
    with laptops(tmp_path, url) as new:
        ann, bob = new("ann"), new("bob")
        ann.create(WORK_ITEM, **task("Of Ann"))
        assert ann.sync().access == "write"
        bob.sync()
        assert ann.displayed() == bob.displayed()


def test_what_the_address_says_itself_stands(servers: Pair, database: str) -> None:
    url = servers.url(database)
    assert _standby_reached(make_conninfo(url, target_session_attrs="standby"))
    assert _standby_reached(make_conninfo(servers.url(database, standby_first=True), target_session_attrs="any"))
    assert not _standby_reached(make_conninfo(servers.url(database, standby_first=True), target_session_attrs="read-write"))


def test_a_standby_alone_serves_reads_and_the_pull(servers: Pair, database: str, tmp_path: Path) -> None:
    with (
        laptops(tmp_path, servers.primary.url(database)) as new,
        laptops(tmp_path, servers.standby.url(database)) as remote,
    ):
        ann = new("ann")
        ann.create(WORK_ITEM, **task("Of Ann"))
        ann.sync()
        servers.await_replay()
        bob = remote("bob")
        assert bob.sync().access == "standby"
        assert bob.displayed() == ann.displayed()
        bob.create(WORK_ITEM, **task("Of Bob, waiting"))
        ann.create(WORK_ITEM, **task("Another of Ann"))
        ann.sync()
        servers.await_replay()
        began = time.monotonic()
        with closing(Wake()) as wake:
            assert not bob.remote.wait(wake, 60)
        assert time.monotonic() - began < 10, "no notice comes from a standby: it is asked"
        done = bob.sync()
        assert (done.pushed, done.pulled, done.access) == (0, 1, "standby")
        assert len(bob.displayed()["work_items"]) == 3
        assert bob.local.pending_count() == 1
        probe = HeadProbe(bob.url, bob.local.identity().project_id)
        try:
            assert probe.head(5_000) == bob.local.cursor()
        finally:
            probe.close()


def test_a_standby_that_is_behind_is_not_taken_for_a_server_that_was_set_back(
    servers: Pair, database: str, tmp_path: Path
) -> None:
    with laptops(tmp_path, servers.primary.url(database)) as new:
        ann = new("ann")
        ann.create(WORK_ITEM, **task("Of Ann"))
        ann.sync()
        servers.await_replay()
        run(servers.standby.url(), "SELECT pg_wal_replay_pause()")
        try:
            ann.create(WORK_ITEM, **task("Not there yet"))
            ann.sync()
            with laptops(tmp_path, servers.standby.url(database)) as same:
                with pytest.raises(UnavailableError) as logged:
                    same("ann").sync()
                assert logged.value.details["cause"] == "standby"
                run(servers.standby.url(), "SELECT pg_wal_replay_resume()")
                servers.await_replay()
                assert same("ann").sync().access == "standby"
            assert len(ann.displayed()["work_items"]) == 2
        finally:
            run(servers.standby.url(), "SELECT pg_wal_replay_resume()")


def test_an_older_standby_without_our_schema_is_logged_in_words(servers: Pair, database: str, tmp_path: Path) -> None:
    with laptops(tmp_path, servers.standby.url(database)) as new, pytest.raises(UnavailableError) as logged:
        new("ann").sync()
    assert logged.value.details["cause"] == "standby"
