"""Behind PgBouncer: laptops get in, meet no statement of each other's, and become level."""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Literal

import psycopg
import pytest
from cluster import Cluster, cluster
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.errors import UnavailableError
from localfirst_sync.postgres.connection import begin, connect
from localfirst_sync.postgres.pinned import SEARCH_PATH
from localfirst_sync.postgres.pooler import CAUSE
from localfirst_sync.postgres.probe import HeadProbe
from localfirst_sync.wake import Wake
from pooler import pooler
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sync_laptop import Laptop, laptops
from sync_sender import task
from waiting import until

MODES = ("transaction", "session")

LAPTOPS = 6

WRITING_S = float(os.environ.get("LOCALFIRST_TEST_POOLER_S", "3"))
"""How long they write; twenty seconds are the measure, a share of them is enough for every change of the code."""

IGNORING = "ignore_startup_parameters = options"


def synced(laptop: Laptop) -> bool:
    """Whether a round went through: the pooler may have none of its few sessions free, and the loop asks again then."""
    try:
        laptop.sync()
    except UnavailableError as error:
        if error.details["cause"] != CAUSE:
            raise
        return False
    return True


@pytest.mark.parametrize("more", ["", IGNORING], ids=["refuses settings", "ignores settings"])
@pytest.mark.parametrize("mode", MODES)
def test_a_second_and_a_third_laptop_get_in(
    database_url: str, tmp_path: Path, mode: Literal["transaction", "session"], more: str
) -> None:
    # All through one session of the server, where that is possible.
    size = 1 if mode == "transaction" else 4
    with pooler(database_url, mode, size=size, more=more) as url, laptops(tmp_path, url) as new:
        ann, bob, cleo = new("ann"), new("bob"), new("cleo")
        item = ann.create(WORK_ITEM, **task())
        for laptop in (ann, bob, cleo):
            laptop.sync()
        bob.change(WORK_ITEM, item, title="Bob's")
        cleo.create(WORK_ITEM, **task("Another"))
        for laptop in (bob, cleo, ann, bob, cleo):
            until(partial(synced, laptop), 10)
        assert len(ann.displayed()["work_items"]) == 2
        assert ann.displayed() == bob.displayed() == cleo.displayed()


def test_a_large_batch_and_a_first_fill_pass(database_url: str, tmp_path: Path) -> None:
    with pooler(database_url, "transaction", size=1) as url, laptops(tmp_path, url) as new:
        ann, bob = new("ann"), new("bob")
        items = [ann.create(WORK_ITEM, **task(f"Task {number}")) for number in range(600)]
        ann.sync()
        bob.sync()
        for item in items:
            bob.change(WORK_ITEM, item, title="Changed")
        bob.sync()
        ann.sync()
        assert {row["title"] for row in ann.displayed()["work_items"]} == {"Changed"}
        assert ann.displayed() == bob.displayed()


def test_settings_are_pinned_in_each_transaction(database_url: str) -> None:
    with pooler(database_url, "transaction", size=1) as url, connect(url) as connection:
        assert connection.pooled
        begin(connection, "BEGIN")
        found = connection.execute(
            "SELECT current_setting('search_path'), current_setting('TimeZone'), current_setting('lock_timeout')"
        ).fetchone()
        connection.execute("ROLLBACK")
        assert found == (SEARCH_PATH, "UTC", "5s")
        after = connection.execute("SELECT current_setting('search_path')").fetchone()
        assert after is not None
        assert after[0] != SEARCH_PATH, "the session was left as it was"


def test_a_direct_connection_is_not_taken_for_a_pooler(database_url: str) -> None:
    for url in (database_url, make_conninfo(database_url, options="-c IntervalStyle=postgres")):
        with connect(url) as connection:
            assert not connection.pooled


def test_a_pooler_that_lets_everything_through_is_known_by_the_first_clash(database_url: str, tmp_path: Path) -> None:
    address = make_conninfo(database_url, application_name="a pooler before it")
    with laptops(tmp_path, address) as new:
        ann = new("ann")
        ann.sync()
        ann.create(WORK_ITEM, **task())
        ann.sync()
        connection = ann.remote._connection
        assert connection is not None
        connection.command(b"DEALLOCATE ALL")  # as if the next transaction ran in another session
        ann.create(WORK_ITEM, **task("Another"))
        with pytest.raises(UnavailableError) as logged:
            ann.sync()
        assert logged.value.details["cause"] == CAUSE
        ann.sync()
        assert not ann.local.pending_count()
        with connect(address) as again:
            assert again.pooled


def test_the_head_is_asked_for_without_a_prepared_statement(database_url: str, tmp_path: Path) -> None:
    with pooler(database_url, "transaction", size=1) as url, laptops(tmp_path, url) as new:
        ann = new("ann")
        ann.sync()
        project = ann.local.identity().project_id
        probes = [HeadProbe(url, project) for _ in range(3)]
        assert len({probe.head(5_000) for probe in probes for _ in range(3)}) == 1
        for probe in probes:
            probe.close()


def test_what_others_write_is_asked_for_every_second(database_url: str, tmp_path: Path) -> None:
    with pooler(database_url, "transaction") as url, laptops(tmp_path, url) as new:
        ann = new("ann")
        ann.sync()
        began = time.monotonic()
        with closing(Wake()) as wake:
            assert not ann.remote.wait(wake, 60)
        assert time.monotonic() - began < 5


def test_a_pooler_without_a_free_session_is_logged_as_that(database_url: str, tmp_path: Path) -> None:
    waits = "query_wait_timeout = 1"
    with pooler(database_url, "transaction", size=1, more=waits) as url, laptops(tmp_path, url) as new:
        ann = new("ann")
        ann.sync()
        ann.create(WORK_ITEM, **task())
        with psycopg.connect(url) as other:
            other.execute("SELECT 1")  # its transaction holds the one session
            with pytest.raises(UnavailableError, match="has no connection to it") as logged:
                ann.sync()
        assert logged.value.details["cause"] == CAUSE
        ann.sync()
        assert not ann.local.pending_count()


def test_six_laptops_write_at_once_and_meet_no_statement_of_each_other(tmp_path: Path) -> None:
    with cluster("newest") as server, Cluster(server).database() as direct:
        Cluster(server).execute("ALTER SYSTEM SET log_line_prefix = '[%e] '")
        Cluster(server).execute("SELECT pg_reload_conf()")
        with pooler(direct, "transaction") as url, laptops(tmp_path, url) as new:
            team = [new(f"laptop{number}") for number in range(LAPTOPS)]
            for laptop in team:
                laptop.sync()
            writers = [threading.Thread(target=_write, args=(tmp_path, url, number)) for number in range(LAPTOPS)]
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join()
            until(lambda: _level(team), 30.0)
            assert len(team[0].displayed()["work_items"]) >= LAPTOPS
        log = (Path(str(conninfo_to_dict(direct)["host"])) / "log").read_text(errors="replace")
        assert "[00000]" in log, "the log says nothing, so that nothing could be found in it"
        clashes = [line for line in log.splitlines() if line.startswith(("[26000]", "[42P05]", "[08P01]"))]
        assert clashes == []


def _write(folder: Path, url: str, number: int) -> None:
    """One laptop's writes, with its loop running as it does beside a session."""
    with laptops(folder, url) as new:
        laptop = new(f"laptop{number}")
        loop = laptop.loop()
        loop.start()
        ends = time.monotonic() + WRITING_S
        while time.monotonic() < ends:
            item = laptop.create(WORK_ITEM, **task(f"Task {number}", metadata={}))
            laptop.change(WORK_ITEM, item, title=f"Of laptop {number}")
            loop.wake()
            time.sleep(0.05)  # a person's or an agent's pace, not a wait for anything
        assert loop.request(30.0) is not None, loop.last_error
        loop.stop(1.0)


def _level(team: list[Laptop]) -> bool:
    for laptop in team:
        laptop.sync()
    displayed = [laptop.displayed() for laptop in team]
    return all(one == displayed[0] for one in displayed) and not any(laptop.local.pending_count() for laptop in team)
