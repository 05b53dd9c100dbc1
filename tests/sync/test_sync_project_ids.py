"""A project's id is given once, its name is only looked up: spelled otherwise, renamed on the server, or begun anew there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
from localfirst_schema.entities import CONFIGURATION, DEPLOYMENT, ENTITIES, VENDOR, VENDOR_DEPLOYMENT_LINK, WORK_ITEM
from localfirst_schema.errors import UnavailableError
from localfirst_schema.identifiers import natural_id, project_id
from localfirst_schema.wire import decode_json
from localfirst_sync.postgres.store import PostgresStore
from sync_laptop import Laptop
from sync_looking import assert_gapless
from sync_sender import task

from localfirst.replica.act import act
from localfirst.replica.rows import find

UPPER, LOWER = "github.com/Team/Board", "github.com/team/board"


class New(Protocol):
    def __call__(self, name: str, project: str) -> Laptop: ...


@pytest.fixture
def new(tmp_path: Path, database_url: str) -> Iterator[New]:
    """Laptops that know their server."""
    with ExitStack() as stack:

        def made(name: str, project: str) -> Laptop:
            laptop = stack.enter_context(closing(Laptop(tmp_path / name, project, database_url)))
            meet_again(laptop)
            return laptop

        yield made


def meet_again(laptop: Laptop) -> None:
    """Another connection, as after a restart."""
    laptop.remote.close()
    laptop.remote = PostgresStore(laptop.url, laptop.local.identity(), laptop.local.known_server())


def fill(laptop: Laptop, vendor: str) -> None:
    """Rows of which most have ids that follow from the project."""
    item = laptop.create(WORK_ITEM, **task(f"of {laptop.path.name}"))
    vendor_id = laptop.create(VENDOR, name=vendor, operational=True, metadata={})
    deployment = laptop.create(DEPLOYMENT, metadata={"pr_number": 7}, deployed_at="2026-01-01T00:00:00Z")
    laptop.create(VENDOR_DEPLOYMENT_LINK, deployment_id=deployment, vendor_id=vendor_id)
    laptop.change(WORK_ITEM, item, title=f"again of {laptop.path.name}")
    configuration = natural_id(laptop.local.identity().project_id, CONFIGURATION.name, "singleton")
    laptop.change(CONFIGURATION, configuration, git_branch=laptop.path.name)


def displayed(laptop: Laptop) -> dict[str, list[dict[str, object]]]:
    return {
        table: [
            {name: decode_json(value) if name == "metadata" and value else value for name, value in row.items()} for row in rows
        ]
        for table, rows in laptop.displayed().items()
    }


def test_names_of_one_key_meet_in_one_project(new: New, database_url: str) -> None:
    ann, bob = new("ann", UPPER), new("bob", LOWER)
    fill(ann, "alder")
    fill(bob, "alder")
    fill(bob, "birch")
    assert ann.local.identity().project_id != bob.local.identity().project_id
    for laptop in (ann, bob, ann, bob):
        laptop.sync()
    assert ann.local.identity()[:2] == bob.local.identity()[:2] == (project_id(UPPER), UPPER)
    assert bob.local.pending_count() == ann.local.pending_count() == 0
    assert displayed(ann) == displayed(bob)
    counts = {table: len(rows) for table, rows in displayed(ann).items()}
    assert counts == {entity.table: counts[entity.table] for entity in ENTITIES}
    assert (counts["vendor_extractors"], counts["vendor_deployment_links"], counts["work_items"]) == (2, 3, 3)
    with psycopg.connect(database_url) as server:
        assert server.execute("SELECT name FROM localfirst.projects").fetchall() == [(UPPER,)]
        assert_gapless(server)


def test_a_name_that_was_changed_on_the_server_is_learned_with_the_next_connection_and_no_id_changes(
    new: New, database_url: str
) -> None:
    ann = new("ann", LOWER)
    fill(ann, "alder")
    ann.sync()
    before = displayed(ann)
    with psycopg.connect(database_url) as server:
        server.execute("UPDATE localfirst.projects SET name = 'team/renamed'")
    meet_again(ann)
    ann.sync()
    assert ann.local.identity()[:2] == (project_id(LOWER), "team/renamed")
    assert displayed(ann) == before
    # A new laptop finds it under the new name alone.
    bob = new("bob", "team/renamed")
    bob.sync()
    assert displayed(bob) == before
    with psycopg.connect(database_url) as server:
        assert server.execute("SELECT count(*) FROM localfirst.projects").fetchone() == (1,)


def test_a_project_that_somebody_began_anew_under_another_id_gets_everything_back(new: New, database_url: str) -> None:
    ann = new("ann", LOWER)
    fill(ann, "alder")
    ann.sync()
    fill(ann, "birch")
    with psycopg.connect(database_url) as server:
        server.execute("SET session_replication_role = replica")  # a project is deleted by no client of ours
        server.execute("TRUNCATE localfirst.projects CASCADE")
    bob = new("bob", UPPER)
    fill(bob, "cedar")
    bob.sync()
    meet_again(ann)
    for laptop in (ann, bob, ann):
        laptop.sync()
    assert ann.local.identity()[:2] == bob.local.identity()[:2] == (project_id(UPPER), UPPER)
    assert displayed(ann) == displayed(bob)
    assert {row["name"] for row in displayed(bob)["vendor_extractors"]} == {"alder", "birch", "cedar"}
    assert len(displayed(bob)["work_items"]) == 3
    assert ann.local.pending_count() == bob.local.pending_count() == 0


def test_a_row_whose_id_was_computed_before_the_project_got_its_id_is_not_written(new: New) -> None:
    ann, bob = new("ann", UPPER), new("bob", LOWER)
    ann.sync()
    too_early = natural_id(bob.local.identity().project_id, VENDOR.name, "alder")
    bob.sync()
    with pytest.raises(UnavailableError, match="repeat the call"), act(bob.replica, "bob") as one:
        one.change(VENDOR, None, {"id": too_early, "name": "alder", "operational": True, "metadata": {}})
    assert find(bob.replica, VENDOR, too_early) is None
    assert bob.local.pending_count() == 0
