"""`localfirst sync` and `localfirst conflicts`, with a real PostgreSQL, and without any."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import apsw
import pytest

from cli.conftest import NewLaptop
from cli.shell import Shell

pytestmark = [pytest.mark.xdist_group("postgres"), pytest.mark.lines]


def _offline(shell: Shell) -> Shell:
    return Shell(shell.directory, {**shell.more, "LOCALFIRST_DATABASE_URL": "postgresql://127.0.0.1:1/board"})


def test_without_a_server_sync_says_how_to_have_one(shell: Shell) -> None:
    assert "LOCALFIRST_DATABASE_URL" in shell.run("sync").err
    assert shell.error("sync")["error"] == "UnavailableError"
    assert shell.error("sync", "--watch")["error"] == "UnavailableError"
    assert "stays on this machine" in shell.ok("sync", "--status").out


def test_what_cannot_be_sent_is_kept_and_reported(laptop: NewLaptop) -> None:
    ann = laptop("ann")
    done = _offline(ann).ok("item", "create", "Offline")
    away = "Note: the server does not answer.\n"  # where that was known before the command ended
    assert done.err.removeprefix(away) == "1 change is kept here and will be sent when the server answers.\n"
    assert "Note: the server does not answer" in _offline(ann).ok("item", "list").err
    assert "Nothing answers at PostgreSQL's address. Changes are kept" in _offline(ann).run("sync").err
    status = _offline(ann).json("sync", "--status")
    assert (status["online"], status["pending_mutations"]) == (False, 1)


def test_a_round_tells_what_this_command_sent(laptop: NewLaptop) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    for title in ("One", "Two"):
        _offline(ann).ok("item", "create", title)
    assert ann.json("sync")["pushed"] == 2
    assert ann.ok("sync").out.startswith("In step with the server: 0 sent")
    assert {item["title"] for item in bob.json("item", "list")["items"]} == {"One", "Two"}
    assert "✓ server" in bob.ok("doctor").out


def test_a_write_is_sent_before_the_command_ends(laptop: NewLaptop, trip_s: float) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    said = ann.ok("item", "create", "At once").err
    waited = "Sending 1 change to the server …\n"  # after a second, which a first command takes at the end of a long line
    assert said.removeprefix(waited if trip_s else "") == ""
    assert [item["title"] for item in bob.json("item", "list")["items"]] == ["At once"]


def test_an_id_that_only_the_server_knows_is_found_by_its_beginning(laptop: NewLaptop) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    item = ann.item("Elsewhere")
    assert bob.json("item", "update", item[:20], "--title", "Seen")["version"] == 2


def test_a_conflict_is_displayed_side_by_side(laptop: NewLaptop) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    item = ann.item("Title")
    bob.ok("sync")
    _offline(ann).ok("item", "update", item, "--title", "Ann's")
    _offline(bob).ok("item", "update", item, "--title", "Bob's")
    ann.ok("sync")
    assert "1 new conflict is open" in bob.ok("sync").err
    listed = bob.ok("conflicts", "list")
    assert "title" in listed.out
    conflict = bob.json("conflicts", "list")["conflicts"][0]
    displayed = bob.ok("conflicts", "show", conflict["conflict_id"][:13]).out
    row = next(line for line in displayed.splitlines() if line.startswith("title"))
    assert row.split() == ["title", "Title", "Bob's", "Ann's"]
    assert bob.json("conflicts", "show", conflict["conflict_id"])["mine"] == conflict["mine"]
    assert "! conflicts" in bob.ok("doctor").out
    assert bob.error("conflicts", "show", "000000")["error"] == "NotFoundError"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_service_tells_each_round_and_stops_cleanly(laptop: NewLaptop, how: signal.Signals) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    service = bob.start("sync", "--watch", "--json")
    assert service.stdout is not None
    assert _next_line(service.stdout)["event"] == "watching"
    ann.item("News")
    reported = _next_line(service.stdout)
    replica = apsw.Connection(str(bob.replica), flags=apsw.SQLITE_OPEN_READONLY)
    # What a line tells is in the replica by then; the first one may tell of what was there before the news.
    while reported["event"] != "round" or not replica.execute("SELECT count(*) FROM work_items WHERE title = 'News'").get:
        reported = _next_line(service.stdout)
    assert reported["pulled"]
    replica.close()
    service.send_signal(how)
    began = time.monotonic()
    out, err = service.communicate(timeout=10)
    assert (service.returncode, err) == (0, "")
    assert time.monotonic() - began < 5
    assert json.loads(out.splitlines()[-1])["event"] == "stopped"


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_the_service_ends_when_nobody_reads_its_lines_any_more(laptop: NewLaptop, json: tuple[str, ...]) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    service = bob.start("sync", "--watch", *json)
    assert service.stdout is not None
    assert service.stdout.readline()
    service.stdout.close()
    ann.item("News")  # a round for the service to tell of
    try:
        assert service.wait(timeout=10) == 1
    finally:
        service.kill()
    assert service.stderr is not None
    with service.stderr as said:
        assert said.read() == ""


def test_the_service_ends_without_its_reader_though_there_is_nothing_to_tell(laptop: NewLaptop) -> None:
    ann = laptop("ann")
    ann.ok("sync")
    service = ann.start("sync", "--watch")
    assert service.stdout is not None
    assert "keeps" in service.stdout.readline()
    service.stdout.close()
    try:
        assert service.wait(timeout=10) == 1
    finally:
        service.kill()
    assert service.stderr is not None
    with service.stderr as said:
        assert said.read() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that takes nothing")
def test_the_service_says_that_its_lines_cannot_be_written(laptop: NewLaptop) -> None:
    with Path("/dev/full").open("w") as full:
        service = laptop("ann").start("sync", "--watch", stdout=full)
        _, said = service.communicate(timeout=20)
    assert service.returncode == 1
    assert "standard output cannot be written" in said


def test_the_service_waits_for_a_server_that_is_away(laptop: NewLaptop) -> None:
    service = _offline(laptop("ann")).start("sync", "--watch", "--json")
    assert service.stdout is not None
    assert [_next_line(service.stdout)["event"] for _ in range(2)] == ["watching", "waiting"]
    service.send_signal(signal.SIGTERM)
    service.communicate(timeout=10)
    assert service.returncode == 0


def _next_line(stream: Any) -> dict[str, Any]:
    line = stream.readline()
    assert line, "the service has ended"
    return dict(json.loads(line))
