"""Concurrent updates: two agents change one item from the same version; the second is refused, reads again, loses nothing."""

from __future__ import annotations

from scenarios.conftest import Join, NewLaptop


def test_concurrent_updates_on_one_laptop(new_laptop: NewLaptop, join: Join) -> None:
    laptop = new_laptop()
    ann, ben = join(laptop, "ann"), join(laptop, "ben")
    item = ann.create("Mend the parser", metadata={"priority": "low"})
    read_by_ben = ben.read(item)
    assert ann.update(item, status="blocked", metadata={"blocked_reason": "fixtures"})["version"] == 2

    refusal = ben.refused("update_work_item", id=item["id"], version=read_by_ben["version"], title="Mend the reader")
    assert refusal.kind == "VersionMismatchError"
    assert "version mismatch" in refusal.text
    assert (refusal.details["expected_version"], refusal.details["actual_version"]) == (1, 2)
    assert refusal.details["updated_by"] == "ann"

    updated = ben.update(ben.read(item), title="Mend the reader")
    assert (updated["version"], updated["status"], updated["title"]) == (3, "blocked", "Mend the reader")
    assert updated["metadata"] == {"priority": "low", "blocked_reason": "fixtures"}
    changes = ann.call("get_history", entity="work_item", id=item["id"])["changes"]
    assert [(change["version"], change["by"]) for change in changes] == [(3, "ben"), (2, "ann"), (1, "ann")]


def test_concurrent_updates_on_two_laptops(new_laptop: NewLaptop, join: Join, database_url: str) -> None:
    ann, ben = join(new_laptop("ann", database_url), "ann"), join(new_laptop("ben", database_url), "ben")
    item = ann.create("Mend the parser")
    ann.call("sync_now")
    seen = ben.read(item)
    assert (seen["version"], seen["data_source"]) == (1, "postgresql")
    ann.update(item, status="completed")
    ann.call("sync_now")
    refusal = ben.refused("update_work_item", id=item["id"], version=2**31, title="from a version that nobody has")
    assert refusal.details["actual_version"] == 2, "the newer version was fetched before the answer"
    assert ben.update(ben.read(item), title="Mend the reader")["version"] == 3
    ben.call("sync_now")
    both = ann.read(item)
    assert (both["title"], both["status"], both["version"]) == ("Mend the reader", "completed", 3)
