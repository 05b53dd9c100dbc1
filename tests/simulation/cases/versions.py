"""Cases of versions, which never fall and never say two things, and of changes that are logged again."""

from __future__ import annotations

from localfirst_schema.entities import VENDOR, WORK_ITEM
from localfirst_schema.identifiers import natural_id

from simulation.direct_sql import Psql
from simulation.stage import Stage
from simulation.violation import hold

POOLED = natural_id("", "pool", "case")


def a_version_that_showed_the_loser_is_not_given_to_the_winner(stage: Stage) -> None:
    """A waiting change is displayed on top of what others did, at a version of its own; it clashes, and its writer goes on."""
    item = stage.item(0)
    stage.sync(0)
    stage.hold(item)
    stage.update(0, item, title="mine")
    stage.let_go()

    def rename(sql: Psql) -> None:
        for number in range(3):
            sql.update(WORK_ITEM, item, title=f"psql {number}")

    stage.psql(rename)
    stage.hold(item)
    stage.sync(0)
    stage.let_go()
    stage.sync(0, killed_at="after acknowledge")
    stage.update(0, item, status="blocked")
    stage.sync(0)


def a_creation_that_was_refused_has_displayed_versions(stage: Stage) -> None:
    """A child of a deleted parent is refused and gone again; somebody else creates it anew: versions go on where it ended."""
    parent = stage.item(0, "parent")
    stage.sync(0, 1)
    stage.update(1, parent, deleted=True)
    stage.item(0, "child", id=POOLED, parent_id=parent)
    stage.update(0, POOLED, title="changed")
    stage.sync(1, 0)
    stage.item(1, "another", id=POOLED)
    stage.sync(1, 0)


def a_copy_that_waits_for_what_was_brought_back(stage: Stage) -> None:
    """A change is pushed and pulled by others; its replica is put back to before, and so is the server: it is logged once."""
    stage.sync(1)
    dump = stage.dump()
    item = stage.item(0)
    copy = stage.copy(0)
    stage.sync(0, 1)
    stage.set_back(dump)
    stage.put_back(0, copy)
    stage.sync(1, 0)
    stage.update(0, item, title="goes on")
    stage.sync(0, 1)


def what_was_displayed_goes_past_what_is_brought_back(stage: Stage) -> None:
    """A waiting change was displayed at a version raised by a rebase; the server, set back, gets it from another."""
    item = stage.item(0)
    stage.sync(0, 1)
    dump = stage.dump()
    stage.update(0, item, title="mine")

    def move(sql: Psql) -> None:
        for status in ("blocked", "completed", "active", "blocked"):
            sql.update(WORK_ITEM, item, status=status)

    stage.psql(move)
    stage.hold(item)
    stage.sync(0)
    stage.let_go()
    stage.sync(0, killed_at="after acknowledge")
    stage.set_back(dump)
    stage.sync(0, 1, 0)


def a_waiting_change_comes_back_before_its_answer(stage: Stage) -> None:
    """The answer to a push is lost, the row is held when it is asked for again, and the pull tells the change meanwhile."""
    item = stage.item(0)
    stage.sync(0, 1)
    stage.update(1, item, status="blocked")
    stage.sync(1)
    stage.update(0, item, title="mine")
    stage.sync(0, killed_at="after push")
    stage.hold(item)
    stage.sync(0)
    stage.let_go()


def a_version_that_a_waiting_blind_change_names_was_displayed_to_nobody(stage: Stage) -> None:
    """Blind changes wait, and their item comes: their versions are gone back to only where they were displayed."""
    item = stage.item(0)
    stage.update(0, item, status="blocked")
    stage.update(1, item, version=2, title="blind")
    stage.update(1, item, version=3, title="blind again")
    stage.sync(0)
    stage.hold(item)
    stage.sync(1)
    stage.update(1, item, branch_name="main")
    stage.refuses(1, "revert_work_item", id=item, version=stage.displayed(1, item)["version"], to_version=3)
    stage.revert(1, item, 4)
    stage.let_go()


def a_name_that_waits_meets_a_server_that_has_lost_it(stage: Stage) -> None:
    """Two create one vendor; the history of the first is too old to come along, and the server loses all of it: the second is
    the only one left, and has displayed it at a later version than it was made at."""
    name = "Alder"
    vendor = str(stage.do(1, "create_vendor", name=name, operational=True)["id"])
    for version in (1, 2, 3):
        stage.do(1, "update_vendor_status", name=name, version=version, operational=version == 2)
    stage.sync(1)
    stage.pass_days(100)
    stage.do(0, "create_vendor", name=name, operational=True)
    stage.hold(vendor, entity=VENDOR.name)
    stage.sync(0)
    stage.let_go()
    stage.set_back(None)
    stage.sync(0, 2)
    here, there = stage.displayed(0, vendor), stage.displayed(2, vendor)
    hold(here["version"] == there["version"] > 5, "a version was given again", here, there)


def where_two_times_meet_the_one_that_will_stand_is_displayed(stage: Stage) -> None:
    """Two delete an item, and one takes the deletion back; two archive one, at different times: nobody is displayed, at the
    version that the server gives, what it does not have there."""
    deleted, archived = stage.item(0), stage.item(0)
    stage.sync(0, 1)
    stage.psql(lambda sql: sql.delete(WORK_ITEM, deleted))
    stage.psql(lambda sql: sql.update(WORK_ITEM, archived, archived_at="2020-01-02T03:04:05.000000Z"))
    stage.update(0, deleted, deleted=True)
    stage.do(0, "trigger_archiving", older_than_days=0)
    stage.hold(deleted, archived)
    stage.sync(0)
    stage.let_go()
    stage.update(0, deleted, deleted=False)
    stage.update(0, archived, branch_name="main")
    stage.sync(0, 1)
    hold(not stage.conflicts(1), "a conflict about what both wanted")
    hold(stage.displayed(1, deleted)["deleted_at"] is None, "what was taken back is not", stage.displayed(1, deleted))


def what_waits_for_its_verdict_alone_is_logged_once(stage: Stage) -> None:
    """A file is put back to before its changes were sent in another order: one of them comes to it from the server while it
    waits for its verdict, and is in the history once."""
    item = stage.item(1)
    stage.sync(1, 0)
    stage.update(0, item, title="mine")
    stage.item(0, "another")
    copy = stage.copy(0)
    stage.hold(item)
    stage.sync(0)
    stage.let_go()
    stage.sync(0, killed_at="after push")
    stage.put_back(0, copy)
    stage.hold(item)
    stage.sync(0)
    logged = stage.history(0, item)
    hold(len(logged) == 2, "a change is logged twice", logged)
    stage.let_go()


def a_version_before_which_others_have_come_is_not_gone_back_to(stage: Stage) -> None:
    """Changes wait, and another's comes that lies before them: their versions, which were displayed, get no other content."""
    item = stage.item(0)
    stage.sync(0)
    stage.update(0, item, status="blocked")
    stage.update(0, item, branch_name="main")
    stage.revert(0, item, 2)
    stage.psql(lambda sql: sql.update(WORK_ITEM, item, title="psql"))
    stage.hold(item)
    stage.sync(0)
    stage.update(0, item, pr_number=1)
    version = stage.displayed(0, item)["version"]
    stage.refuses(0, "revert_work_item", id=item, version=version, to_version=3)
    hold(stage.revert(0, item, 2)["title"] == "psql", "a version that never was")
    stage.let_go()


def a_version_that_was_answered_and_not_pulled_is_not_gone_back_to(stage: Stage) -> None:
    """A change was taken on top of what has not come yet: what its version is, is not known before that."""
    item = stage.item(0)
    stage.sync(0)
    stage.psql(lambda sql: sql.update(WORK_ITEM, item, title="psql"))
    stage.update(0, item, status="blocked")
    stage.sync(0, killed_at="after acknowledge")
    stage.update(0, item, branch_name="main")
    version = stage.displayed(0, item)["version"]
    stage.refuses(0, "revert_work_item", id=item, version=version, to_version=2)
