"""Whoever makes rows by SQL may give two of them one id, an item and an enhancement, say. They stay two rows, each with a
history of its own: in pushes and pulls, when a server is set back, and when what waits is taken back.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from localfirst_schema.entities import ENHANCEMENT, WORK_ITEM, Entity
from postgres import Server
from sync_backup import Database, assert_level, database, replica_rows
from sync_laptop import Laptop, laptops

from localfirst.replica.act import act
from localfirst.replica.dropping import drop
from localfirst.replica.rows import find

ITEM = "INSERT INTO localfirst.work_items (id, item_type, title) VALUES (%s, 'task', 'first')"
ENHANCEMENT_ROW = "INSERT INTO localfirst.future_enhancements (id, title) VALUES (%s, 'first')"


@pytest.fixture
def store(postgres_server: Server) -> Iterator[Database]:
    """A database that can be dumped and restored."""
    with database(postgres_server) as made:
        yield made


@pytest.fixture
def team(tmp_path: Path, store: Database) -> Iterator[list[Laptop]]:
    """Two laptops of one project, level with the server."""
    with laptops(tmp_path, store.url) as new:
        both: list[Laptop] = [new("ann"), new("bob")]
        level(*both)
        yield both


@pytest.fixture
def twins(store: Database, team: list[Laptop]) -> str:
    """The id of an item and of an enhancement, which both laptops have."""
    one = str(uuid.uuid4())
    store.execute(ITEM, one)
    store.execute(ENHANCEMENT_ROW, one)
    level(*team)
    return one


def level(*team: Laptop) -> None:
    for _ in range(3):
        for laptop in team:
            laptop.sync()


def title(laptop: Laptop, entity: Entity, row_id: str) -> str | None:
    found = find(laptop.replica, entity, row_id)
    return None if found is None else str(found["title"])


def assert_one_history(store: Database, *team: Laptop) -> None:
    """All tell the same of each row, by its entity and id."""
    there = Counter(
        store.execute(
            "SELECT entity, entity_id::text, version, outcome FROM localfirst.history"
            " WHERE entity IN ('work_item', 'enhancement')"
        )
    )
    for laptop in team:
        logged = laptop.replica.execute(
            "SELECT entity, entity_id, version, outcome FROM history WHERE entity IN ('work_item', 'enhancement')"
        )
        assert Counter(logged.fetchall()) == there, laptop.path.name


@pytest.mark.parametrize("lost", [WORK_ITEM, ENHANCEMENT], ids=lambda entity: entity.name)
def test_a_server_that_was_set_back_gets_the_one_that_it_lacks(store: Database, team: list[Laptop], lost: Entity) -> None:
    ann, bob = team
    one = str(uuid.uuid4())
    kept, kept_row, lost_row = (ENHANCEMENT, ENHANCEMENT_ROW, ITEM) if lost is WORK_ITEM else (WORK_ITEM, ITEM, ENHANCEMENT_ROW)
    store.execute(kept_row, one)
    level(ann, bob)
    ann.change(kept, one, title="second")
    level(ann, bob)
    dump = store.dump()
    store.execute(lost_row, one)
    level(ann, bob)
    before = replica_rows(ann)
    store.restore(dump)
    assert ann.sync().restored == 1
    level(ann, bob)
    assert_level(store, ann, bob)
    assert replica_rows(ann) == before
    assert_one_history(store, ann, bob)


@pytest.mark.parametrize("changed", [WORK_ITEM, ENHANCEMENT], ids=lambda entity: entity.name)
def test_a_change_that_was_lost_of_one_of_them_comes_back(
    store: Database, team: list[Laptop], twins: str, changed: Entity
) -> None:
    ann, bob = team
    other = ENHANCEMENT if changed is WORK_ITEM else WORK_ITEM
    for word in ("second", "third", "fourth"):
        bob.change(other, twins, title=word)
    level(ann, bob)
    dump = store.dump()
    # The row is at the server's end as it was before, and its history is longer.
    for word in ("second", "first"):
        ann.change(changed, twins, title=word)
    level(ann, bob)
    store.restore(dump)
    level(ann, bob)
    assert_level(store, ann, bob)
    assert_one_history(store, ann, bob)
    assert (title(bob, changed, twins), title(bob, other, twins)) == ("first", "fourth")


def test_what_is_said_of_both_at_one_moment_is_logged_of_both(store: Database, team: list[Laptop], twins: str) -> None:
    ann, bob = team
    dump = store.dump()
    with act(ann.replica, "ann") as one:
        for entity in (WORK_ITEM, ENHANCEMENT):
            before = find(ann.replica, entity, twins)
            assert before is not None
            one.change(entity, before, {"title": "second"})
    level(ann, bob)
    store.restore(dump)
    store.execute("UPDATE localfirst.work_items SET pr_number = 3 WHERE id = %s", twins)
    level(ann, bob)
    assert_level(store, ann, bob)
    assert_one_history(store, ann, bob)
    assert (title(bob, WORK_ITEM, twins), title(bob, ENHANCEMENT, twins)) == ("second", "second")


def test_what_the_server_has_of_one_of_them_is_taken_over(store: Database, team: list[Laptop], twins: str) -> None:
    ann, bob = team
    dump = store.dump()
    ann.change(ENHANCEMENT, twins, title="second")
    level(ann, bob)
    store.restore(dump)
    store.execute("UPDATE localfirst.work_items SET title = 'of psql' WHERE id = %s", twins)
    level(ann, bob)
    assert_level(store, ann, bob)
    assert_one_history(store, ann, bob)
    assert (title(bob, WORK_ITEM, twins), title(bob, ENHANCEMENT, twins)) == ("of psql", "second")


def test_dropping_what_waits_takes_off_the_one_that_was_made_here_alone(
    store: Database, team: list[Laptop], tmp_path: Path
) -> None:
    ann, bob = team
    one = str(uuid.uuid4())
    store.execute(ITEM, one)
    level(ann, bob)
    with act(ann.replica, "ann") as made:
        made.change(ENHANCEMENT, None, {"id": one, "title": "mine", "status": "planned", "priority": "low"})
    assert drop(ann.replica) == 1
    assert title(ann, ENHANCEMENT, one) is None, "nobody has it but who made it"
    assert title(ann, WORK_ITEM, one) == "first"
    level(ann, bob)
    assert_level(store, ann, bob)
