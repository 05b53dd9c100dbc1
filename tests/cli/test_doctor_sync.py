"""`localfirst doctor` says what keeps changes from the server: which change, and why."""

from __future__ import annotations

from typing import Any

import apsw
import psycopg
import pytest

from cli.shell import Shell


@pytest.fixture
def team(shell: Shell, database_url: str) -> Shell:
    """A shell whose project has a server."""
    shell.more |= {"LOCALFIRST_DATABASE_URL": database_url, "LOCALFIRST_PROJECT": "team/board"}
    return shell


def finding(shell: Shell, subject: str) -> dict[str, Any]:
    """The doctor's only line about a subject."""
    (found,) = [one for one in shell.run("doctor", "--json").json["checks"] if one["subject"] == subject]
    return dict(found)


def write_to_replica(shell: Shell, statement: str) -> None:
    """Changes the replica past the program."""
    connection = apsw.Connection(str(shell.replica))
    connection.execute(statement)
    connection.close()


def test_a_change_that_is_stuck_is_named_with_the_reason(team: Shell, database_url: str) -> None:
    item = team.item("Held up")
    team.ok("sync")
    with psycopg.connect(database_url) as psql:
        psql.execute("SELECT FROM localfirst.work_items FOR UPDATE")
        team.ok("item", "update", item, "--title", "Waits")
        assert finding(team, "sync")["level"] == "ok", "it has just been made"
        long_ago = "UPDATE history SET at = '2026-01-01T00:00:00.000000Z'"
        write_to_replica(team, f"{long_ago} WHERE history_id IN (SELECT history_id FROM outbox)")
        stuck = finding(team, "sync")
    assert stuck["level"] == "broken"
    assert f"work_item {item}" in stuck["words"]
    assert "Somebody holds rows" in stuck["words"]


def test_a_first_fill_under_way_is_reported(team: Shell) -> None:
    team.item("Task")
    team.ok("sync")
    write_to_replica(team, "UPDATE replica SET text_from = 1")
    reported = finding(team, "search")
    assert (reported["level"], "not indexed yet" in reported["words"]) == ("warning", True)
