"""What a server without constraints let through: it is set aside, and everybody else's changes arrive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from localfirst_schema import limits
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.errors import InvalidStateError
from localfirst_sync import sieve
from localfirst_sync.postgres.connection import Connection, connect
from sync_laptop import Laptop, NewLaptop, laptops
from sync_looking import head

from localfirst.replica import set_aside
from localfirst.replica.rows import find

UNCONSTRAINED = """
    DO $$
    DECLARE c record;
    BEGIN
        FOR c IN SELECT conrelid::regclass AS tab, conname FROM pg_constraint
            WHERE connamespace = 'localfirst'::regnamespace AND contype = 'c'
        LOOP
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.tab, c.conname);
        END LOOP;
    END $$
"""
"""A server as it was before its constraints."""

INSERT = "INSERT INTO localfirst.work_items (item_type, title, {column}) VALUES ('task', 'odd', {value}) RETURNING id::text"

ODD_ROWS = {
    "created at no time": ("created_at", "'infinity'"),
    "created before everything": ("created_at", "'-infinity'"),
    "created before our era": ("created_at", "'0044-03-15 BC'"),
    "created after the year 9999": ("created_at", "'10000-01-01'"),
    "archived at no time": ("archived_at", "'infinity'"),
    "a number of too many digits": ("metadata", "('{\"n\": ' || repeat('9', 4301) || '}')::jsonb"),
    "a number that no double holds": ("metadata", "('{\"n\": ' || repeat('9', 400) || '.5}')::jsonb"),
    "nested too deep": ("metadata", "('{\"a\": ' || repeat('[', 1000) || repeat(']', 1000) || '}')::jsonb"),
    "far too large": ("metadata", "jsonb_build_object('text', repeat('x', 60000000))"),
    "no object": ("metadata", "'[]'"),
    "another status": ("status", "'paused'"),
}


@pytest.fixture
def lax(server: Connection, database_url: str) -> Iterator[Connection]:
    """Somebody's psql on a server without constraints."""
    connection = connect(database_url)
    connection.execute(UNCONSTRAINED)
    yield connection
    connection.close()


@pytest.fixture
def laptop(tmp_path: Path, database_url: str) -> Iterator[NewLaptop]:
    with laptops(tmp_path, database_url) as new:
        yield new


def odd_row(server: Connection, column: str, value: str) -> str:
    found = server.execute(INSERT.format(column=column, value=value).encode()).fetchone()
    assert found is not None
    return str(found[0])


def good_row(server: Connection, title: str = "good") -> str:
    found = server.execute(
        "INSERT INTO localfirst.work_items (item_type, title) VALUES ('task', %s) RETURNING id::text", (title,)
    ).fetchone()
    assert found is not None
    return str(found[0])


def aside(laptop: Laptop) -> list[tuple[str, str, str]]:
    """(kind, table, id) of all that is set aside."""
    return [(str(k), str(t), str(i)) for k, t, i in laptop.replica.execute("SELECT kind, table_name, id FROM set_aside")]


def title(laptop: Laptop, row_id: str) -> Any:
    row = find(laptop.replica, WORK_ITEM, row_id)
    return row and row["title"]


def assert_level(laptop: Laptop, server: Connection) -> None:
    laptop.sync()
    assert laptop.local.cursor() == head(server)
    assert laptop.local.pending_count() == 0


@pytest.mark.parametrize("what", ODD_ROWS)
def test_an_odd_row_is_set_aside_and_everything_else_goes_on(lax: Connection, laptop: NewLaptop, what: str) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    ann.sync()
    odd = odd_row(lax, *ODD_ROWS[what])
    later = good_row(lax)
    mine = ann.create(WORK_ITEM, item_type="task", title="mine", status="active", metadata={})
    for one in (ann, bob, laptop("carl")):  # one that works, one that begins, one that comes later
        assert_level(one, lax)
        assert ("row", "work_items", odd) in aside(one)
        assert (title(one, odd), title(one, later), title(one, mine)) == (None, "good", "mine")
    logged = set_aside.summary(ann.replica)
    assert logged["count"] >= 1
    assert any(one["id"] == odd and ODD_ROWS[what][0] in one["reason"] for one in logged["first"])


def test_a_large_value_does_not_travel(lax: Connection, laptop: NewLaptop) -> None:
    ann = laptop("ann")
    ann.sync()
    odd_row(lax, *ODD_ROWS["far too large"])
    assert_level(ann, lax)
    (raw,) = ann.replica.execute("SELECT raw FROM set_aside WHERE kind = 'row'").fetchall()[0]
    assert len(str(raw)) < 1000
    assert "too large: 600" in str(raw)


def test_what_is_mended_comes_back(lax: Connection, laptop: NewLaptop) -> None:
    ann = laptop("ann")
    odd = odd_row(lax, "metadata", "'[]'")
    assert_level(ann, lax)
    assert title(ann, odd) is None
    lax.execute("UPDATE localfirst.work_items SET metadata = '{}' WHERE id = %s", (odd,))
    assert_level(ann, lax)
    assert (title(ann, odd), aside(ann)) == ("odd", [])


def test_a_row_that_became_odd_is_displayed_as_it_was_and_cannot_be_changed_here(lax: Connection, laptop: NewLaptop) -> None:
    ann = laptop("ann")
    item = good_row(lax)
    assert_level(ann, lax)
    lax.execute("UPDATE localfirst.work_items SET title = 'newer', metadata = '[]' WHERE id = %s", (item,))
    assert_level(ann, lax)
    assert title(ann, item) == "good"
    with pytest.raises(InvalidStateError, match=f"{item}.*metadata is no JSON object"):
        ann.change(WORK_ITEM, item, title="mine")
    lax.execute("UPDATE localfirst.work_items SET metadata = '{}' WHERE id = %s", (item,))
    assert_level(ann, lax)
    ann.change(WORK_ITEM, item, title="mine")
    assert_level(ann, lax)
    assert lax.execute("SELECT title FROM localfirst.work_items").fetchall() == [("mine",)]


@pytest.mark.parametrize("what", ["far too large", "nested too deep", "a number of too many digits", "no object"])
def test_a_change_that_waits_when_its_row_becomes_odd_is_kept_in_a_conflict(
    lax: Connection, laptop: NewLaptop, what: str
) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    item = good_row(lax)
    assert_level(ann, lax)
    ann.change(WORK_ITEM, item, title="mine", metadata={"mine": 1})
    behind = ann.create(WORK_ITEM, item_type="task", title="behind", status="active", metadata={})
    column, value = ODD_ROWS[what]
    lax.execute(f"UPDATE localfirst.work_items SET {column} = {value}".encode())
    assert_level(ann, lax)
    assert_level(bob, lax)
    assert title(bob, behind) == "behind"
    assert ann.replica.execute("SELECT reason FROM conflicts").fetchall() == [("set_aside",)]
    assert ("row", "work_items", item) in aside(ann)
    lax.execute("UPDATE localfirst.work_items SET metadata = '{}' WHERE id = %s", (item,))
    assert_level(bob, lax)
    assert title(bob, item) == "good"
    assert bob.replica.execute("SELECT mine ->> 'title' FROM conflicts").fetchall() == [("mine",)]


LINE = """
    WITH moved AS (UPDATE localfirst.project_heads SET head = head + 1, tag = 7 RETURNING project_id, head)
    INSERT INTO localfirst.history (project_id, seq, tag, entity, entity_id, version, by, at, outcome, fields)
    SELECT project_id, head, 7, {entity}, coalesce({id}, gen_random_uuid()), {version}, {by}, {at}, {outcome}, {fields}
    FROM moved
"""
_LINE = {
    "entity": "'work_item'", "id": "NULL::uuid", "version": "1", "by": "'eve'", "at": "now()", "outcome": "'accepted'",
    "fields": "'{}'::jsonb",
}  # fmt: skip
ODD_LINES: dict[str, dict[str, str]] = {
    "an unknown entity": {"entity": "'wish'"},
    "an entity of megabytes": {"entity": "repeat('x', 5000000)"},
    "fields that are no object": {"fields": "'[1]'::jsonb"},
    "fields whose sides are no objects": {"fields": "'{\"title\": 5}'::jsonb"},
    "fields of megabytes": {
        "fields": "jsonb_build_object('title', jsonb_build_object('old', NULL, 'new', repeat('x', 60000000)))"
    },
    "a version near the end": {"version": "9223372036854775807"},
    "a version before the first": {"version": "-5"},
    "no time": {"at": "'infinity'::timestamptz"},
    "an author of megabytes": {"by": "repeat('x', 5000000)"},
    "an unknown outcome": {"outcome": "'perhaps'"},
}


@pytest.mark.parametrize("what", ODD_LINES)
def test_a_forged_line_is_set_aside(lax: Connection, laptop: NewLaptop, what: str) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    ann.sync()
    item = good_row(lax)
    lax.execute(LINE.format(**(_LINE | {"id": f"'{item}'::uuid"} | ODD_LINES[what])).encode())
    later = good_row(lax)
    mine = ann.create(WORK_ITEM, item_type="task", title="mine", status="active", metadata={})
    for one in (ann, bob, laptop("carl")):
        assert_level(one, lax)
        assert [kind for kind, *_ in aside(one)] == ["line"]
        assert (title(one, item), title(one, later), title(one, mine)) == ("good", "good", "mine")


CONFLICT = """
    INSERT INTO localfirst.conflicts (project_id, id, entity, entity_id, fields, base, mine, theirs, base_version, my_version,
        my_by, reason, act_id, replica_id, created_at)
    SELECT id, '11111111-1111-4111-8111-111111111111', 'work_item', {item}, {fields}, {base}, {mine}, '{{}}', 1, {version},
        'eve', 'fields', gen_random_uuid(), {replica}, {at} FROM localfirst.projects
"""
_CONFLICT = {"fields": "'[\"title\"]'", "base": "'{}'", "mine": "'{\"title\": 1}'", "version": "2", "at": "now()"}
ODD_CONFLICTS: dict[str, dict[str, str]] = {
    "fields that are no list": {"fields": "'{}'"},
    "fields that are no names": {"fields": "'[1]'"},
    "a base that is no object": {"base": "'[]'"},
    "mine that is text": {"mine": "'\"x\"'"},
    "a version near the end": {"version": "9223372036854775807"},
    "no time": {"at": "'-infinity'"},
}


@pytest.mark.parametrize("what", ODD_CONFLICTS)
def test_a_malformed_conflict_is_set_aside_and_stops_no_queue(lax: Connection, laptop: NewLaptop, what: str) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    item = good_row(lax)
    assert_level(ann, lax)
    values = _CONFLICT | {"item": f"'{item}'", "replica": f"'{ann.local.identity().replica_id}'"} | ODD_CONFLICTS[what]
    lax.execute(CONFLICT.format(**values).encode())
    line = {"entity": "'conflict'", "id": "'11111111-1111-4111-8111-111111111111'::uuid"}
    lax.execute(LINE.format(**(_LINE | line)).encode())
    lax.execute("UPDATE localfirst.work_items SET title = 'theirs'")
    ann.change(WORK_ITEM, item, title="mine")  # clashes, and would join the open conflict of this replica
    for one in (ann, bob):
        assert_level(one, lax)
        assert [kind for kind, *_ in aside(one)] == ["conflict"]
        assert title(one, item) == "theirs"
        assert one.replica.execute("SELECT mine ->> 'title' FROM conflicts").fetchall() == [("mine",)]


def test_a_version_near_the_end_is_not_counted_on(lax: Connection, laptop: NewLaptop) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    item = good_row(lax)
    assert_level(ann, lax)
    ann.change(WORK_ITEM, item, title="mine")
    with lax.transaction():
        lax.execute("SELECT set_config('session_replication_role', 'replica', true)")
        lax.execute("UPDATE localfirst.work_items SET version = 9223372036854775807")
    lax.execute(LINE.format(**(_LINE | {"id": f"'{item}'::uuid", "version": "9223372036854775807"})).encode())
    later = good_row(lax)
    for one in (ann, bob):
        assert_level(one, lax)
        assert ("row", "work_items", item) in aside(one)
        assert title(one, later) == "good"


def test_a_program_that_can_take_more_asks_again(lax: Connection, laptop: NewLaptop, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = laptop("ann")
    ann.sync()
    odd = odd_row(lax, "status", "'paused'")
    forged = ODD_LINES["an unknown outcome"]
    lax.execute(LINE.format(**(_LINE | {"id": f"'{odd}'::uuid"} | forged)).encode())
    assert_level(ann, lax)
    assert sorted(kind for kind, *_ in aside(ann)) == ["line", "row"]
    sieve._rules.cache_clear()
    monkeypatch.setitem(limits.CHOICES, ("work_items", "status"), limits.STATUSES | {"paused"})
    assert_level(ann, lax)
    assert title(ann, odd) is None  # nothing has changed, and it is the same program
    monkeypatch.setattr(set_aside, "GENERATION", limits.GENERATION + 1)
    assert_level(ann, lax)
    assert title(ann, odd) == "odd"
    assert [kind for kind, *_ in aside(ann)] == ["line"]
    assert ann.local.set_aside_again() is None
    sieve._rules.cache_clear()


def test_a_server_that_was_set_back_with_odd_rows_is_recovered(lax: Connection, laptop: NewLaptop) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    item, odd = good_row(lax), good_row(lax, "odd")
    assert_level(ann, lax)
    with lax.transaction():
        lax.execute("SELECT set_config('session_replication_role', 'replica', true)")
        lax.execute("DELETE FROM localfirst.work_items WHERE id = %s", (item,))
        lax.execute("DELETE FROM localfirst.history WHERE entity_id = %s", (item,))
        lax.execute("UPDATE localfirst.work_items SET created_at = 'infinity' WHERE id = %s", (odd,))
        lax.execute("UPDATE localfirst.history SET seq = seq - 1, tag = tag + 1 WHERE entity_id = %s", (odd,))
        lax.execute(
            "UPDATE localfirst.project_heads SET head = head - 1,"
            " tag = (SELECT tag FROM localfirst.history WHERE entity_id = %s)",
            (odd,),
        )
    for one in (ann, bob):
        assert_level(one, lax)
        assert title(one, item) == "good"
        assert ("row", "work_items", odd) in aside(one)
    kept = lax.execute("SELECT created_at = 'infinity' FROM localfirst.work_items WHERE id = %s", (odd,)).fetchone()
    assert kept == (True,)


def test_receipts_that_cannot_be_understood_stop_no_queue(lax: Connection, laptop: NewLaptop) -> None:
    ann = laptop("ann")
    ann.sync()
    item = ann.create(WORK_ITEM, item_type="task", title="mine", status="active", metadata={})
    ann.local.begin_round()
    identity = ann.local.identity()
    push = ann.local.next_push(10)
    assert push is not None
    ann.remote.push(identity, push)  # whose answer is lost
    lax.execute("UPDATE localfirst.push_receipts SET verdicts = 'nonsense'")
    assert_level(ann, lax)
    assert lax.execute("SELECT count(*) FROM localfirst.work_items WHERE id = %s", (item,)).fetchone() == (1,)
