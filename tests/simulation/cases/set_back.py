"""Cases of servers that were set back between an answer and the pull after it."""

from __future__ import annotations

from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.identifiers import natural_id
from localfirst_schema.wire import decode_json

from simulation.stage import Stage
from simulation.violation import hold


def an_accepted_blind_change_is_forgotten(stage: Stage) -> None:
    """A blind change is accepted, and the server set back before its writer has pulled: it is in the row again."""
    item = stage.item(0, metadata={"note": "first"})
    stage.sync(0, 2)
    dump = stage.dump()
    stage.update(1, item, version=1, metadata={"note": "blind"})
    stage.sync(1, killed_at="after acknowledge")
    stage.set_back(dump)
    stage.sync(1, 0)
    hold(
        decode_json(stage.displayed(0, item)["metadata"]) == {"note": "blind"},
        "an acknowledged value is nowhere",
        stage.displayed(0, item),
    )


def an_accepted_blind_change_comes_before_its_row(stage: Stage) -> None:
    """The same, where the server has lost the item too, and another machine brings it later."""
    dump = stage.dump()
    item = stage.item(0, metadata={"note": "first"})
    stage.sync(0)
    stage.update(1, item, version=1, metadata={"note": "blind"})
    stage.sync(1, killed_at="after acknowledge")
    stage.set_back(dump)
    stage.sync(1, 0)
    is_displayed = decode_json(stage.displayed(0, item)["metadata"]) == {"note": "blind"}
    hold(is_displayed or stage.conflict()["mine"] == {"metadata": {"note": "blind"}}, "an acknowledged value is nowhere")


def a_conflict_is_forgotten(stage: Stage) -> None:
    """A change became a conflict, and the server was set back before its writer had pulled: it becomes one again."""
    item = stage.item(0)
    stage.sync(0, 1)
    stage.psql(lambda sql: sql.update(WORK_ITEM, item, title="psql"))
    dump = stage.dump()
    stage.update(0, item, title="mine")
    stage.sync(0, killed_at="after acknowledge")
    stage.set_back(dump)
    stage.sync(1, 0, 1)
    hold(stage.conflict()["mine"] == {"title": "mine"}, "an acknowledged value is nowhere")
    hold(stage.displayed(1, item)["title"] == "psql", "a value was silently overwritten")


def a_conflict_with_what_was_rebased_on_is_forgotten(stage: Stage) -> None:
    """The same, where its writer had pulled the other's change before it pushed, and another brings that one."""
    dump = stage.dump()
    item = stage.item(0)
    stage.sync(0, 1)
    stage.psql(lambda sql: sql.update(WORK_ITEM, item, title="psql"))
    stage.update(0, item, title="mine")
    stage.hold(item)
    stage.sync(0, 1)
    stage.let_go()
    stage.sync(0, killed_at="after acknowledge")
    stage.set_back(dump)
    stage.sync(1, 0, 1)
    hold(stage.conflict()["mine"] == {"title": "mine"}, "an acknowledged value is nowhere")
    hold(stage.displayed(1, item)["title"] == "psql", "a value was silently overwritten")


def a_creation_that_was_refused_is_brought_by_another(stage: Stage) -> None:
    """A server that has lost an item refuses it to the first who brings it, and takes it from the next, who has changed it."""
    dump = stage.dump()
    parent = stage.item(0, "parent", id=natural_id("", "pool", "case"))
    child = stage.item(0, "child", parent_id=parent)
    stage.sync(0, 1)
    stage.update(1, child, title="changed")
    stage.sync(1)
    stage.update(0, child, status="blocked")
    stage.hold(child)
    stage.sync(0)
    stage.let_go()
    stage.update(1, child, branch_name="main")
    stage.sync(1)
    stage.set_back(dump)
    stage.psql(lambda sql: sql.insert(WORK_ITEM, id=parent, item_type="task", title="another", status="active", metadata={}))
    stage.psql(lambda sql: sql.delete(WORK_ITEM, parent))
    stage.sync(0)
    stage.psql(lambda sql: sql.update(WORK_ITEM, parent, deleted_at=None))
    stage.sync(1, 0)
    hold(stage.displayed(0, child)["title"] == "changed", "an acknowledged value is nowhere")
    hold(not stage.do(0, "get_history", entity="work_item", id=child)["history_truncated"], "the creation is not logged")


def a_corrected_time_of_deletion_is_forgotten(stage: Stage) -> None:
    """Somebody corrects by SQL when an item was deleted; the server loses that, and goes on with the tombstone."""
    item = stage.item(0)
    stage.sync(0, 1)
    stage.psql(lambda sql: sql.delete(WORK_ITEM, item))
    stage.sync(0, 1)
    dump = stage.dump()
    corrected = "2020-01-02T03:04:05.000000Z"
    stage.psql(lambda sql: sql.update(WORK_ITEM, item, deleted_at=corrected))
    stage.sync(0, 1)
    stage.set_back(dump)
    stage.psql(lambda sql: sql.update(WORK_ITEM, item, title="goes on"))
    stage.sync(0, 1)
    hold(stage.displayed(1, item)["deleted_at"] == corrected, "an acknowledged value is nowhere", stage.displayed(1, item))
    hold(all(line["by"] for line in stage.history(1, item)), "a line of nobody's takes it back", stage.history(1, item))


def a_late_push_was_brought_back_by_another(stage: Stage) -> None:
    """A push is on its way twice; the server is set back, and another replica tells it the change, before it comes again."""
    item = stage.item(1)
    stage.sync(1, 0)
    dump = stage.dump()
    stage.update(1, item, title="once")
    stage.sync(1, repeated=True)
    stage.sync(0)
    stage.set_back(dump)
    stage.sync(0)
    stage.deliver()
    stage.sync(1, 0)
    hold(len(stage.history(0, item)) == 2, "a change is there twice", stage.history(0, item))


def the_configuration_of_a_server_that_begins_anew(stage: Stage) -> None:
    """Every project starts with its configuration, so that a history may have two beginnings; what was changed in it stays
    at the version at which it was displayed, also when that server is set back to where it began."""
    stage.sync(0)
    stage.do(0, "update_project_configuration", version=1, git_branch="main")
    stage.sync(0)
    stage.set_back(None)
    dump = stage.dump()
    stage.sync(0)
    stage.set_back(dump)
    stage.sync(0, 1)
    ((configuration, row),) = stage.configurations(1)
    logged = [line for line in stage.history(1, configuration, "configuration") if "git_branch" in line["fields"]]
    hold([line["version"] for line in logged] == [row["version"]] == [2], "a version is another one now", logged, row)
