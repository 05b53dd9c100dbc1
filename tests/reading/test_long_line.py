"""Over a long line everything is as it is beside the server, only later: reads reach PostgreSQL, and nobody is called away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from line import Line
from localfirst_schema.errors import NotFoundError, VersionMismatchError
from postgres import Server
from waiting import until

from localfirst.client.server_link import PROBE_BUDGET_S, PROBE_TRIPS, ROUND_TRIPS
from localfirst.settings import Settings
from reading.world import Answer, Reader, World

TRIPS_S = (0.0, 0.06, 0.1, 0.15)
LINES = pytest.mark.parametrize("trip_s", TRIPS_S, ids=lambda trip_s: f"{1000 * trip_s:.0f} ms")
WAYS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


class FarReader(Reader):
    """A reader at the end of a line of its own."""

    def __init__(self, world: World, settings: Settings, line: Line) -> None:
        super().__init__(world, settings)
        self.line = line


NewReader = Callable[..., FarReader]


@pytest.fixture(scope="module")
def world(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One that is changed here."""
    with postgres_server.database() as url:
        yield World(tmp_path_factory.mktemp("far"), url)


@pytest.fixture
def far(world: World, tmp_path: Path) -> Iterator[NewReader]:
    """Makes laptops at the end of a line of their own, with the replica of the world's project or a new one."""
    with ExitStack() as stack:

        def make(name: str, trip_s: float, *, tls: bool = False, is_new: bool = False) -> FarReader:
            line = stack.enter_context(closing(Line(world.url, trip_s=trip_s, tls=tls)))
            settings = world.place(tmp_path / name, ("replica",), url=line.url)
            if is_new:
                settings.replica.unlink()
            return stack.enter_context(FarReader(world, settings, line))

        yield make


@LINES
@WAYS
def test_reads_are_the_servers_from_the_third_one_on_at_the_latest(far: NewReader, trip_s: float, tls: bool) -> None:
    reader = far("ann", trip_s, tls=tls)
    sources = [reader.ask("list_vendors")["data_source"] for _ in range(6)]
    assert sources[2:] == ["postgresql"] * 4
    status = reader.ask("sync_status")
    assert (status["online"], status["last_error"]) == (True, None)


@LINES
@WAYS
def test_a_new_laptops_first_list_is_whole(far: NewReader, world: World, trip_s: float, tls: bool) -> None:
    reader = far("new", trip_s, tls=tls, is_new=True)
    listed = reader.ask("list_work_items")
    assert listed["total_count"] >= 4
    assert listed["data_source"] == "postgresql"


def has_sent_all(reader: Reader) -> bool:
    return not reader.ask("sync_status")["pending_mutations"]


@LINES
def test_what_another_laptop_has_just_made_can_be_changed(far: NewReader, trip_s: float) -> None:
    ann, bob = far("ann", trip_s), far("bob", trip_s)
    for reader in (ann, bob):
        reader.ask("list_vendors")
    item = ann.ask("create_work_item", item_type="task", title="Ann's")
    for version, (one, other) in enumerate([(ann, bob), (bob, ann), (ann, bob)], 1):
        until(partial(has_sent_all, one), 5)
        changed = other.ask("update_work_item", id=item["id"], version=version, title=f"Version {version}")
        assert changed["version"] == version + 1


@LINES
def test_an_id_that_exists_nowhere_is_not_found(far: NewReader, trip_s: float) -> None:
    reader = far("ann", trip_s)
    for _ in range(3):
        with pytest.raises(NotFoundError):
            reader.ask("update_work_item", id=str(uuid4()), version=1, title="Nobody's")


def listed(reader: Reader, item: str) -> list[Answer]:
    """The open conflicts of an item, as this laptop has them."""
    return [one for one in reader.ask("list_conflicts")["conflicts"] if one["id"] == item]


@pytest.mark.lines
def test_a_change_of_a_stale_version_is_refused_and_says_the_present_one(far: NewReader, trip_s: float) -> None:
    ann, bob = far("ann", trip_s), far("bob", trip_s)
    for reader in (ann, bob):
        reader.ask("list_vendors")
    item = ann.ask("create_work_item", item_type="task", title="Ann's")["id"]
    until(partial(has_sent_all, ann), 15)
    assert bob.ask("update_work_item", id=item, version=1, title="Bob's")["version"] == 2
    until(partial(has_sent_all, bob), 15)
    assert ann.ask("query_work_item", id=item)["title"] == "Bob's"
    with pytest.raises(VersionMismatchError) as refused:
        ann.ask("update_work_item", id=item, version=1, title="Ann's again")
    assert refused.value.details["actual_version"] == 2


@pytest.mark.lines
def test_a_conflict_is_made_and_settled(far: NewReader, trip_s: float) -> None:
    ann, bob = far("ann", trip_s), far("bob", trip_s)
    for reader in (ann, bob):
        reader.ask("list_vendors")
    item = ann.ask("create_work_item", item_type="task", title="Ours")["id"]
    until(partial(has_sent_all, ann), 15)
    until(lambda: bob.ask("query_work_item", id=item)["data_source"] == "postgresql", 15)
    ann.line.cut(refuse=True)
    ann.ask("update_work_item", id=item, version=1, title="Ann's")
    bob.ask("update_work_item", id=item, version=1, title="Bob's")
    until(partial(has_sent_all, bob), 15)
    ann.line.cut()  # which lets new connections through
    until(partial(has_sent_all, ann), 15)
    (conflict,) = until(lambda: listed(bob, item), 15)
    assert (conflict["mine"], conflict["theirs"]) == ({"title": "Ann's"}, {"title": "Bob's"})
    bob.ask("resolve_conflict", conflict_id=conflict["conflict_id"], resolution="mine")
    until(partial(has_sent_all, bob), 15)
    until(lambda: ann.ask("query_work_item", id=item)["title"] == "Ann's" and not listed(ann, item), 15)
    assert ann.ask("sync_status")["online"] is True


def test_a_line_of_half_a_second_with_tls_needs_no_setting(far: NewReader) -> None:
    reader = far("ann", 0.5, tls=True)
    for _ in range(2):
        reader.ask("list_vendors")
    assert reader.ask("list_vendors")["data_source"] == "postgresql"


@pytest.mark.parametrize("trip_s", [0.0, 0.1], ids=["0 ms", "100 ms"])
@pytest.mark.parametrize("how", ["cut", "forget"])
def test_a_connection_that_was_cut_while_it_was_idle_is_made_again_before_anything_is_said(
    far: NewReader, how: str, trip_s: float
) -> None:
    reader = far("ann", trip_s)
    for _ in range(5):
        assert reader.ask("list_vendors")["data_source"] == "postgresql"
    getattr(reader.line, how)()
    answers = [reader.ask("list_vendors") for _ in range(3)]
    assert [answer["data_source"] for answer in answers] == ["postgresql"] * 3
    assert reader.ask("sync_status")["last_error"] is None


def test_a_line_that_freezes_costs_one_read_a_few_trips_and_the_next_nothing(far: NewReader) -> None:
    reader = far("ann", 0.1)
    for _ in range(4):
        reader.ask("list_vendors")
    asks_s = (PROBE_TRIPS + ROUND_TRIPS) * reader.line.trip_s
    reader.line.freeze()
    began = time.monotonic()
    answer = reader.ask("list_vendors")
    assert "database_unavailable" in answer["warnings"]
    assert time.monotonic() - began < 3 * asks_s, "far longer than its own question and a round of the loop"
    began = time.monotonic()
    reader.ask("list_vendors")
    assert time.monotonic() - began < PROBE_BUDGET_S, "it knows already that nobody answers, and waits for nothing"
    reader.line.thaw()
    until(lambda: reader.ask("list_vendors")["data_source"] == "postgresql", 5)
