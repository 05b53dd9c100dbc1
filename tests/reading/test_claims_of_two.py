"""Two laptops and one item: a claim that is lost is said, and one that is taken away is gone on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from line import Line
from postgres import Server

from reading.test_long_line import FarReader
from reading.world import World

NewReader = Callable[[str], FarReader]


@pytest.fixture(scope="module")
def world(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One that is changed here."""
    with postgres_server.database() as url:
        yield World(tmp_path_factory.mktemp("claims"), url)


@pytest.fixture
def laptop(world: World, tmp_path: Path) -> Iterator[NewReader]:
    """Makes laptops at the end of a line of their own."""
    with ExitStack() as stack:

        def make(name: str) -> FarReader:
            line = stack.enter_context(closing(Line(world.url)))
            settings = world.place(tmp_path / name, ("replica",), url=line.url)._replace(client=name)
            return stack.enter_context(FarReader(world, settings, line))

        yield make


def shared_item(ann: FarReader, bob: FarReader) -> str:
    item = str(ann.ask("create_work_item", item_type="task", title="Ann's")["id"])
    ann.ask("sync_now")
    bob.ask("sync_now")
    return item


def test_a_claim_that_was_lost_is_said_in_the_same_session(laptop: NewReader) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    item = shared_item(ann, bob)
    ann.line.cut(refuse=True)
    assert ann.ask("claim_work_item", id=item)["pending_sync"]
    assert not bob.ask("claim_work_item", id=item)["pending_sync"]
    ann.line.cut(refuse=False)
    ann.ask("sync_now")
    reported = ann.ask("prime")
    assert reported["claims"] == []
    assert [one["title"] for one in reported["lost_claims"]] == ["Ann's"]
    assert [one["claimed_by"].split("/")[0] for one in reported["others"] if one["title"] == "Ann's"] == ["bob"]


def test_a_claim_that_is_taken_away_by_force_is_gone_on_both(laptop: NewReader) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    item = shared_item(ann, bob)
    assert not ann.ask("claim_work_item", id=item)["pending_sync"]
    released = bob.ask("release_work_item", id=item, force=True)
    assert not released["pending_sync"]
    for one in (bob, ann):
        one.ask("sync_now")
        assert one.ask("query_work_item", id=item)["claimed_by"] is None
