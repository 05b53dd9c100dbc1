"""An act stands or falls whole, and what the server refuses never blocks the queue."""

from __future__ import annotations

import pytest
from localfirst_schema.identifiers import natural_id, new_id
from localfirst_sync.postgres.connection import Connection
from sync_looking import assert_gapless, conflicts, history, reasons, row
from sync_sender import AT, Sender, task


def new(entity: str, row_id: str, values: dict[str, object]) -> tuple[str, str, int, dict[str, tuple[object, object]]]:
    return entity, row_id, 0, {name: (None, value) for name, value in values.items()}


def test_an_act_is_applied_whole(server: Connection, ann: Sender, project: str) -> None:
    item = ann.create("work_item", task())
    deployment = new_id()
    link = natural_id(project, "work_item_deployment_link", deployment, item)
    ann.act(
        new("deployment", deployment, {"deployed_at": AT, "metadata": {"pr_number": 1}}),
        new("work_item_deployment_link", link, {"deployment_id": deployment, "work_item_id": item}),
    )
    assert [v.outcome for v in ann.push()] == ["accepted"] * 3
    assert row(server, link, "work_item_deployment_links")["version"] == 1


def test_an_act_with_one_clash_becomes_conflicts_whole(server: Connection, ann: Sender, bob: Sender) -> None:
    one, other = (ann.create("work_item", task(title)) for title in ("one", "other"))
    ann.push()
    ann.change("work_item", other, 1, {"title": ("other", "by ann")})
    ann.push()
    bob.act(
        ("work_item", one, 1, {"title": ("one", "by bob")}),
        ("work_item", other, 1, {"title": ("other", "by bob"), "status": ("active", "blocked")}),
    )
    bob.change("work_item", one, 2, {"status": ("active", "blocked")})
    first, second, third = bob.push()
    assert (first.outcome, second.outcome, third.outcome) == ("conflict", "conflict", "merged")
    assert (row(server, one)["title"], row(server, one)["status"]) == ("one", "blocked")
    assert (row(server, other)["title"], row(server, other)["status"]) == ("by ann", "active")
    assert history(server, one) == [(1, "accepted"), (3, "lost"), (4, "merged")]
    found = conflicts(server)
    assert len({conflict["act_id"] for conflict in found}) == 1
    assert reasons(server) == ["act", "fields"]
    assert [c["mine"] for c in found if c["reason"] == "fields"] == [{"title": "by bob", "status": "blocked"}]


def test_a_conflict_is_settled_once(server: Connection, ann: Sender, bob: Sender) -> None:
    item = ann.create("work_item", task())
    ann.push()
    for sender in (ann, bob):
        sender.change("work_item", item, 1, {"title": ("A task", f"by {sender.by}")})
        sender.push()
    (conflict,) = conflicts(server)
    settled = {"resolved_at": (None, AT), "resolved_by": (None, "ann"), "resolution": (None, "mine")}
    ann.act(("work_item", item, 3, {"title": ("by ann", "by bob")}), ("conflict", str(conflict["id"]), 1, settled))
    assert [v.outcome for v in ann.push()] == ["accepted", "accepted"]
    bob.change("conflict", str(conflict["id"]), 1, settled | {"resolution": (None, "theirs")})
    assert [v.outcome for v in bob.push()] == ["merged"]
    (conflict,) = conflicts(server)
    assert (conflict["resolution"], conflict["resolved_by"], row(server, item)["title"]) == ("mine", "ann", "by bob")
    assert history(server, str(conflict["id"])) == [(1, "accepted"), (2, "accepted"), (2, "lost")]


def test_a_clash_after_the_conflict_was_settled_opens_another(server: Connection, ann: Sender, bob: Sender) -> None:
    item = ann.create("work_item", task())
    ann.push()
    for sender in (ann, bob):
        sender.change("work_item", item, 1, {"title": ("A task", f"by {sender.by}")})
        sender.push()
    settled = {"resolved_at": (None, AT), "resolved_by": (None, "bob"), "resolution": (None, "theirs")}
    bob.change("conflict", str(conflicts(server)[0]["id"]), 1, settled)
    bob.change("work_item", item, 1, {"title": ("A task", "again")})
    assert [v.outcome for v in bob.push()] == ["accepted", "conflict"]
    assert [c["resolved_at"] is None for c in conflicts(server)].count(True) == 1


@pytest.mark.parametrize(
    ("entity", "values", "reason"),
    [
        ("work_item", task(status="unheard of"), "constraint: work_items_status_check"),
        ("work_item", task(metadata={"priority": "critical"}), "constraint: work_items_metadata_check"),
        ("work_item", task(pr_number=2**70), "constraint: NumericValueOutOfRange"),
        ("work_item", task(title="NUL \x00"), "constraint: UntranslatableCharacter"),
        ("work_item", task(colour="red"), "unknown_field"),
        ("work_item", task(parent_id="not an id"), "invalid_reference"),
        ("work_item", task(archived_at="yesterday-ish"), "constraint: InvalidDatetimeFormat"),
        ("gadget", {"name": "x"}, "unknown_entity"),
        ("vendor", {"name": "no metadata"}, "constraint: NotNullViolation"),
    ],
)
@pytest.mark.parametrize("place", [0, 7, 19])
def test_what_the_server_refuses_becomes_a_conflict_and_the_rest_goes_through(
    server: Connection, ann: Sender, entity: str, values: dict[str, object], reason: str, place: int
) -> None:
    for n in range(20):
        if n == place:
            ann.create(entity, values)
        else:
            ann.create("work_item", task(f"good {n}"))
    verdicts = ann.push()
    assert [v.outcome for v in verdicts] == ["conflict" if n == place else "accepted" for n in range(20)]
    (conflict,) = conflicts(server)
    assert conflict["reason"] == reason
    kept = str(conflict["mine"])
    assert all(str(value).split("\x00")[0] in kept for value in values.values() if not isinstance(value, dict))
    assert_gapless(server)


def test_several_offenders_in_a_batch_and_in_an_act(server: Connection, ann: Sender) -> None:
    good = [ann.create("work_item", task(str(n))) for n in range(10)]
    for n in range(5):
        ann.create("work_item", task(f"bad {n}", status="?"))
        good.append(ann.create("work_item", task(f"between {n}")))
    ann.act(new("work_item", new_id(), task("innocent")), new("work_item", new_id(), task("guilty", status="?")))
    ann.change("work_item", good[0], 1, {"title": ("0", "after all")})
    outcomes = [v.outcome for v in ann.push()]
    assert (outcomes.count("conflict"), outcomes.count("accepted"), outcomes[-1]) == (7, 16, "accepted")
    assert server.execute("SELECT count(*) FROM localfirst.work_items").fetchone() == (15,)
    assert row(server, good[0])["version"] == 2
    assert_gapless(server)


def test_what_cannot_even_be_read_is_kept(server: Connection, ann: Sender) -> None:
    mutation = ann.create("work_item", task())
    assert mutation
    broken = ann.queue[0].__class__(1, 1, "work_item", "no id", 0, 1, "a\x00b" * 60, "some day", '{"title": {"new"')
    ann.queue = [broken]
    assert [v.outcome for v in ann.push()] == ["conflict"]
    assert '{"title": {"new"' in str(conflicts(server)[0]["mine"])
