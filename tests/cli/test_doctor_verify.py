"""`localfirst doctor --verify`: what was written past the triggers is found, named, and mended for everybody."""

from __future__ import annotations

import uuid
from typing import Any

import apsw
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cli.conftest import NewLaptop, Psql
from cli.shell import Shell

pytestmark = pytest.mark.xdist_group("postgres")


def past_the_triggers(psql: Psql, statement: str, *arguments: object) -> None:
    with psql.transaction():
        psql.execute("SELECT set_config('session_replication_role', 'replica', true)")
        psql.execute(statement.encode(), arguments)


def verify(shell: Shell, *options: str) -> tuple[bool, list[str]]:
    """Whether all is well, and what was said of the comparison."""
    reported = shell.run("doctor", "--verify", *options, "--json").json
    return reported["healthy"], [one["words"] for one in reported["checks"] if one["subject"] == "verify"]


def assert_well(shell: Shell) -> None:
    healthy, words = verify(shell)
    assert (healthy, len(words)) == (True, 2), words


def displayed(shell: Shell, item: str) -> dict[str, Any]:
    shell.ok("sync")
    return dict(shell.json("item", "show", item))


def test_what_is_well_is_said_to_be(ann: Shell, bob: Shell) -> None:
    item = ann.item("Task", "--metadata", '{"estimated_hours": 1.50, "ü": [1, "a\\u0001\\"b"], "b": {"cc": null, "a": true}}')
    ann.ok("vendor", "create", "Alder")
    bob.ok("item", "update", item, "--title", "Changed")
    assert_well(ann)
    assert_well(bob)


def test_an_update_past_the_triggers_is_named_and_reported_to_everybody(ann: Shell, bob: Shell, psql: Psql) -> None:
    item, other = ann.item("As it was"), ann.item("Untouched")
    bob.ok("sync")
    past_the_triggers(psql, "UPDATE localfirst.work_items SET title = 'Past the triggers' WHERE id = %s", item)
    healthy, words = verify(ann)
    assert not healthy
    assert f'PostgreSQL, work_items {item}: title is "Past the triggers", by its history "As it was"' in words
    assert not any(other in line for line in words)
    assert displayed(bob, item)["title"] == "As it was", "without --fix nothing is changed"
    healthy, words = verify(ann, "--fix")
    assert healthy, words
    assert (displayed(bob, item)["title"], displayed(bob, item)["version"]) == ("Past the triggers", 2)
    assert_well(ann)
    assert_well(bob)


def test_a_version_that_is_not_that_of_the_last_change(ann: Shell, bob: Shell, psql: Psql) -> None:
    item = ann.item("Task")
    ann.ok("item", "update", item, "--title", "Second")
    past_the_triggers(psql, "UPDATE localfirst.work_items SET version = 1 WHERE id = %s", item)
    assert any(f"{item}: version is 1, by its history 2" in line for line in verify(ann)[1])
    assert verify(ann, "--fix")[0], verify(ann)
    assert displayed(bob, item)["version"] == 3
    assert_well(ann)


def test_rows_that_came_and_went_past_the_triggers(ann: Shell, bob: Shell, psql: Psql) -> None:
    parent, kept = ann.item("Parent"), ann.item("Kept")
    child = ann.item("Gone", "--parent", parent)
    bob.ok("sync")
    (project,) = psql.execute("SELECT project_id FROM localfirst.project_heads").fetchone() or (None,)
    made = str(uuid.uuid4())
    past_the_triggers(
        psql,
        "INSERT INTO localfirst.work_items (project_id, id, item_type, title, parent_id, path, depth)"
        " VALUES (%s, %s, 'task', 'From a copy', %s, %s, 0)",
        project, made, kept, made,
    )  # fmt: skip
    past_the_triggers(psql, "DELETE FROM localfirst.work_items WHERE id = %s", child)
    words = verify(ann)[1]
    assert any(f"{made}: the history knows nothing of this row" in line for line in words)
    assert any(f"{child}: the history tells of this row, and it is not there" in line for line in words)
    assert any(f"{made}: path is" in line for line in words)
    assert verify(ann, "--fix")[0], verify(ann)
    assert displayed(bob, made)["path"] == f"{kept}/{made}"
    assert displayed(bob, child)["path"] == f"{parent}/{child}"
    assert_well(ann)
    assert_well(bob)


def test_paths_that_are_wrong_are_mended_on_every_replica(laptop: NewLaptop, ann: Shell, psql: Psql) -> None:
    parent = ann.item("Parent")
    child = ann.item("Child", "--parent", parent)
    past_the_triggers(psql, "UPDATE localfirst.work_items SET path = %s, depth = 3 WHERE id = %s", f"nowhere/{child}", child)
    new = laptop("carol")  # is filled with what is wrong
    assert displayed(new, child)["depth"] == 3
    assert any(f"{child}: path is nowhere/{child}, by its parents {parent}/{child}" in line for line in verify(ann)[1])
    assert verify(ann, "--fix")[0], verify(ann)
    assert (displayed(new, child)["path"], displayed(new, child)["depth"]) == (f"{parent}/{child}", 1)
    assert_well(new)


def test_a_circle_has_no_path_and_is_left_to_a_person(ann: Shell, psql: Psql) -> None:
    one = ann.item("One")
    other = ann.item("Other", "--parent", one)
    past_the_triggers(psql, "UPDATE localfirst.work_items SET parent_id = %s WHERE id = %s", other, one)
    words = verify(ann, "--fix")[1]
    assert any("nested deeper than 5 levels, or in a circle" in line for line in words)
    psql.execute("UPDATE localfirst.work_items SET parent_id = NULL WHERE id = %s", (one,))
    assert verify(ann, "--fix")[0], verify(ann)
    assert_well(ann)


def test_what_is_other_in_the_replica_is_fetched_again(ann: Shell, psql: Psql) -> None:
    item = ann.item("As it is")
    ann.ok("vendor", "create", "Alder")
    ann.ok("sync")  # what comes back of an own change would put the row in order by itself
    replica = apsw.Connection(str(ann.replica))
    replica.execute("UPDATE work_items SET title = 'Scribbled over' WHERE id = ?", (item,))
    (gone,) = replica.execute("DELETE FROM vendor_extractors RETURNING id").fetchone() or (None,)
    replica.close()
    healthy, words = verify(ann)
    assert not healthy
    assert f'the replica, work_items {item}: title is "Scribbled over", on the server "As it is"' in words
    assert f"the replica, vendor_extractors {gone}: is missing here" in words
    assert verify(ann, "--fix")[0], verify(ann)
    assert displayed(ann, item)["title"] == "As it is"
    assert [vendor["name"] for vendor in ann.json("vendor", "list")["items"]] == ["Alder"]
    assert_well(ann)


def test_a_role_that_may_only_read_compares_and_mends_nothing(ann: Shell, psql: Psql, database_url: str) -> None:
    item = ann.item("As it was")
    past_the_triggers(psql, "UPDATE localfirst.work_items SET title = 'Past the triggers' WHERE id = %s", item)
    reader = f"reader_{uuid.uuid4().hex[:12]}"
    psql.execute(f"CREATE ROLE {reader} LOGIN PASSWORD 'r'".encode())
    psql.execute(f"GRANT USAGE ON SCHEMA localfirst TO {reader}".encode())
    psql.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA localfirst TO {reader}".encode())
    try:
        url = make_conninfo(database_url, user=reader, password="r")
        reading = Shell(ann.directory, ann.more | {"LOCALFIRST_DATABASE_URL": url})
        healthy, words = verify(reading, "--fix")
        assert not healthy
        assert any(f"{item}: title is" in line for line in words)
        assert any("this user may only read" in line for line in words)
        assert psql.execute("SELECT count(*) FROM localfirst.history WHERE entity_id = %s", (item,)).fetchone() == (1,)
    finally:
        psql.execute(f"DROP OWNED BY {reader}; DROP ROLE {reader}".encode())


FORGED = """
    INSERT INTO localfirst.history (project_id, seq, tag, entity, entity_id, version, at, outcome, fields)
    SELECT project_id, {seq}, 7, 'conflict', gen_random_uuid(), 1, now(), 'accepted', '{{}}' FROM localfirst.project_heads
"""


def test_lines_beyond_the_head_are_named_and_come_behind_the_others(ann: Shell, bob: Shell, psql: Psql) -> None:
    before = ann.item("Before")
    bob.ok("sync")
    psql.execute(FORGED.format(seq="head + 1").encode())
    psql.execute(FORGED.format(seq="9223372036854775807").encode())
    with pytest.raises(psycopg.errors.UniqueViolation):
        psql.execute("INSERT INTO localfirst.vendor_extractors (name) VALUES ('Alder')")
    mine = ann.item("Mine")
    assert "`localfirst doctor --verify --fix` puts them in order" in ann.run("sync").err
    healthy, words = verify(ann)
    assert not healthy
    assert "2 lines of the history have numbers beyond it" in words[0]
    assert "put in order" in verify(ann, "--fix")[1][0]
    psql.execute("INSERT INTO localfirst.vendor_extractors (name) VALUES ('Alder')")
    ann.ok("sync")
    assert [displayed(bob, item)["title"] for item in (before, mine)] == ["Before", "Mine"]
    # Nothing was compared before the numbers were right. The forged lines tell of conflicts that nobody has: they are given up.
    healthy, words = verify(ann)
    assert not healthy
    assert len([line for line in words if "the history tells of this conflict, and it is not there" in line]) == 2
    healthy, words = verify(ann, "--fix")
    assert healthy, words
    assert_well(ann)
    assert_well(bob)
    assert psql.execute("SELECT count(*) = max(seq) FROM localfirst.history").fetchone() == (True,)


@pytest.mark.parametrize("forged", ["head = head + 1000", "head = 9223372036854775807", "tag = tag + 1"])
def test_a_head_without_its_line_names_the_last_one_again(ann: Shell, bob: Shell, psql: Psql, forged: str) -> None:
    before = ann.item("Before")
    bob.ok("sync")
    psql.execute(f"UPDATE localfirst.project_heads SET {forged}".encode())
    healthy, words = verify(bob)  # before anybody writes: the next line that is numbered may be its line
    assert not healthy
    assert "the history has no such line, or with another tag" in words[0]
    verify(bob, "--fix")
    mine = ann.item("Mine")
    assert [displayed(one, item)["title"] for one in (ann, bob) for item in (before, mine)] == ["Before", "Mine"] * 2
    assert_well(ann)
    assert_well(bob)


def test_without_a_server_there_is_nothing_to_compare(shell: Shell) -> None:
    shell.item("Task")
    assert verify(shell) == (True, ["no server is configured: there is nothing to compare the replica with"])
    assert shell.error("doctor", "--fix")["error"] == "ValidationError"
