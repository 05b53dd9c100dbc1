"""`localfirst doctor --verify`: conflicts, the replica's history, and numbers that the log lacks."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import apsw
import pytest
from psycopg.conninfo import make_conninfo

from cli.conftest import NewLaptop, Psql
from cli.shell import Shell

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def scribble(ann: Shell) -> Iterator[apsw.Connection]:
    """Another program that writes into ann's file, made once the replica is there."""
    ann.ok("sync")
    connection = apsw.Connection(str(ann.replica))
    yield connection
    connection.close()


def verify(shell: Shell, *options: str) -> tuple[bool, list[str]]:
    """Whether all is well, and what was said of the comparison."""
    reported = shell.run("doctor", "--verify", *options, "--json").json
    verified = [one for one in reported["checks"] if one["subject"] == "verify"]
    return not any(one["level"] == "broken" for one in verified), [one["words"] for one in verified]


def assert_well(*shells: Shell) -> None:
    for shell in shells:
        healthy, words = verify(shell)
        assert (healthy, len(words)) == (True, 2), words


def mends(shell: Shell) -> list[str]:
    healthy, words = verify(shell, "--fix")
    assert healthy, words
    return words


def history(shell: Shell, item: str) -> list[tuple[Any, ...]]:
    """What the replica tells of an item, oldest first."""
    shell.ok("sync")
    changes = shell.json("item", "history", item)["changes"]
    reported = [(one["version"], one["outcome"], one["by"], json.dumps(one["fields"], sort_keys=True)) for one in changes]
    return sorted(reported)


def lines(replica: apsw.Connection) -> list[tuple[Any, ...]]:
    """What a replica's history holds, in one order and form."""
    found = replica.execute("SELECT entity, entity_id, version, by, at, outcome, fields FROM history").fetchall()
    return sorted((*values, json.dumps(json.loads(str(fields)), sort_keys=True)) for *values, fields in found)


def numbers_are_whole(psql: Psql) -> bool:
    found = psql.execute("SELECT count(*) = max(seq) AND max(seq) = (SELECT head FROM localfirst.project_heads)"
                         " FROM localfirst.history").fetchone()  # fmt: skip
    return found == (True,)


def a_conflict(ann: Shell, bob: Shell, title: str = "As it was") -> tuple[str, str]:
    """An item of which both have another title, and the conflict; bob's stands."""
    item = ann.item(title)
    bob.ok("sync")
    away = {"LOCALFIRST_DATABASE_URL": ""}
    offline = Shell(ann.directory, {name: value for name, value in ann.more.items() if name not in away})
    offline.ok("item", "update", item, "--title", "By ann")
    bob.ok("item", "update", item, "--title", "By bob")
    for one in (ann, bob):
        one.ok("sync")
    (conflict,) = [one for one in ann.json("conflicts", "list")["conflicts"] if one["id"] == item]
    return item, str(conflict["conflict_id"])


def conflicts(shell: Shell) -> list[str]:
    shell.ok("sync")
    return [one["conflict_id"] for one in shell.json("conflicts", "list")["conflicts"]]


def test_a_conflict_that_was_deleted_by_hand_comes_back_from_a_replica(
    ann: Shell, bob: Shell, psql: Psql, laptop: NewLaptop
) -> None:
    item, conflict = a_conflict(ann, bob)
    assert_well(ann, bob)
    psql.execute("DELETE FROM localfirst.conflicts WHERE id = %s", (conflict,))
    healthy, words = verify(ann)
    assert not healthy
    assert f"PostgreSQL, conflicts {conflict}: the history tells of this conflict, and it is not there" in words
    assert any(f"conflicts {conflict}: the server has no such conflict" in line for line in words)
    new = laptop("carol")
    assert conflicts(new) == []
    mends(ann)
    assert conflicts(new) == conflicts(bob) == conflicts(ann) == [conflict]
    displayed = new.json("conflicts", "show", conflict)
    assert (displayed["mine"], displayed["theirs"]) == ({"title": "By ann"}, {"title": "By bob"})
    assert_well(ann, bob, new)
    new.ok("conflicts", "resolve", conflict, "mine")
    assert conflicts(bob) == []
    bob.ok("sync")
    assert bob.json("item", "show", item)["title"] == "By ann"


def test_of_a_conflict_that_nobody_has_any_more_the_log_says_so(ann: Shell, bob: Shell, psql: Psql) -> None:
    _, conflict = a_conflict(ann, bob)
    psql.execute("DELETE FROM localfirst.conflicts WHERE id = %s", (conflict,))
    with apsw.Connection(str(ann.replica)) as replica:
        replica.execute("DELETE FROM conflicts")
    mends(ann)
    assert_well(ann)
    healthy, words = verify(bob)
    assert not healthy, "bob has it still"
    assert any(f"conflicts {conflict}: the server has no such conflict" in line for line in words)
    mends(bob)
    assert conflicts(ann) == conflicts(bob) == [conflict]
    assert_well(ann, bob)


def test_a_conflict_that_somebody_settled_by_hand_is_reported_to_everybody(ann: Shell, bob: Shell, psql: Psql) -> None:
    _, conflict = a_conflict(ann, bob)
    settle = "UPDATE localfirst.conflicts SET resolved_at = now(), resolved_by = 'psql', resolution = 'theirs' WHERE id = %s"
    psql.execute(settle, (conflict,))
    assert conflicts(bob) == [conflict], "nobody was informed"
    healthy, words = verify(ann)
    assert not healthy
    assert f"PostgreSQL, conflicts {conflict}: is settled, by its history open" in words
    mends(ann)
    assert conflicts(ann) == conflicts(bob) == []
    assert_well(ann, bob)
    psql.execute("UPDATE localfirst.conflicts SET resolved_at = NULL, resolved_by = NULL, resolution = NULL")
    assert f"PostgreSQL, conflicts {conflict}: is open, by its history settled" in verify(ann)[1]
    mends(ann)
    assert conflicts(ann) == conflicts(bob) == [conflict]
    assert_well(ann, bob)


def test_a_conflict_that_came_past_the_log_reaches_everybody(ann: Shell, bob: Shell, psql: Psql) -> None:
    _, conflict = a_conflict(ann, bob)
    psql.execute(
        "INSERT INTO localfirst.conflicts SELECT project_id, gen_random_uuid(), entity, entity_id, fields, base, mine, theirs,"
        " base_version, my_version, their_version, my_by, their_by, reason, act_id, replica_id, created_at"
        " FROM localfirst.conflicts"
    )
    (copied,) = psql.execute("SELECT id::text FROM localfirst.conflicts WHERE id <> %s", (conflict,)).fetchone() or (None,)
    assert f"PostgreSQL, conflicts {copied}: the history knows nothing of this conflict" in verify(ann)[1]
    mends(ann)
    assert set(conflicts(bob)) == {conflict, copied}
    assert_well(ann, bob)


def test_a_conflict_that_is_other_in_the_replica_is_fetched_again(ann: Shell, bob: Shell, scribble: apsw.Connection) -> None:
    _, one = a_conflict(ann, bob)
    _, other = a_conflict(ann, bob, "Another")
    scribble.execute('UPDATE conflicts SET mine = \'{"title": "Scribbled over"}\' WHERE id = ?', (one,))
    scribble.execute("DELETE FROM conflicts WHERE id = ?", (other,))
    healthy, words = verify(ann)
    assert not healthy
    assert any(line.startswith(f"the replica, conflicts {one}: mine is ") for line in words), words
    assert f"the replica, conflicts {other}: is missing here" in words
    mends(ann)
    assert ann.json("conflicts", "show", one)["mine"] == {"title": "By ann"}
    assert set(conflicts(ann)) == {one, other}
    assert_well(ann, bob)


SCRIBBLED = {
    "edited": 'UPDATE history SET fields = \'{"title": {"old": "x", "new": "y"}}\' WHERE entity_id = ? AND version = 2',
    "by another": "UPDATE history SET by = 'nobody' WHERE entity_id = ? AND version = 2",
    "at another version": "UPDATE history SET version = 7 WHERE entity_id = ? AND version = 2",
    "of another outcome": "UPDATE history SET outcome = 'lost' WHERE entity_id = ? AND version = 2",
    "gone": "DELETE FROM history WHERE entity_id = ? AND version = 2",
    "gone, all of it": "DELETE FROM history WHERE entity_id = ?",
    "reported twice": "INSERT INTO history (entity, entity_id, version, by, at, outcome, fields)"
    " SELECT entity, entity_id, version, by, at, outcome, fields FROM history WHERE entity_id = ? AND version = 2",
    "invented": "INSERT INTO history (entity, entity_id, version, by, at, outcome, fields)"
    " SELECT entity, entity_id, 9, 'nobody', at, outcome, fields FROM history WHERE entity_id = ? AND version = 2",
}


def test_a_history_that_is_other_in_the_replica_is_written_as_on_the_server(
    ann: Shell, bob: Shell, psql: Psql, scribble: apsw.Connection
) -> None:
    items = {name: ann.item(name, "--metadata", '{"estimated_hours": 1.50}') for name in SCRIBBLED}
    psql.execute("UPDATE localfirst.work_items SET title = title || '.'")
    ann.item("Untouched")
    bob.ok("sync")
    ann.ok("sync")
    right, reported = lines(scribble), psql.execute("SELECT * FROM localfirst.history ORDER BY seq").fetchall()
    assert_well(ann)
    for name, item in items.items():
        before = lines(scribble)
        scribble.execute(SCRIBBLED[name], (item,))
        assert lines(scribble) != before, name
    healthy, words = verify(ann)
    assert not healthy
    named = [line for line in words if line.startswith("the replica, history of work_item ")]
    assert sorted(line.split()[5].rstrip(":") for line in named) == sorted(items.values())
    mends(ann)
    assert lines(scribble) == right
    assert psql.execute("SELECT * FROM localfirst.history ORDER BY seq").fetchall() == reported, "only the replica was wrong"
    assert_well(ann, bob)


def test_what_waits_is_not_held_against_the_history(ann: Shell, bob: Shell, psql: Psql, database_url: str) -> None:
    item = ann.item("First")
    offline = Shell(ann.directory, {name: value for name, value in ann.more.items() if name != "LOCALFIRST_DATABASE_URL"})
    offline.ok("item", "update", item, "--title", "Second")
    reader = f"reader_{uuid.uuid4().hex[:12]}"
    psql.execute(f"CREATE ROLE {reader} LOGIN".encode())
    psql.execute("SELECT localfirst.grant_role(%s, 'reader')", (reader,))
    try:
        url = make_conninfo(database_url, user=reader)
        healthy, words = verify(Shell(ann.directory, ann.more | {"LOCALFIRST_DATABASE_URL": url}))
        assert (healthy, len(words)) == (True, 2), words
    finally:
        psql.execute(f"DROP OWNED BY {reader}; DROP ROLE {reader}".encode())
    assert_well(ann)
    assert history(ann, item) == history(bob, item)


def test_a_gap_is_filled_with_what_a_replica_knows(ann: Shell, bob: Shell, psql: Psql, laptop: NewLaptop) -> None:
    item = ann.item("First")
    bob.ok("sync")
    ann.ok("item", "update", item, "--title", "Second")
    right = history(ann, item)
    other = ann.item("Behind the gap")
    # Before bob has read it: he passes the gap, and does not know of the change.
    psql.execute("DELETE FROM localfirst.history WHERE entity_id = %s AND version = 2", (item,))
    assert not numbers_are_whole(psql)
    bob.ok("sync")
    assert bob.json("item", "show", item)["title"] == "First"
    assert bob.json("item", "show", other)["title"] == "Behind the gap"
    healthy, words = verify(ann)
    assert not healthy
    assert "the log lacks number" in words[0]
    words = mends(ann)
    assert "filled, 1 line from this replica" in words[0]
    assert numbers_are_whole(psql)
    bob.ok("sync")
    assert bob.json("item", "show", item)["title"] == "Second"
    assert [one for one in history(ann, item) if one[2] != "localfirst doctor"] == right
    mends(bob)  # he has the row, and fetches the line that he has passed
    assert history(bob, item) == history(ann, item) == history(laptop("carol"), item)
    assert_well(ann, bob)


def test_a_gap_of_which_nobody_knows_is_filled_with_lines_that_say_nothing(ann: Shell, bob: Shell, psql: Psql) -> None:
    item = ann.item("First")
    ann.ok("item", "update", item, "--title", "Second")
    ann.ok("item", "update", item, "--title", "Third")
    bob.ok("sync")
    right = history(bob, item)
    psql.execute("DELETE FROM localfirst.history WHERE entity_id = %s AND version = 2", (item,))
    with apsw.Connection(str(ann.replica)) as replica:
        replica.execute("DELETE FROM history WHERE version = 2")
    assert "the log lacks number" in verify(ann)[1][0]
    assert "filled, 0 lines from this replica" in mends(ann)[0]
    assert numbers_are_whole(psql)
    assert_well(ann)
    healthy, words = verify(bob)
    assert not healthy, "bob knows what stood there"
    assert any(line.startswith(f"the replica, history of work_item {item}: only here version 2") for line in words), words
    mends(bob)
    assert numbers_are_whole(psql)
    mends(ann)
    assert [one for one in history(ann, item) if one[2] != "localfirst doctor"] == right
    assert history(ann, item) == history(bob, item)
    assert_well(ann, bob)
