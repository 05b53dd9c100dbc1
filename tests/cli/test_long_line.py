"""Commands over a long line: what they write arrives, what they read is the server's, and the doctor has no complaint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest
from line import Line

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
