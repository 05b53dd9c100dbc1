"""Cases of settling, merging and going back: each was a wrong answer once."""

from __future__ import annotations

import unicodedata
from typing import Any

from localfirst_schema.entities import VENDOR, WORK_ITEM
from localfirst_schema.identifiers import natural_id

from simulation.stage import Stage
from simulation.violation import hold

NOWHERE = natural_id("", "nowhere", "case")


def _shared(stage: Stage, **values: Any) -> str:
    """An item that machines 0 and 1 hold."""
    item = stage.item(0, **values)
    stage.sync(0, 1)
    return item


def a_deleted_row_is_settled_with_theirs(stage: Stage) -> None:
    """One deletes, the other edits; whoever settles with `theirs` lets the deletion stand, and is done."""
    item = _shared(stage)
    stage.update(0, item, deleted=True)
    stage.update(1, item, title="edited")
    stage.sync(0, 1)
    stage.settle(1, "theirs")
    stage.sync(1, 0)
    hold(not stage.conflicts(0), "settling did not settle")
    hold(stage.displayed(0, item)["deleted_at"] is not None, "theirs did not stand")


def a_deleted_row_is_settled_with_mine(stage: Stage) -> None:
    """The same, settled with `mine` by somebody else: the edit needs the row back."""
    item = _shared(stage)
    stage.update(0, item, deleted=True)
    stage.update(1, item, title="edited")
    stage.sync(0, 1, 2)
    stage.settle(2, "mine")
    stage.sync(2, 0)
    hold(not stage.conflicts(0), "settling did not settle")
    hold(stage.displayed(0, item)["title"] == "edited", "mine did not stand")


def both_set_a_field_alike_and_go_back(stage: Stage) -> None:
    """Both set one field alike, one sets another besides: the version that both showed can be reached again."""
    item = _shared(stage)
    stage.update(0, item, title="alike", status="blocked")
    stage.update(1, item, title="alike")
    stage.sync(0, 1, 0)
    stage.update(0, item, title="later")
    stage.sync(0)
    hold(stage.revert(0, item, 2)["title"] == "alike", "a revert to a version that never was")


def going_back_past_a_blind_change(stage: Stage) -> None:
    """A change by somebody who had not seen the item lies between the present and the version that is wanted."""
    item = stage.item(0, metadata={"note": "first"})
    stage.sync(0)
    stage.update(2, item, version=1, metadata={"note": "blind"}, title="blind")
    stage.sync(2, 0)
    now = stage.revert(0, item, 1)
    hold((now["title"], now["metadata"]) == ("an item", '{"note":"first"}'), "a revert to a version that never was", now)


def going_back_to_what_was_created_twice(stage: Stage) -> None:
    """One id is created on two machines, with other content: each version is what somebody saw as it."""
    item = natural_id("", "pool", "case")
    stage.item(0, "one", id=item, metadata={"a": 1})
    stage.item(1, "one", id=item, metadata={"b": 2})
    stage.sync(0, 1, 0)
    stage.update(0, item, title="later")
    stage.sync(0)
    first, second = stage.revert(0, item, 1), stage.revert(0, item, 2)
    hold(first["metadata"] == '{"a":1}', "a revert to a version that never was", first)
    hold(second["metadata"] == '{"a":1,"b":2}', "a revert to a version that never was", second)


def true_is_not_one(stage: Stage) -> None:
    """What Python takes for equal is not: a revert from 1 to true is a change."""
    item = _shared(stage, metadata={"flag": True})
    stage.update(0, item, metadata={"flag": 1})
    hold(stage.revert(0, item, 1)["metadata"] == '{"flag":true}', "a revert to a version that never was")


def two_blind_changes_are_both_kept(stage: Stage) -> None:
    """Two blind changes of one item from one machine: the values of both are in their common conflict."""
    item = stage.item(0, metadata={"a": 1, "b": 1})
    stage.update(0, item, metadata={"a": 2, "b": 2})
    stage.sync(0)
    stage.update(2, item, version=1, metadata={"a": "first"})
    stage.update(2, item, version=2, metadata={"b": "second"})
    stage.sync(2)
    hold(stage.conflict()["mine"] == {"metadata": {"a": "first", "b": "second"}}, "a blind value is nowhere", stage.conflict())
    stage.settle(2, "mine")
    stage.sync(2)
    hold(stage.displayed(2, item)["metadata"] == '{"a":"first","b":"second"}', "mine did not stand")


def a_blind_change_of_what_is_nowhere_can_be_read(stage: Stage) -> None:
    """Nobody has the item; `get_history` and the conflict show what was said of it."""
    stage.update(0, NOWHERE, version=3, title="lost", metadata={"note": "kept"})
    stage.update(0, NOWHERE, version=4, metadata={"list": [1]})
    stage.sync(0)
    logged = [line["fields"] for line in stage.history(0, NOWHERE)]
    hold(len(logged) == 2 and logged[0]["title"]["new"] == "lost", "no tool shows an acknowledged write", logged)
    mine = stage.conflict()["mine"]
    hold(mine == {"title": "lost", "metadata": {"note": "kept", "list": [1]}}, "a blind value is nowhere", mine)


def a_blind_patch_clashes_by_its_places(stage: Stage) -> None:
    """Of a blind change of metadata `mine` holds the places that it names, and can be settled as any other."""
    item = _shared(stage, metadata={"note": "first", "kept": 1})
    stage.update(0, item, metadata={"note": "other"})
    stage.sync(0)
    stage.update(2, item, version=1, metadata={"note": "blind"})
    stage.sync(2)
    hold(stage.conflict()["mine"] == {"metadata": {"note": "blind"}}, "mine is not the patch", stage.conflict())
    stage.settle(2, "mine")
    stage.sync(2)
    hold(stage.displayed(2, item)["metadata"] == '{"kept":1,"note":"blind"}', "mine did not stand", stage.displayed(2, item))


def two_settle_at_once(stage: Stage) -> None:
    """Two machines settle one conflict, each in its own way, without knowing of each other: the later one has lost."""
    item = _shared(stage)
    stage.update(0, item, title="mine")
    stage.update(1, item, title="theirs")
    stage.sync(0, 1, 0, 2)
    stage.settle(0, "mine")
    stage.settle(1, "theirs")
    stage.settle(2, "merge", title="merged")
    stage.sync(0, 1, 2, 0)
    hold(len(stage.conflicts(0)) <= 1, "a settlement opened more conflicts than it had values")


def two_settle_alike(stage: Stage) -> None:
    """Two machines settle one conflict with the same values: nothing is left to settle."""
    item = _shared(stage)
    for resolution in ("mine", "theirs"):
        stage.update(0, item, title=f"{resolution} here")
        stage.update(1, item, title=f"{resolution} there")
        stage.sync(0, 1, 0)
        stage.settle(0, resolution)
        stage.settle(1, resolution)
        stage.sync(0, 1, 0)
        hold(not stage.conflicts(0), "a settlement opened a conflict about nothing")


def deleted_and_undeleted(stage: Stage) -> None:
    """Somebody deletes an item and takes that back, while another edits it: what it comes to is no change."""
    item = _shared(stage)
    stage.update(0, item, deleted=True)
    stage.update(0, item, deleted=False)
    stage.update(1, item, title="edited")
    stage.sync(1, 0, 1)
    hold(not stage.conflicts(0), "a conflict is about nothing")
    hold(stage.displayed(0, item)["title"] == "edited", "a value was silently overwritten")


def a_branch_takes_back_what_clashed(stage: Stage) -> None:
    """A key that clashed is removed again by the same branch: its open conflict is settled, as nothing is left in it."""
    item = _shared(stage)
    stage.update(0, item, metadata={"hours": 8})
    stage.update(1, item, metadata={"hours": 2})
    stage.sync(1)
    stage.sync(0, killed_at="after acknowledge")
    stage.update(0, item, metadata={"hours": None})
    stage.sync(0, 1)
    hold(not stage.conflicts(1), "a conflict is about nothing")


def a_name_in_two_normal_forms(stage: Stage) -> None:
    """A vendor in one form here and in another one by SQL is one vendor, and no conflict."""
    name = "C\u00e9dar"
    stage.psql(lambda sql: sql.insert(VENDOR, name=unicodedata.normalize("NFD", name), operational=True, metadata={}))
    stage.do(0, "create_vendor", name=name, operational=True)
    stage.sync(0, 1)
    hold(not stage.conflicts(1), "a conflict is about nothing")


def a_change_of_nothing_against_a_deletion(stage: Stage) -> None:
    """Somebody sets what is set already, and another deletes: the deletion stands, and nobody has to settle anything."""
    item = _shared(stage)
    stage.update(1, item, title="an item")
    stage.update(1, item, title="alike")
    stage.update(0, item, title="alike")
    stage.update(0, item, deleted=True)
    stage.sync(0, 1)
    hold(not stage.conflicts(1), "a conflict is about nothing")


def dependencies_have_one_order(stage: Stage) -> None:
    """What an item waits for is listed in one order everywhere, whoever linked it first."""
    item, others = _shared(stage), [stage.item(0, f"other {number}") for number in range(4)]
    stage.sync(0, 1)
    for place, other in enumerate(others):
        stage.do(place % 2, "link_work_items", source_id=item, target_id=other, dependency_type="depends_on")
    stage.sync(1, 0, 1)


def a_row_that_the_log_tells_already(stage: Stage) -> None:
    """Somebody with psql creates, by its id, what a blind change was refused for: versions go on past that one."""
    stage.update(0, NOWHERE, version=4, title="blind")
    stage.sync(0)
    stage.psql(lambda sql: sql.insert(WORK_ITEM, id=NOWHERE, item_type="task", title="x", status="active", metadata={}))
    stage.sync(0, 1)
    hold(stage.displayed(1, NOWHERE)["version"] > 5, "a version fell", stage.displayed(1, NOWHERE))


def two_spellings_in_two_histories(stage: Stage) -> None:
    """A vendor in one form on a server that is set back, in the other one on a machine that brings it: one of them is left."""
    dump, name = stage.dump(), "C\u00e9dar"
    stage.psql(lambda sql: sql.insert(VENDOR, name=unicodedata.normalize("NFD", name), operational=True, metadata={}))
    stage.sync(0)
    stage.set_back(dump)
    stage.do(1, "create_vendor", name=name, operational=True)
    stage.sync(1, 0, 1)


def a_conflict_grows_while_its_settlement_waits(stage: Stage) -> None:
    """One settles a conflict, and cannot send it yet; the one who made it goes on meanwhile, and more is joined to it."""
    item = _shared(stage)
    stage.psql(lambda sql: sql.update(WORK_ITEM, item, title="psql", status="blocked"))
    stage.update(0, item, title="mine")
    stage.sync(0, killed_at="after acknowledge")
    stage.sync(1)
    stage.settle(1, "theirs")
    stage.update(0, item, status="completed")
    stage.sync(0)
    stage.hold(item)
    stage.sync(1)
    stage.let_go()
    here = stage.conflict_at(1)
    hold(here["mine"] == {"title": "mine", "status": "completed"}, "what was joined is not displayed where it was settled")
    hold(here["resolution"] == "theirs", "a settlement that waits is not displayed")
    stage.sync(1, 0)


def what_others_have_touched_is_not_undone(stage: Stage) -> None:
    """Somebody takes back what they did last: not where another has changed the row since."""
    item = _shared(stage)
    stage.update(0, item, title="mine")
    stage.sync(0, 1)
    stage.update(1, item, status="blocked")
    stage.sync(1, 0)
    stage.refuses(0, "undo")


def a_deletion_that_clashes_keeps_what_came_with_it(stage: Stage) -> None:
    """An item is deleted, taken back with a change, and that is undone, while another edits it: nothing of it is lost."""
    item = _shared(stage)
    stage.update(1, item, title="edited")
    stage.update(0, item, deleted=True)
    stage.update(0, item, deleted=False, branch_name="main")
    stage.do(0, "undo")
    stage.sync(1, 0)
    mine = stage.conflict()["mine"]
    hold(mine["branch_name"] is None and mine["deleted_at"] is not None, "a value is nowhere", mine)


def a_branch_takes_back_what_it_did_in_an_object_that_is_gone(stage: Stage) -> None:
    """An object in the metadata is removed; another adds a key to it, which clashes, and takes that back: nothing is left."""
    item = _shared(stage, metadata={"plan": {"step": 1}})
    stage.update(1, item, metadata={"plan": None})
    stage.update(0, item, metadata={"plan": {"z": 1}})
    stage.sync(1)
    stage.sync(0, killed_at="after acknowledge")
    stage.do(0, "undo")
    stage.sync(0)
    hold(stage.conflict()["resolution"] == "theirs", "a conflict about nothing is open", stage.conflict())


def a_branch_takes_back_what_clashed_twice(stage: Stage) -> None:
    """What clashed is taken back, done again and taken back in one push: the conflict is settled by the first of these."""
    item = _shared(stage)
    stage.update(1, item, metadata={"priority": "medium"})
    stage.update(0, item, metadata={"priority": "high"})
    stage.sync(1)
    stage.sync(0, killed_at="after acknowledge")
    for _ in range(3):
        stage.do(0, "undo")
    stage.sync(0)
    hold(stage.conflict()["resolution"] == "theirs", "a conflict about nothing is open", stage.conflict())
