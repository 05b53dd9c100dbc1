"""One replica takes in another one: all of it is there afterwards, here and on the server, and once."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import zip_longest
from pathlib import Path
from typing import Any

import apsw
import pytest
from localfirst_schema.entities import (
    CONFIGURATION,
    DEPLOYMENT,
    ENTITIES,
    VENDOR,
    VENDOR_DEPLOYMENT_LINK,
    WORK_ITEM,
    WORK_ITEM_DEPENDENCY,
)
from localfirst_schema.errors import ValidationError
from localfirst_schema.identifiers import natural_id
from localfirst_schema.wire import decode_json
from localfirst_sync.postgres.connection import Connection
from sync_editing import edit
from sync_laptop import PROJECT_NAME, Laptop
from sync_looking import conflicts, misplaced
from sync_sender import task

from localfirst.replica import fulltext, outbox
from localfirst.replica.opening import open_replica
from localfirst.replica.recovery.take_in import take_in_file
from localfirst.replica.rows import find, select

New = Callable[..., Laptop]


class Alone(Laptop):
    """A replica without a server, and without a name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.replica = open_replica(path, None)
        self.local = _NoServer(self.replica)  # type: ignore[assignment]  # only who it is is asked

    def close(self) -> None:
        self.replica.close()


class _NoServer:
    def __init__(self, replica: apsw.Connection) -> None:
        self.project_id = str(replica.execute("SELECT project_id FROM replica").get)

    def identity(self) -> _NoServer:
        return self


@pytest.fixture
def new(tmp_path: Path, database_url: str) -> Iterator[New]:
    """Laptops by name, of the one project or another; without a server where the project is None."""
    with ExitStack() as stack:

        def made(name: str, project: str | None = PROJECT_NAME) -> Laptop:
            path = tmp_path / name
            return stack.enter_context(closing(Alone(path) if project is None else Laptop(path, project, database_url)))

        yield made


def values(laptop: Laptop) -> dict[tuple[str, str], dict[str, Any]]:
    """Every row by what names it in any project, without its version and the ids that follow from the project."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    vendors = {row["id"]: row["name"] for row in select(laptop.replica, VENDOR, "true")}
    for entity in ENTITIES:
        for row in select(laptop.replica, entity, "true ORDER BY id"):
            key = "/".join(str(vendors.get(row.get(name), row.get(name))) for name in entity.natural_key) or row["id"]
            found[entity.name, key] = {
                name: decode_json(row[name]) if name in entity.json_columns and row[name] is not None else row[name]
                for name in entity.sent_columns
                if name not in ("created_at", "vendor_id") and (name != "metadata" or entity is not VENDOR)
            }
    return found


def logged(laptop: Laptop, *outcomes: str) -> set[tuple[Any, ...]]:
    """Who did something when, with one of these outcomes; but for the beginning of every project."""
    lines = laptop.replica.execute(
        "SELECT outcome, entity, by, at FROM history WHERE entity <> 'conflict' AND (entity, version) <> ('configuration', 1)"
    )
    return {tuple(line) for outcome, *line in lines if outcome in outcomes}


STANDS = ("accepted", "merged")
ANY = (*STANDS, "lost")


def unlike(some: dict[str, list[dict[str, Any]]], others: dict[str, list[dict[str, Any]]]) -> list[Any]:
    """What differs between two laptops; JSON is compared as it is meant."""
    found = []
    for entity in ENTITIES:
        for one, other in zip_longest(some[entity.table], others[entity.table], fillvalue=dict[str, Any]()):
            for name in entity.column_names:
                this, that = one.get(name), other.get(name)
                if name in entity.json_columns and this and that:
                    this, that = decode_json(this), decode_json(that)
                if this != that:
                    found.append((entity.name, one.get("id"), name, this, that))
    return found


def assert_level(server: Connection, *laptops: Laptop) -> None:
    for _ in range(3):
        for laptop in laptops:
            laptop.sync()
    for laptop in laptops:
        assert outbox.is_empty(laptop.replica)
        assert unlike(laptop.displayed(), laptops[0].displayed()) == []
        assert fulltext.is_consistent(laptop.replica)
    gaps = server.execute(
        "SELECT p.project_id FROM localfirst.project_heads AS p"
        " WHERE p.head <> (SELECT count(*) FROM localfirst.history AS h WHERE h.project_id = p.project_id)"
        " OR p.head <> (SELECT max(h.seq) FROM localfirst.history AS h WHERE h.project_id = p.project_id)"
    ).fetchall()
    assert gaps == []
    assert misplaced(server) == []


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("came_from", ["no server", "another project", "a half sent one"])
def test_all_of_it_is_there_afterwards(new: New, server: Connection, database_url: str, seed: int, came_from: str) -> None:
    chance = random.Random(seed)
    ann, bob = new("ann"), new("bob")
    for _ in range(20):
        edit(ann, chance)
    ann.sync()
    other = new("other", None if came_from == "no server" else "example.org/team/other")
    if came_from != "no server":
        third = new("third", "example.org/team/other")
        for _ in range(4):
            for laptop in (other, third):
                for _ in range(5):
                    edit(laptop, chance)
                laptop.sync()
        other.sync()
    if came_from != "another project":
        for _ in range(40):
            edit(other, chance)
    before, lines = values(other), logged(other, *STANDS)
    here = {key: row for key, row in values(ann).items() if key not in before}

    done = take_in_file(other.path, ann.replica)
    displayed = values(ann)
    assert {key: row for key, row in displayed.items() if key in here} == here, "what was here is here"
    assert {key: row for key, row in displayed.items() if key in before and key[0] != "vendor"} == {
        key: row for key, row in before.items() if key[0] != "vendor"
    }
    assert lines <= logged(ann, *STANDS)
    assert done.changes == outbox.count(ann.replica)
    assert take_in_file(other.path, ann.replica).is_nothing, "once"

    assert_level(server, ann, bob)
    project = bob.local.identity().project_id
    refused = {str(clash["entity_id"]) for clash in conflicts(server)}
    missing = {natural_id(project, entity, *key.split("/")) for entity, key in before.keys() - values(bob).keys()}
    assert missing <= refused, "what closes a circle stands in a conflict"
    assert lines <= logged(bob, *ANY)
    again = take_in_file(other.path, bob.replica)
    assert (again.rows, again.met) == (0, 0), "another laptop that takes the same in has it all"


def test_two_laptops_take_in_copies_of_one_replica(new: New, server: Connection, tmp_path: Path) -> None:
    chance = random.Random(3)
    other = new("other", None)
    for _ in range(40):
        edit(other, chance)
    ann, bob = new("ann"), new("bob")
    take_in_file(other.path, ann.replica)
    take_in_file(other.path, bob.replica)
    assert_level(server, ann, bob)
    (twice,) = server.execute(
        "SELECT count(*) FROM (SELECT FROM localfirst.history WHERE by IS NOT NULL GROUP BY entity_id, by, at, fields::text"
        " HAVING count(*) > 1) AS twice"
    ).fetchone() or (None,)
    clashes = [(one["entity_id"], one["created_at"], str(one["mine"])) for one in conflicts(server)]
    assert (twice, len(clashes)) == (0, len(set(clashes)))


def test_ids_that_follow_from_the_project_are_made_again(new: New, server: Connection) -> None:
    other, ann = new("other", None), new("ann")
    vendor = other.create(VENDOR, name="Alder", operational=True, metadata={})
    deployment = other.create(DEPLOYMENT, deployed_at="2026-01-01T00:00:00.000000Z", metadata={})
    other.create(VENDOR_DEPLOYMENT_LINK, deployment_id=deployment, vendor_id=vendor)
    one, two = other.create(WORK_ITEM, **task("one")), other.create(WORK_ITEM, **task("two"))
    other.create(WORK_ITEM_DEPENDENCY, work_item_id=one, depends_on_id=two, dependency_type="depends_on")
    take_in_file(other.path, ann.replica)
    project = ann.local.identity().project_id
    alder = natural_id(project, "vendor", "Alder")
    assert alder != vendor
    assert [row["id"] for row in select(ann.replica, VENDOR, "true")] == [alder]
    (link,) = select(ann.replica, VENDOR_DEPLOYMENT_LINK, "true")
    assert (link["id"], link["vendor_id"]) == (natural_id(project, VENDOR_DEPLOYMENT_LINK.name, deployment, alder), alder)
    (needs,) = select(ann.replica, WORK_ITEM_DEPENDENCY, "true")
    assert needs["id"] == natural_id(project, WORK_ITEM_DEPENDENCY.name, one, two, "depends_on")
    assert_level(server, ann, new("bob"))
    assert conflicts(server) == []


def test_what_both_have_otherwise_becomes_a_conflict(new: New, server: Connection) -> None:
    other, ann = new("other", None), new("ann")
    for laptop, works, theirs in ((ann, True, {"a": 1}), (other, False, {"b": 2})):
        laptop.create(VENDOR, name="Alder", operational=works, metadata=theirs)
    ann.sync()
    assert take_in_file(other.path, ann.replica).met == 1
    assert_level(server, ann)
    (clash,) = conflicts(server)
    assert (clash["fields"], clash["my_by"], clash["their_by"]) == (["operational"], "other", "ann")
    (row,) = select(ann.replica, VENDOR, "true")
    assert (row["operational"], row["metadata"]) == (1, '{"a": 1, "b": 2}')


def test_the_configuration_of_both_is_one(new: New, server: Connection) -> None:
    other, ann = new("other", None), new("ann")
    (row,) = select(other.replica, CONFIGURATION, "true")
    other.change(CONFIGURATION, row["id"], default_token_budget=5000)
    ann.sync()
    take_in_file(other.path, ann.replica)
    assert_level(server, ann, new("bob"))
    (here,) = select(ann.replica, CONFIGURATION, "true")
    assert (here["default_token_budget"], conflicts(server)) == (5000, [])


def test_an_untouched_replica_brings_nothing(new: New) -> None:
    assert take_in_file(new("other", None).path, new("ann").replica).is_nothing


def test_who_has_seen_a_version_finds_it(new: New) -> None:
    other, ann = new("other", None), new("ann")
    item = other.create(WORK_ITEM, **task("first"))
    for title in ("second", "third"):
        other.change(WORK_ITEM, item, title=title)
    take_in_file(other.path, ann.replica)
    row = find(ann.replica, WORK_ITEM, item)
    assert row is not None
    assert (row["version"], row["title"]) == (3, "third")
    assert [v for (v,) in ann.replica.execute("SELECT version FROM history WHERE entity_id = ?", (item,))] == [1, 2, 3]


def test_what_the_history_no_longer_tells_is_there_as_well(new: New, server: Connection) -> None:
    other, ann = new("other", None), new("ann")
    above = other.create(WORK_ITEM, **task("above"))
    item = other.create(WORK_ITEM, **task("below"), parent_id=above)
    other.change(WORK_ITEM, item, status="completed")
    other.create(VENDOR, name="Alder", operational=True, metadata={"x": [1]})
    other.replica.execute("DELETE FROM outbox")
    other.replica.execute("DELETE FROM history WHERE version = 1")
    before = values(other)
    take_in_file(other.path, ann.replica)
    assert {key: row for key, row in values(ann).items() if key in before} == before
    assert_level(server, ann, new("bob"))
    assert conflicts(server) == []


def test_what_sql_has_deleted_comes_along_as_it_is_and_nothing_more_is_logged(new: New, server: Connection) -> None:
    other, ann = new("other", "example.org/team/other"), new("ann")
    item = other.create(WORK_ITEM, **task("a task"))
    other.sync()
    server.execute("DELETE FROM localfirst.work_items WHERE id = %s", (item,))
    other.sync()
    gone = find(other.replica, WORK_ITEM, item)
    assert gone is not None
    assert gone["deleted_at"] is not None
    assert take_in_file(other.path, ann.replica).changes == 2
    here = find(ann.replica, WORK_ITEM, item)
    assert here is not None
    assert here["deleted_at"] == gone["deleted_at"]
    assert_level(server, ann, new("bob"))
    logged = ann.replica.execute("SELECT version, outcome FROM history WHERE entity_id = ? ORDER BY version", (item,))
    assert list(logged) == [(1, "accepted"), (2, "accepted")]
    assert conflicts(server) == []


def test_open_conflicts_come_along_and_reach_the_server(new: New, server: Connection) -> None:
    other, third, ann = new("other", "example.org/team/other"), new("third", "example.org/team/other"), new("ann")
    item = other.create(WORK_ITEM, **task("a task"))
    other.sync()
    third.sync()
    other.change(WORK_ITEM, item, title="by other")
    third.change(WORK_ITEM, item, title="by third")
    third.sync()
    other.sync()
    done = take_in_file(other.path, ann.replica)
    assert done.conflicts == 1
    bob = new("bob")
    assert_level_conflicts(ann, bob)
    assert take_in_file(other.path, bob.replica).is_nothing


def assert_level_conflicts(ann: Laptop, bob: Laptop) -> None:
    for _ in range(2):
        ann.sync()
        bob.sync()
    here, there = (list(one.replica.execute("SELECT id, fields, mine, theirs FROM conflicts")) for one in (ann, bob))
    assert here == there
    assert len(here) == 1


def test_a_replica_does_not_take_in_itself_nor_what_is_none(new: New, tmp_path: Path) -> None:
    ann = new("ann")
    with pytest.raises(ValidationError, match="own replica"):
        take_in_file(ann.path, ann.replica)
    (tmp_path / "text").write_text("no database" * 1000)
    with pytest.raises(ValidationError, match="not a copy"):
        take_in_file(tmp_path / "text", ann.replica)
