"""Commands over a long line: what they write arrives, what they read is the server's, and the doctor has no complaint."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from cluster import cluster
from line import Line
from psycopg.conninfo import make_conninfo

from cli.shell import Shell

LINES = pytest.mark.parametrize(("trip_s", "tls"), [(0.06, False), (0.15, True)], ids=["60 ms", "150 ms with TLS"])

NewLaptop = Callable[[str, Line], Shell]


@pytest.fixture
def laptop(tmp_path: Path) -> NewLaptop:
    def make(name: str, line: Line) -> Shell:
        more = {"LOCALFIRST_PROJECT": "team/far", "LOCALFIRST_DATABASE_URL": line.url, "LOCALFIRST_CLIENT": name}
        directory = tmp_path / name
        directory.mkdir()
        return Shell(directory, more)

    return make


@pytest.fixture
def new_line(database_url: str) -> Iterator[Callable[..., Line]]:
    with ExitStack() as stack:
        yield lambda **how: stack.enter_context(closing(Line(database_url, **how)))


@LINES
def test_five_of_five_creations_arrive_and_another_laptop_lists_them(
    laptop: NewLaptop, new_line: Callable[..., Line], database_url: str, trip_s: float, tls: bool
) -> None:
    ann = laptop("ann", new_line(trip_s=trip_s, tls=tls))
    for number in range(5):
        done = ann.ok("item", "create", f"Number {number}")
        assert "kept here" not in done.err
        with psycopg.connect(database_url) as server:
            found = server.execute("SELECT count(*) FROM localfirst.work_items").fetchone()
        assert found == (number + 1,), "it is there when the command has ended"
    bob = laptop("bob", new_line(trip_s=trip_s, tls=tls))
    listed = bob.json("item", "list")
    assert (listed["total_count"], listed["data_source"]) == (5, "postgresql")
    assert bob.json("sync", "--status")["online"] is True
    doctor = bob.ok("doctor")
    assert "answers" in doctor.out
    assert "cannot be used" not in doctor.out


def test_a_command_that_waits_for_its_push_says_so_after_a_second(
    laptop: NewLaptop, new_line: Callable[..., Line], database_url: str
) -> None:
    line = new_line()
    ann = laptop("ann", line)
    ann.ok("item", "create", "First")
    line.trip_s = 0.5
    done = ann.ok("item", "create", "Second")
    assert "Sending 1 change to the server" in done.err
    assert "kept here" not in done.err
    with psycopg.connect(database_url) as server:
        assert server.execute("SELECT count(*) FROM localfirst.work_items").fetchone() == (2,)


TABLE = Path(__file__).parents[2] / "docs" / "protocol.md"
MOST = {"list": 7, "list, with something new": 7, "creation, its change sent": 8}
"""Whoever types a command waits for it: no more than so many, three of SCRAM's among them."""


def trips_in_docs() -> dict[str, int]:
    """The table of commands: by command, its trips."""
    text = TABLE.read_text(encoding="utf-8").split("| command | trips |")[1].split("\n\n")[0]
    return {name: int(number) for name, number in re.findall(r"^\| ([^|]+?) \| (\d+)", text, re.MULTILINE)}


@contextmanager
def server_with_a_password() -> Iterator[str]:
    """A PostgreSQL of its own that asks everybody but its superuser for a password, by SCRAM."""
    with cluster("newest") as url:
        with psycopg.connect(url, autocommit=True) as session:
            session.execute("CREATE ROLE ann LOGIN SUPERUSER PASSWORD 'right'")
            [(hba,)] = session.execute("SHOW hba_file").fetchall()
            Path(str(hba)).write_text("local all ann scram-sha-256\nlocal all all trust\n")
            session.execute("SELECT pg_reload_conf()")
        yield make_conninfo(url, user="ann", password="right")


def test_a_creation_and_a_list_take_the_trips_that_the_table_says(laptop: NewLaptop) -> None:
    said = trips_in_docs()
    assert said.keys() == MOST.keys()
    assert all(said[name] <= most for name, most in MOST.items())
    with server_with_a_password() as url, closing(Line(url, trip_s=0.05)) as line:
        ann, bob = laptop("ann", line), laptop("bob", line)
        ann.ok("item", "create", "First")
        for one in (ann, bob):
            one.ok("item", "list")  # the first fill

        with line.counted() as created:
            assert ann.ok("item", "create", "Second").err == ""
        assert created.trips == said["creation, its change sent"]
        with line.counted() as listed:
            assert bob.json("item", "list")["total_count"] == 2
        assert listed.trips == said["list, with something new"]
        with line.counted() as listed:
            assert bob.json("item", "list")["data_source"] == "postgresql"
        assert listed.trips == said["list"]
