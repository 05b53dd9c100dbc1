"""Parents, depth, references and dependencies are checked again under the head's lock."""

from __future__ import annotations

from localfirst_schema.identifiers import natural_id, new_id
from localfirst_sync.postgres.connection import Connection
from sync_looking import conflicts, reasons, row
from sync_sender import AT, Sender, task


def chain(sender: Sender, length: int, parent: str | None = None) -> list[str]:
    ids: list[str] = []
    for n in range(length):
        parent = sender.create("work_item", task(f"level {n}", parent_id=parent) if parent else task("root"))
        ids.append(parent)
    return ids


def move(sender: Sender, item: str, version: int, old: str | None, new: str | None) -> None:
    sender.change("work_item", item, version, {"parent_id": (old, new)})


def depend(sender: Sender, project: str, one: str, other: str, kind: str = "depends_on") -> str:
    link = natural_id(project, "work_item_dependency", one, other, kind)
    return sender.create("work_item_dependency", {"work_item_id": one, "depends_on_id": other, "dependency_type": kind}, link)


def test_five_levels_fit_and_a_sixth_does_not(server: Connection, ann: Sender) -> None:
    ids = chain(ann, 6)
    assert [v.outcome for v in ann.push()] == ["accepted"] * 5 + ["conflict"]
    assert reasons(server) == ["depth"]
    for depth, item in enumerate(ids[:5]):
        assert (row(server, item)["depth"], row(server, item)["path"]) == (depth, "/".join(ids[: depth + 1]))


def test_a_move_takes_everything_below_along(server: Connection, ann: Sender) -> None:
    ids, (other,) = chain(ann, 3), chain(ann, 1)
    ann.push()
    move(ann, ids[1], 1, ids[0], other)
    leaf = ann.create("work_item", task("new leaf", parent_id=ids[2]))
    assert [v.outcome for v in ann.push()] == ["accepted"] * 2
    assert row(server, ids[2])["path"] == "/".join((other, ids[1], ids[2]))
    assert (row(server, leaf)["path"], row(server, leaf)["depth"]) == ("/".join((other, ids[1], ids[2], leaf)), 3)


def test_a_move_that_makes_the_tree_too_deep_is_refused(server: Connection, ann: Sender) -> None:
    deep, other = chain(ann, 3), chain(ann, 3)
    ann.push()
    move(ann, other[0], 1, None, deep[2])
    assert ann.push()[0].outcome == "conflict"
    assert reasons(server) == ["depth"]
    assert row(server, other[0])["version"] == 3


def test_two_moves_that_would_close_a_circle(server: Connection, ann: Sender, bob: Sender) -> None:
    one, other = chain(ann, 1)[0], chain(ann, 1)[0]
    ann.push()
    move(ann, one, 1, None, other)
    move(bob, other, 1, None, one)
    move(bob, one, 2, other, one)
    ann.push()
    assert [v.outcome for v in bob.push()] == ["conflict", "conflict"]
    assert reasons(server) == ["cycle", "cycle"]


def test_a_circle_within_one_push(server: Connection, ann: Sender) -> None:
    one, other = chain(ann, 1)[0], chain(ann, 1)[0]
    move(ann, one, 1, None, other)
    move(ann, other, 1, None, one)
    assert [v.outcome for v in ann.push()] == ["accepted"] * 3 + ["conflict"]
    assert reasons(server) == ["cycle"]


def test_a_child_of_a_deleted_or_missing_parent(server: Connection, ann: Sender, bob: Sender) -> None:
    (parent,) = chain(ann, 1)
    ann.push()
    ann.delete("work_item", parent, 1)
    ann.push()
    bob.create("work_item", task(parent_id=parent))
    bob.create("work_item", task(parent_id=new_id()))
    assert [v.outcome for v in bob.push()] == ["conflict", "conflict"]
    assert reasons(server) == ["parent_deleted", "parent_missing"]


def test_a_parent_with_live_children_stays(server: Connection, ann: Sender, bob: Sender) -> None:
    parent, child = chain(ann, 2)
    ann.push()
    bob.delete("work_item", parent, 1)
    assert bob.push()[0].outcome == "conflict"
    assert reasons(server) == ["live_children"]
    ann.delete("work_item", child, 1)
    ann.delete("work_item", parent, 2)
    assert [v.outcome for v in ann.push()] == ["accepted", "merged"] or row(server, parent)["deleted_at"] is None


def test_children_and_parent_are_deleted_in_one_push(server: Connection, ann: Sender) -> None:
    parent, child = chain(ann, 2)
    ann.push()
    ann.delete("work_item", child, 1)
    ann.delete("work_item", parent, 1)
    assert [v.outcome for v in ann.push()] == ["accepted"] * 2
    ann.change("work_item", child, 2, {"deleted_at": (AT, None)})
    assert ann.push()[0].outcome == "conflict"
    assert reasons(server) == ["parent_deleted"]


def test_a_dependency_that_closes_a_circle(server: Connection, ann: Sender, bob: Sender, project: str) -> None:
    a, b, c = (chain(ann, 1)[0] for _ in range(3))
    depend(ann, project, a, b)
    depend(ann, project, c, b, "blocks")
    ann.push()
    depend(bob, project, c, a)
    depend(bob, project, a, c, "blocks")
    assert [v.outcome for v in bob.push()] == ["conflict", "conflict"]
    assert reasons(server) == ["cycle", "cycle"]
    depend(bob, project, a, c)
    assert bob.push()[0].outcome == "accepted"


def test_a_circle_of_dependencies_within_one_push_opens_when_one_goes(server: Connection, ann: Sender, project: str) -> None:
    a, b = (chain(ann, 1)[0] for _ in range(2))
    there = depend(ann, project, a, b)
    depend(ann, project, b, a)
    ann.delete("work_item_dependency", there, 1)
    depend(ann, project, b, a)
    assert [v.outcome for v in ann.push()] == ["accepted"] * 3 + ["conflict", "accepted", "merged"]
    assert reasons(server) == ["cycle"]


def test_a_link_to_what_is_not_there(server: Connection, ann: Sender, project: str) -> None:
    (item,) = chain(ann, 1)
    missing = new_id()
    depend(ann, project, item, missing)
    ann.create("work_item_comment", {"work_item_id": missing, "body": "lost"})
    ann.create("work_item_comment", {"work_item_id": item, "body": "found"})
    assert [v.outcome for v in ann.push()] == ["accepted", "conflict", "conflict", "accepted"]
    assert reasons(server) == ["reference_missing"] * 2
    ann.delete("work_item", item, 1)
    ann.create("work_item_comment", {"work_item_id": item, "body": "too late"})
    assert [v.outcome for v in ann.push()] == ["accepted", "conflict"]
    assert conflicts(server)[-1]["mine"]["body"] in ("too late", "lost")
    assert reasons(server)[-1] == "reference_deleted"
