"""The first fill of a replica: staged page by page, taken up again where it was interrupted, and swapped in at once."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
from line import far_from
from localfirst_schema.entities import ENHANCEMENT, VENDOR, WORK_ITEM
from localfirst_schema.errors import UnavailableError
from localfirst_sync.ports import BEGINNING, Again, Cursor, HistoryRow, PullSink, RemoteStore, Staging
from localfirst_sync.postgres import snapshot as copying
from localfirst_sync.round import sync_round
from postgres import Server
from sync_backup import Database, assert_level, database, logged_by_replica, logged_by_server
from sync_editing import edit
from sync_laptop import PROJECT_NAME, Laptop, NewLaptop, Way, laptops
from sync_sender import task

from localfirst.replica import fulltext
from localfirst.replica.opening import open_replica
from localfirst.replica.rows import find

ITEMS = 60


@pytest.fixture
def server(postgres_server: Server) -> Iterator[Database]:
    with database(postgres_server) as made:
        yield made


@pytest.fixture
def new_laptop(tmp_path: Path, way: Way, server: Database, trip_s: float) -> Iterator[NewLaptop]:
    with far_from(server.url, trip_s) as url, way.to(url, server.url) as reached, laptops(tmp_path, reached) as make:
        yield make


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "PAGE", 10)


@pytest.fixture
def filled(new_laptop: NewLaptop) -> Laptop:
    """A laptop that has brought everything there is."""
    a = new_laptop("a")
    for number in range(ITEMS):
        a.create(WORK_ITEM, **task(f"Item {number}"))
    a.create(VENDOR, name="Alder", operational=True, metadata={"extractor_version": "1"})
    a.create(ENHANCEMENT, title="more", priority="high", status="planned", description="", target_quarter=None)
    chance = random.Random(7)
    for _ in range(150):
        edit(a, chance)
    a.sync()
    return a


class Cut(UnavailableError):
    """The network is gone."""


class Counted:
    """A `Staging` whose network fails behind a page; `pages` are what it took."""

    def __init__(self, staging: Staging, pages: list[tuple[str, int]], last: int | None) -> None:
        self._staging = staging
        self._pages = pages
        self._left = last

    @property
    def cursor(self) -> Cursor:
        return self._staging.cursor

    @property
    def read_at(self) -> Cursor:
        return self._staging.read_at

    @property
    def place(self) -> tuple[str, str | int] | None:
        return self._staging.place

    def begin(self, head: Cursor) -> None:
        self._staging.begin(head)

    def go_on(self, head: Cursor) -> None:
        self._staging.go_on(head)

    def rows(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        self._staging.rows(table, rows)
        self._took(table, len(rows))

    def history(self, rows: Sequence[HistoryRow]) -> None:
        self._staging.history(rows)
        self._took("history", len(rows))

    def _took(self, table: str, rows: int) -> None:
        self._pages.append((table, rows))
        if self._left is not None:
            self._left -= 1
            if not self._left:
                raise Cut("cut", cause="connection")


class Cable:
    """The way to a server that is cut in the middle of a snapshot, so many pages after it began."""

    def __init__(self, laptop: Laptop) -> None:
        self.remote: RemoteStore = laptop.reached.opened(laptop.local.identity())
        self.pages: list[tuple[str, int]] = []
        self.cut_after: int | None = None
        self.before_pull: Callable[[], object] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.remote, name)

    def snapshot(self, staging: Staging) -> None:
        self.remote.snapshot(Counted(staging, self.pages, self.cut_after))

    def pull(self, cursor: Cursor, sink: PullSink, again: Again | None = None, known: Sequence[Cursor] = ()) -> Cursor:
        self.before_pull()
        return self.remote.pull(cursor, sink, again, known)


@contextmanager
def cable_of(laptop: Laptop) -> Iterator[Any]:
    """The way, as a store."""
    cable = Cable(laptop)
    with closing(cable.remote):
        yield cable


def sync_until_cut(laptop: Laptop, pages: int) -> list[tuple[str, int]]:
    """A round that is cut after so many pages; returns them."""
    with cable_of(laptop) as cable:
        cable.cut_after = pages
        with pytest.raises(Cut):
            sync_round(laptop.local, cable, laptop.lock)
        pages_taken: list[tuple[str, int]] = cable.pages
        return pages_taken


def sync_whole(laptop: Laptop) -> list[tuple[str, int]]:
    """A round that is not; returns the pages that it took."""
    with cable_of(laptop) as cable:
        sync_round(laptop.local, cable, laptop.lock)
        pages_taken: list[tuple[str, int]] = cable.pages
        return pages_taken


def schema(connection: apsw.Connection) -> set[tuple[str, str]]:
    """Name and SQL of everything there is, quotes and spaces aside."""
    found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {(str(name), "".join(str(sql).replace('"', "").split())) for name, sql in found}


@pytest.mark.lines
def test_a_new_replica_has_everything_and_its_schema_is_as_before(
    filled: Laptop, new_laptop: NewLaptop, server: Database, tmp_path: Path
) -> None:
    b = new_laptop("b")
    assert b.sync().pulled == filled.local.cursor().seq
    assert_level(server, filled, b)
    assert logged_by_replica(b.replica) == logged_by_server(server)
    assert fulltext.is_consistent(b.replica)
    assert not b.local.lacks_text()
    assert schema(b.replica) == schema(open_replica(tmp_path / "untouched", PROJECT_NAME))
    assert b.replica.execute("SELECT count(*) FROM bootstrap").get == 0


def test_it_goes_on_behind_the_last_page_and_takes_none_twice(filled: Laptop, new_laptop: NewLaptop, server: Database) -> None:
    whole = sync_whole(new_laptop("b"))
    assert len(whole) > 30
    c = new_laptop("c")
    taken: list[tuple[str, int]] = []
    for pages in (1, 3, 1, 9, 2):
        taken += sync_until_cut(c, pages)
    taken += sync_whole(c)
    assert sum(rows for _, rows in taken) == sum(rows for _, rows in whole)
    assert_level(server, filled, c)
    assert logged_by_replica(c.replica) == logged_by_server(server)


@pytest.mark.parametrize("seed", range(2))
def test_what_others_do_between_the_pages_is_not_missed(
    seed: int, filled: Laptop, new_laptop: NewLaptop, server: Database
) -> None:
    chance = random.Random(seed)
    b = new_laptop("b")
    for _ in range(6):
        sync_until_cut(b, chance.randint(1, 6))
        for _ in range(chance.randint(1, 12)):
            edit(filled, chance)
        filled.sync()
    sync_whole(b)
    assert_level(server, filled, b)
    assert logged_by_replica(b.replica) == logged_by_server(server)


def test_nothing_is_visible_before_all_is(filled: Laptop, new_laptop: NewLaptop) -> None:
    b = new_laptop("b")
    sync_until_cut(b, 25)
    assert b.replica.execute("SELECT count(*) FROM staged_work_items").get > 0
    assert b.replica.execute("SELECT count(*) FROM work_items").get == 0
    assert b.local.cursor() == BEGINNING


@pytest.mark.parametrize("seed", range(2))
def test_what_waits_here_is_kept_on_top_of_what_comes(
    seed: int, filled: Laptop, new_laptop: NewLaptop, server: Database
) -> None:
    chance = random.Random(seed)
    b = new_laptop("b")
    b.create(VENDOR, name="Alder", operational=False, metadata={})
    for _ in range(20):
        edit(b, chance)
    written = logged_by_replica(b.replica)
    with psycopg.connect(server.url) as psql:  # what waits cannot go out, what is there can come in
        psql.execute("SELECT FROM localfirst.project_heads FOR UPDATE")
        with pytest.raises(UnavailableError, match="kept"):
            b.sync()
        assert b.local.cursor() != BEGINNING
        assert b.local.pending_count() == written.total()
        assert written <= logged_by_replica(b.replica)
        assert b.replica.execute("SELECT count(*) FROM work_items").get > ITEMS
        for _ in range(10):
            edit(b, chance)
    for _ in range(2):
        b.sync()
        filled.sync()
    assert_level(server, filled, b)
    assert logged_by_replica(b.replica) == logged_by_server(server)
    assert fulltext.is_consistent(b.replica)


@pytest.mark.parametrize("seed", range(2))
def test_what_is_written_here_while_pages_come_is_kept(
    seed: int, filled: Laptop, new_laptop: NewLaptop, server: Database
) -> None:
    chance = random.Random(seed)
    b = new_laptop("b")
    sync_until_cut(b, 12)
    for _ in range(10):
        edit(b, chance)
        edit(filled, chance)
    filled.sync()
    sync_until_cut(b, 12)

    def edit_ten_times() -> None:
        for _ in range(10):
            edit(b, chance)

    with cable_of(b) as cable:
        cable.before_pull = edit_ten_times
        sync_round(b.local, cable, b.lock)
    assert b.local.pending_count() > 0
    for _ in range(2):
        b.sync()
        filled.sync()
    assert_level(server, filled, b)
    assert logged_by_replica(b.replica) == logged_by_server(server)
    assert fulltext.is_consistent(b.replica)


@pytest.mark.lines
def test_a_server_that_was_set_back_meanwhile_is_begun_with_anew(
    filled: Laptop, new_laptop: NewLaptop, server: Database
) -> None:
    dump = server.dump()
    chance = random.Random(1)
    for _ in range(20):
        edit(filled, chance)
    filled.remote.close()
    filled.sync()
    b = new_laptop("b")
    sync_until_cut(b, 12)
    filled.remote.close()
    server.restore(dump)
    sync_whole(b)
    assert b.local.cursor() != BEGINNING
    for _ in range(2):
        filled.sync()
        b.remote.close()
        b.sync()
    assert_level(server, filled, b)


def test_full_text_comes_in_steps_and_leaves_out_nothing_that_changes_meanwhile(
    filled: Laptop, new_laptop: NewLaptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localfirst.replica import bootstrap

    monkeypatch.setattr(bootstrap, "TEXT_BATCH", 7)
    monkeypatch.setattr("localfirst_sync.round.TEXT_S", 0.0)
    b = new_laptop("b")
    b.sync()
    assert b.local.lacks_text()
    assert fulltext.is_consistent(b.replica)
    chance = random.Random(3)
    rounds = 1
    while b.local.lacks_text():
        edit(b, chance)
        b.sync()
        rounds += 1
    assert rounds >= ITEMS / 7
    assert fulltext.is_consistent(b.replica)
    items = b.replica.execute("SELECT local_id, title FROM work_items").fetchall()
    for local_id, title in items:
        found = b.replica.execute("SELECT rowid FROM work_items_text WHERE work_items_text MATCH ?", (f'"{title}"',))
        assert (local_id,) in found.fetchall()


def test_what_waits_is_rebased_on_the_row_as_it_is_in_the_end_and_not_as_it_was_staged(
    filled: Laptop, new_laptop: NewLaptop, server: Database
) -> None:
    tables = [table for table, _ in sync_whole(new_laptop("c"))]
    b = new_laptop("b")
    item = b.create(WORK_ITEM, **task("before it was staged"))
    sync_until_cut(b, len(tables) - tables[::-1].index(WORK_ITEM.table) + 1)
    b.change(WORK_ITEM, item, status="blocked")

    def change_twice() -> None:
        # The second of these has, where it touches the row, what was pushed after the row had been staged.
        b.change(WORK_ITEM, item, title="x")
        b.change(WORK_ITEM, item, status="completed")

    with cable_of(b) as cable:
        cable.before_pull = change_twice
        sync_round(b.local, cable, b.lock)
    displayed = find(b.replica, WORK_ITEM, item)
    assert displayed is not None
    assert (displayed["title"], displayed["status"], displayed["version"]) == ("x", "completed", 4)
    b.sync()
    filled.sync()
    assert_level(server, filled, b)
