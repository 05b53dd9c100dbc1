"""What a push does with single changes, in a real PostgreSQL."""

from __future__ import annotations

import pytest
from localfirst_schema.identifiers import natural_id, new_id
from localfirst_sync.postgres.connection import Connection
from sync_looking import assert_gapless, conflicts, head, history, row
from sync_sender import AT, Sender, task


def test_a_creation_and_its_edits_arrive_with_the_versions_that_the_replica_showed(server: Connection, ann: Sender) -> None:
    item = ann.create("work_item", task())
    for version, title in enumerate(("one", "two", "three"), 1):
        ann.change("work_item", item, version, {"title": ({1: "A task", 2: "one", 3: "two"}[version], title)})
    pushed = ann.pushed()
    assert [(v.outcome, v.version) for v in pushed.verdicts] == [("accepted", n) for n in (1, 2, 3, 4)]
    assert (row(server, item)["version"], row(server, item)["title"]) == (4, "three")
    assert history(server, item) == [(n, "accepted") for n in (1, 2, 3, 4)]
    assert pushed.before is not None
    assert pushed.after == head(server) == (pushed.before.seq + 4, head(server)[1])


def test_who_and_when_come_from_the_change(server: Connection, ann: Sender, bob: Sender) -> None:
    item = ann.create("work_item", task(created_at=AT))
    ann.push()
    bob.change("work_item", item, 1, {"status": ("active", "blocked")})
    bob.push()
    found = row(server, item)
    assert (found["created_by"], found["updated_by"]) == ("ann", "bob")
    assert found["created_at"].isoformat() == "2026-01-02T03:04:05.000006+00:00"


def test_fields_that_only_one_side_touched_merge(server: Connection, ann: Sender, bob: Sender) -> None:
    item = ann.create("work_item", task())
    ann.push()
    ann.change("work_item", item, 1, {"title": ("A task", "by ann"), "metadata": ({}, {"estimated_hours": 2})})
    bob.change("work_item", item, 1, {"status": ("active", "blocked"), "metadata": ({"priority": "high"}, {"priority": "low"})})
    ann.push()
    verdict = bob.push()[0]
    assert (verdict.outcome, verdict.version) == ("merged", 3)
    found = row(server, item)
    assert (found["title"], found["status"], found["version"]) == ("by ann", "blocked", 3)
    assert found["metadata"] == {"priority": "low", "estimated_hours": 2}
    assert history(server, item)[-1] == (3, "merged")
    assert conflicts(server) == []


def test_a_merge_raises_the_row_past_the_version_that_the_losing_branch_showed(
    server: Connection, ann: Sender, bob: Sender
) -> None:
    item = ann.create("work_item", task())
    ann.push()
    for version in range(1, 6):
        bob.change("work_item", item, version, {"pr_number": (version - 1 or None, version)})
    ann.change("work_item", item, 1, {"title": ("A task", "by ann")})
    ann.push()
    versions = [verdict.version for verdict in bob.push()]
    assert versions == sorted(set(versions))
    assert versions[0] == 3
    assert row(server, item)["version"] == versions[-1] == 7


def test_a_field_that_both_sides_changed_is_a_conflict_which_keeps_everything(
    server: Connection, ann: Sender, bob: Sender
) -> None:
    item = ann.create("work_item", task())
    ann.push()
    ann.change("work_item", item, 1, {"title": ("A task", "by ann"), "metadata": ({"priority": "high"}, {"priority": "low"})})
    ann.push()
    bob.change(
        "work_item",
        item,
        1,
        {
            "title": ("A task", "by bob"),
            "status": ("active", "blocked"),
            "metadata": ({"priority": "high"}, {"priority": "medium", "actual_hours": 1}),
        },
    )
    verdict = bob.push()[0]
    assert (verdict.outcome, verdict.version) == ("conflict", 3)
    found = row(server, item)
    assert (found["title"], found["status"], found["version"]) == ("by ann", "blocked", 3)
    assert found["metadata"] == {"priority": "low", "actual_hours": 1}
    (conflict,) = conflicts(server)
    assert str(conflict["id"]) == verdict.conflict_id
    assert conflict["fields"] == ["metadata.priority", "title"]
    assert conflict["base"] == {"title": "A task", "metadata": {"priority": "high"}}
    assert conflict["mine"] == {"title": "by bob", "metadata": {"priority": "medium"}}
    assert conflict["theirs"] == {"title": "by ann", "metadata": {"priority": "low"}}
    assert (conflict["base_version"], conflict["my_version"], conflict["their_version"]) == (1, 2, 2)
    assert (conflict["my_by"], conflict["their_by"], conflict["reason"]) == ("bob", "ann", "fields")
    assert history(server, item)[-1] == (3, "lost")
    assert history(server, str(conflict["id"])) == [(1, "accepted")]


def test_later_clashes_of_the_same_branch_join_its_open_conflict(server: Connection, ann: Sender, bob: Sender) -> None:
    item = ann.create("work_item", task())
    ann.push()
    ann.change("work_item", item, 1, {"title": ("A task", "by ann"), "status": ("active", "completed")})
    ann.push()
    bob.change("work_item", item, 1, {"title": ("A task", "bob 1")})
    bob.change("work_item", item, 2, {"title": ("bob 1", "bob 2"), "status": ("active", "blocked")})
    first, second = bob.push()
    bob.change("work_item", item, 3, {"title": ("bob 2", "bob 3")})
    (third,) = bob.push()
    assert first.conflict_id == second.conflict_id == third.conflict_id
    (conflict,) = conflicts(server)
    assert conflict["fields"] == ["status", "title"]
    assert conflict["base"] == {"title": "A task", "status": "active"}
    assert conflict["mine"] == {"title": "bob 3", "status": "blocked"}
    assert conflict["theirs"] == {"title": "by ann", "status": "completed"}
    assert history(server, str(conflict["id"])) == [(1, "accepted"), (2, "accepted"), (3, "accepted")]


def test_two_replicas_have_a_conflict_each(server: Connection, ann: Sender, bob: Sender) -> None:
    item = ann.create("work_item", task())
    ann.push()
    server.execute("UPDATE localfirst.work_items SET title = 'direct' WHERE id = %s", (item,))
    for sender in (ann, bob):
        sender.change("work_item", item, 1, {"title": ("A task", f"by {sender.by}")})
        sender.push()
    assert [(c["mine"]["title"], c["theirs"]["title"]) for c in conflicts(server)] == [
        ("by ann", "direct"),
        ("by bob", "direct"),
    ]


def test_an_update_of_a_deleted_row_is_a_conflict_and_a_second_deletion_is_none(
    server: Connection, ann: Sender, bob: Sender
) -> None:
    item = ann.create("work_item", task())
    ann.push()
    ann.delete("work_item", item, 1)
    ann.push()
    bob.delete("work_item", item, 1)
    bob.change("work_item", item, 2, {"title": ("A task", "late")})
    deleted, updated = bob.push()
    assert deleted.outcome == "merged"
    assert updated.outcome == "conflict"
    assert [c["reason"] for c in conflicts(server)] == ["deleted"]
    assert row(server, item)["deleted_at"] is not None


def test_a_deletion_of_a_row_that_changed_is_a_conflict(server: Connection, ann: Sender, bob: Sender) -> None:
    item = ann.create("work_item", task())
    ann.push()
    ann.change("work_item", item, 1, {"title": ("A task", "kept")})
    ann.push()
    bob.delete("work_item", item, 1)
    assert bob.push()[0].outcome == "conflict"
    assert row(server, item)["deleted_at"] is None
    assert conflicts(server)[0]["mine"] == {"deleted_at": AT}


def test_an_update_of_a_row_that_the_server_never_had_is_kept_as_a_conflict(server: Connection, ann: Sender) -> None:
    item = new_id()
    ann.change("work_item", item, 3, {"title": ("old", "new")})
    assert ann.push()[0].outcome == "conflict"
    (conflict,) = conflicts(server)
    assert (conflict["reason"], conflict["mine"], conflict["theirs"]) == ("missing", {"title": "new"}, {})
    assert (conflict["their_version"], history(server, item)) == (None, [(4, "lost")])


def test_the_same_vendor_made_twice_is_one(server: Connection, ann: Sender, bob: Sender, project: str) -> None:
    values = {"name": "Zürich", "operational": True, "metadata": {}}
    vendor = natural_id(project, "vendor", "Zürich")
    ann.create("vendor", values, vendor)
    ann.push()
    bob.create("vendor", values, vendor)
    pushed = bob.pushed()
    assert (pushed.verdicts[0].outcome, pushed.verdicts[0].version) == ("merged", 2)
    assert history(server, vendor) == [(1, "accepted"), (2, "merged")], "past both sides, so that every replica takes this row"


def test_a_vendor_that_differs_merges_and_a_tombstone_is_revived(
    server: Connection, ann: Sender, bob: Sender, project: str
) -> None:
    vendor = natural_id(project, "vendor", "Alder")
    ann.create("vendor", {"name": "Alder", "operational": True, "metadata": {}}, vendor)
    ann.push()
    ann.delete("vendor", vendor, 1)
    ann.push()
    bob.create("vendor", {"name": "Alder", "operational": False, "metadata": {"manifest_compliant": True}}, vendor)
    assert bob.push()[0].outcome == "merged"
    found = row(server, vendor, "vendor_extractors")
    assert (found["deleted_at"], found["operational"], found["status"]) == (None, False, "broken")
    assert found["version"] == 3


def test_the_first_claim_stands_and_the_later_is_lost_without_a_conflict(server: Connection, ann: Sender, bob: Sender) -> None:
    item = ann.create("work_item", task())
    ann.push()
    for sender in (ann, bob):
        sender.change("work_item", item, 1, {"claimed_by": (None, sender.by)})
    assert [s.push()[0].outcome for s in (ann, bob)] == ["accepted", "merged"]
    assert row(server, item)["claimed_by"] == "ann"
    assert conflicts(server) == []
    assert history(server, item) == [(1, "accepted"), (2, "accepted"), (3, "lost")]


def test_a_version_can_be_used_once(server: Connection, ann: Sender, bob: Sender) -> None:
    item = ann.create("work_item", task())
    ann.push()
    for sender in (ann, bob):
        sender.change("work_item", item, 1, {"title": ("A task", "the same")})
    assert [s.push()[0].outcome for s in (ann, bob)] == ["accepted", "merged"]
    assert row(server, item)["version"] == 3


@pytest.mark.parametrize("count", [1, 30, 1200])
def test_any_number_of_rows_goes_in_one_push(server: Connection, ann: Sender, count: int) -> None:
    items = [ann.create("work_item", task(f"number {n}", branch_name=f"number\t{n}\n\\N \x01,")) for n in range(count)]
    assert {verdict.outcome for verdict in ann.push()} == {"accepted"}
    for n, item in enumerate(items):
        ann.change(
            "work_item",
            item,
            1,
            {"branch_name": (f"number\t{n}\n\\N \x01,", f"{n}\\t\r\n"), "metadata": ({"priority": "high"}, {})},
        )
    assert {verdict.outcome for verdict in ann.push()} == {"accepted"}
    texts = server.execute("SELECT branch_name, version, metadata FROM localfirst.work_items").fetchall()
    assert sorted(map(str, texts)) == sorted(str((f"{n}\\t\r\n", 2, {})) for n in range(count))
    assert head(server)[0] == 1 + 2 * count
    assert_gapless(server)
