"""What every `RemoteStore` has to do, whichever way it leads: PostgreSQL's own address, or a daemon."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import psycopg
import pytest
from localfirst_schema.entities import VENDOR, WORK_ITEM
from localfirst_schema.errors import UnavailableError
from localfirst_schema.identifiers import new_id
from localfirst_sync.ports import BEGINNING, Again, Cursor, Fenced, Identity, IdentityTaken, ServerWasRestored
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.wake import Wake
from sync_laptop import Laptop, NewLaptop, Reached, laptops
from sync_sender import task
from sync_sink import Collected

SOON_S = 10.0


@pytest.fixture
def new_laptop(tmp_path: Path, reached: Reached) -> Iterator[NewLaptop]:
    with laptops(tmp_path, reached) as make:
        yield make


@pytest.fixture
def ann(new_laptop: NewLaptop) -> Laptop:
    """A laptop that is level with a server which holds an item of its own."""
    ann = new_laptop("ann")
    ann.create(WORK_ITEM, **task("first"))
    ann.sync()
    ann.sync()
    return ann


def test_the_head_is_the_last_change(ann: Laptop, server: Connection) -> None:
    assert ann.remote.head() == ann.local.cursor()
    ann.create(WORK_ITEM, **task("second"))
    ann.sync()
    [(seq, tag)] = server.execute("SELECT head, tag FROM localfirst.project_heads").fetchall()
    assert ann.remote.head() == (seq, tag)
    assert ann.remote.access() == "write"


def test_a_push_that_is_repeated_is_answered_again_and_not_applied_again(ann: Laptop, server: Connection) -> None:
    ann.create(WORK_ITEM, **task("twice"))
    ann.local.begin_round()
    identity, push = ann.local.identity(), ann.local.next_push(10)
    assert push is not None
    first = ann.remote.push(identity, push)
    again = ann.remote.push(identity, push)
    assert [v.outcome for v in first.verdicts] == ["accepted"]
    assert again.verdicts == first.verdicts
    assert (again.before, again.after) == (None, first.after)
    assert server.execute("SELECT count(*) FROM localfirst.work_items").fetchone() == (2,)


def test_an_earlier_round_is_fenced_and_another_file_of_the_same_id_is_noticed(ann: Laptop) -> None:
    ann.create(WORK_ITEM, **task("waits"))
    ann.local.begin_round()
    identity, push = ann.local.identity(), ann.local.next_push(10)
    assert push is not None
    ann.remote.fence(identity._replace(epoch=identity.epoch + 1))
    with pytest.raises(Fenced):
        ann.remote.push(identity, push)
    later = identity._replace(epoch=identity.epoch + 1)
    assert [verdict.outcome for verdict in ann.remote.push(later, push).verdicts] == ["accepted"]
    with pytest.raises(IdentityTaken) as taken:
        ann.remote.push(later, msgspec.structs.replace(push, hashes=[bytes(16)]))  # the same number for something else
    assert taken.value.agreed == 0
    with pytest.raises(ServerWasRestored):
        ann.remote.push(identity._replace(replica_id=new_id()), push)  # the server does not know what it had acknowledged


def test_a_pull_brings_what_came_after_and_what_was_set_aside(ann: Laptop, new_laptop: NewLaptop) -> None:
    bob = new_laptop("bob")
    bob.sync()
    cursor = ann.local.cursor()
    item = bob.create(WORK_ITEM, **task("of bob"))
    bob.create(VENDOR, name="Alder", operational=True, metadata={})
    bob.sync()
    sink = Collected()
    reached = ann.remote.pull(cursor, sink, known=(cursor,))
    assert sink.expected == reached.seq - cursor.seq == 2
    assert sink.ids("work_items") == [item]
    assert [(line.seq, line.outcome) for line in sink.log] == [(cursor.seq + 1, "accepted"), (cursor.seq + 2, "accepted")]
    assert ann.remote.pull(reached, Collected()) == reached
    again = Collected()
    ann.remote.pull(reached, again, Again({"work_items": [item]}, [1]))
    assert again.ids("work_items") == [item]
    assert [line.seq for line in again.log] == [1]


def test_a_cursor_of_another_past_is_noticed(ann: Laptop) -> None:
    head = ann.remote.head()
    wrong = Cursor(head.seq, head.tag + 1)
    asked: list[Callable[[], object]] = [
        lambda: ann.remote.pull(wrong, Collected()),
        lambda: ann.remote.pull(head, Collected(), known=(wrong,)),
        lambda: ann.remote.confirm(wrong),
    ]
    for ask in asked:
        with pytest.raises(ServerWasRestored):
            ask()
    ann.remote.confirm(head)
    ann.remote.confirm(BEGINNING)
    assert ann.remote.head() == head, "the way is as good as before"


def test_the_history_is_counted_by_row(ann: Laptop) -> None:
    [item] = ann.displayed()["work_items"]
    ann.change(WORK_ITEM, item["id"], title="changed")
    ann.sync()
    counts = ann.remote.history_counts()
    assert counts[("work_item", item["id"])] == (2, 2, 3)


def test_whoever_waits_is_woken_by_others_and_not_by_himself(ann: Laptop, new_laptop: NewLaptop) -> None:
    bob = new_laptop("bob")
    bob.sync()
    with closing(Wake()) as wake:
        while ann.remote.wait(wake, 0.2):
            ann.sync()
        ann.create(WORK_ITEM, **task("of ann"))
        ann.sync()
        assert not ann.remote.wait(wake, 0.3), "his own change is no news"
        bob.create(WORK_ITEM, **task("of bob"))
        bob.sync()
        began = time.monotonic()
        assert ann.remote.wait(wake, SOON_S)
        assert time.monotonic() - began < SOON_S / 2
        ann.sync()
        assert "of bob" in {row["title"] for row in ann.displayed()["work_items"]}
        waker = threading.Timer(0.1, wake.set)
        waker.start()
        assert not ann.remote.wait(wake, SOON_S)
        waker.join()


def test_a_change_by_sql_is_news(ann: Laptop, database_url: str) -> None:
    with closing(Wake()) as wake:
        while ann.remote.wait(wake, 0.2):
            ann.sync()
        with psycopg.connect(database_url, autocommit=True) as psql:
            psql.execute("UPDATE localfirst.work_items SET title = 'by SQL'")
        assert ann.remote.wait(wake, SOON_S)
        ann.sync()
        assert [row["title"] for row in ann.displayed()["work_items"]] == ["by SQL"]


def test_a_project_that_is_not_there_any_more_is_said_in_words(ann: Laptop, reached: Reached, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as psql:
        psql.execute("SET session_replication_role = replica; DELETE FROM localfirst.project_heads")
    with pytest.raises(UnavailableError):
        ann.remote.head()
    identity = ann.local.identity()
    ann.create(WORK_ITEM, **task("waits"))
    ann.local.begin_round()
    push = ann.local.next_push(10)
    assert push is not None
    with closing(reached.opened(Identity(*identity[:4]))) as other, pytest.raises(UnavailableError):
        other.push(ann.local.identity(), push)
