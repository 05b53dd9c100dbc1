"""A day at the command line, beside the server and at the end of a long line: what is typed there is the same."""

from __future__ import annotations

import pytest

from cli.conftest import NewLaptop, Psql
from cli.shell import Shell

pytestmark = [pytest.mark.xdist_group("postgres"), pytest.mark.lines]

ITEMS = 3_000


def away(shell: Shell) -> Shell:
    """The same laptop without its server."""
    return Shell(shell.directory, {**shell.more, "LOCALFIRST_DATABASE_URL": "postgresql://127.0.0.1:1/board"})


def test_a_day_at_the_command_line(laptop: NewLaptop, psql: Psql) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    item = ann.item("The portal")
    psql.execute(
        "INSERT INTO localfirst.work_items (item_type, title) SELECT 'task', 'item ' || n FROM generate_series(1, %s) AS n",
        (ITEMS,),
    )
    # A first fill of a few thousand rows, and what another has just made.
    listed = bob.json("item", "list", "--limit", "1")
    assert (listed["total_count"], listed["data_source"]) == (ITEMS + 1, "postgresql")
    assert bob.json("item", "update", item, "--title", "Bob's portal")["version"] == 2
    # A version that is not the present one any more; without one, the present one is meant.
    assert ann.json("item", "show", item)["version"] == 2
    refused = ann.error("item", "update", item, "--version", "1", "--title", "Ann's portal")
    assert (refused["error"], refused["details"]["actual_version"]) == ("VersionMismatchError", 2)
    assert ann.json("item", "update", item, "--status", "blocked")["version"] == 3
    # A conflict, from its beginning to its end.
    bob.ok("sync")
    away(ann).ok("item", "update", item, "--title", "Ann's portal")
    bob.ok("item", "update", item, "--title", "The portal of all")
    ann.ok("sync")
    (conflict,) = bob.json("conflicts", "list")["conflicts"]
    assert (conflict["mine"], conflict["theirs"]) == ({"title": "Ann's portal"}, {"title": "The portal of all"})
    bob.ok("conflicts", "resolve", conflict["conflict_id"], "mine")
    assert ann.json("item", "show", item)["title"] == "Ann's portal"
    assert ann.json("conflicts", "list")["conflicts"] == []
    for one in (ann, bob):
        assert one.json("sync")["pushed"] == 0
        checked = one.json("doctor")
        assert checked["healthy"], checked
