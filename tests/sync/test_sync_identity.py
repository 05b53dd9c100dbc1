"""Repeated pushes are answered again, copies of a replica are found out, and later rounds fence off earlier ones."""

from __future__ import annotations

import pytest
from localfirst_schema.identifiers import new_id
from localfirst_schema.wire import EMPTY_HASH
from localfirst_sync.ports import Fenced, IdentityTaken, ServerWasRestored
from localfirst_sync.postgres.connection import Connection
from sync_looking import assert_gapless, head, history
from sync_sender import Sender, task


def test_a_push_whose_answer_was_lost_is_answered_again(server: Connection, ann: Sender, bob: Sender) -> None:
    item = ann.create("work_item", task())
    ann.push()
    bob.change("work_item", item, 1, {"title": ("A task", "by bob")})
    bob.push()
    ann.change("work_item", item, 1, {"title": ("A task", "by ann")})
    ann.create("work_item", task("another"))
    first = ann.push_unheard()
    before = head(server)
    again = ann.pushed()
    assert again.verdicts == first.verdicts
    assert (again.before, again.after) == (None, before), "a head that has all of it"
    assert head(server) == before
    assert_gapless(server)


def test_a_repeated_push_that_has_grown_is_applied_from_where_it_is_new(server: Connection, ann: Sender) -> None:
    item = ann.create("work_item", task())
    first = ann.push_unheard()
    ann.change("work_item", item, 1, {"title": ("A task", "grown")})
    again = ann.pushed()
    assert list(again.verdicts)[:1] == list(first.verdicts)
    assert [v.version for v in again.verdicts] == [1, 2]
    assert history(server, item) == [(1, "accepted"), (2, "accepted")]


def test_a_repeated_push_that_is_shorter(server: Connection, ann: Sender) -> None:
    for n in range(3):
        ann.create("work_item", task(str(n)))
    whole = list(ann.push_unheard().verdicts)
    rest, ann.queue = ann.queue[1:], ann.queue[:1]
    assert ann.push() == whole[:1]
    ann.queue = rest
    assert ann.push() == whole[1:]
    assert server.execute("SELECT count(*) FROM localfirst.work_items").fetchone() == (3,)


def test_receipts_are_kept_until_they_are_acknowledged(server: Connection, ann: Sender) -> None:
    for _ in range(3):
        ann.create("work_item", task())
        ann.push()
    assert server.execute("SELECT count(*), max(last_number) FROM localfirst.push_receipts").fetchone() == (1, 3)


@pytest.mark.parametrize("clone_pushes", [1, 5])
@pytest.mark.parametrize("acknowledged", [True, False])
def test_a_clone_is_found_out_whether_it_pushes_fewer_or_more(
    server: Connection, ann: Sender, clone_pushes: int, acknowledged: bool
) -> None:
    ann.create("work_item", task())
    ann.push()
    clone = ann.copy()
    for n in range(3):
        ann.create("work_item", task(f"original {n}"))
    if acknowledged:
        ann.push()
    else:
        ann.push_unheard()
    for n in range(clone_pushes):
        clone.create("work_item", task(f"clone {n}"))
    with pytest.raises(IdentityTaken) as taken:
        clone.push()
    assert taken.value.agreed == 0
    assert server.execute("SELECT count(*) FROM localfirst.work_items").fetchone() == (4,)


def test_what_was_queued_before_the_copy_is_known_to_be_answered(server: Connection, ann: Sender) -> None:
    ann.create("work_item", task("queued before the copy"))
    clone = ann.copy()
    ann.create("work_item", task("original"))
    ann.push_unheard()
    clone.create("work_item", task("clone"))
    with pytest.raises(IdentityTaken) as taken:
        clone.push()
    assert taken.value.agreed == 1


def test_a_clone_that_continues_another_chain(server: Connection, ann: Sender) -> None:
    clone = ann.copy()
    ann.create("work_item", task("original"))
    ann.push()
    clone.acked_number, clone.acked_hash = 1, b"x" * 16
    clone.create("work_item", task("clone"))
    with pytest.raises(IdentityTaken):
        clone.push()


def test_a_server_that_forgot_what_it_had_acknowledged_was_restored(server: Connection, ann: Sender) -> None:
    ann.create("work_item", task())
    ann.push()
    server.execute("DELETE FROM localfirst.push_receipts")
    server.execute("DELETE FROM localfirst.replicas")
    ann.create("work_item", task())
    with pytest.raises(ServerWasRestored):
        ann.push()


def test_an_earlier_round_is_fenced_off(server: Connection, ann: Sender) -> None:
    ann.epoch = 7
    ann.create("work_item", task())
    ann.push()
    ann.epoch = 6
    ann.create("work_item", task())
    with pytest.raises(Fenced):
        ann.push()
    assert server.execute("SELECT count(*) FROM localfirst.work_items").fetchone() == (1,)
    ann.epoch = 8
    assert ann.push()[0].outcome == "accepted"


def test_a_new_identity_starts_from_nothing(server: Connection, ann: Sender) -> None:
    ann.create("work_item", task())
    ann.push()
    ann.replica_id, ann.acked_number, ann.acked_hash = new_id(), 0, EMPTY_HASH
    ann.create("work_item", task())
    assert ann.push()[0].number == 1
