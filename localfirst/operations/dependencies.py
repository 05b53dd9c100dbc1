"""Links between work items: what waits for what."""

from __future__ import annotations

from typing import Any

from localfirst_schema.arguments import LinkWorkItems
from localfirst_schema.entities import WORK_ITEM, WORK_ITEM_DEPENDENCY
from localfirst_schema.errors import CycleError, NotFoundError
from localfirst_schema.identifiers import natural_id
from localfirst_schema.results import LinkWritten
from localfirst_schema.wire import Row

from localfirst.client.ports import Reader, Writer
from localfirst.operations.changing import require
from localfirst.operations.operation import Operation
from localfirst.operations.present import present
from localfirst.replica.rows import find
from localfirst.replica.structure import require_alive, require_no_circle


def _link_id(session: Reader, arguments: LinkWorkItems) -> str:
    key = (arguments.source_id, arguments.target_id, arguments.dependency_type)
    return natural_id(session.project_id, WORK_ITEM_DEPENDENCY.name, *key)


def link(session: Writer, arguments: LinkWorkItems) -> dict[str, Any]:
    """Links two items; linking again what is linked answers with the link as it is."""
    if arguments.source_id == arguments.target_id:
        raise CycleError("a work item cannot depend on itself; name two different items.", id=arguments.source_id)
    for end in (arguments.source_id, arguments.target_id):
        require(session, WORK_ITEM, end)
    with session.act(arguments.created_by) as act:
        for end in (arguments.source_id, arguments.target_id):
            require_alive(find(act.connection, WORK_ITEM, end), "work item", end)
        found = find(act.connection, WORK_ITEM_DEPENDENCY, _link_id(session, arguments))
        if found is None or found["deleted_at"] is not None:
            require_no_circle(act.connection, arguments.source_id, arguments.target_id, arguments.dependency_type)
            if found is None:
                values = {
                    "id": _link_id(session, arguments),
                    "work_item_id": arguments.source_id,
                    "depends_on_id": arguments.target_id,
                    "dependency_type": arguments.dependency_type,
                }
                found = act.change(WORK_ITEM_DEPENDENCY, None, values)
            else:
                found = act.change(WORK_ITEM_DEPENDENCY, found, {"deleted_at": None})
        act.answer = answer = _displayed(found)
    return answer | session.written(found["id"])


def unlink(session: Writer, arguments: LinkWorkItems) -> dict[str, Any]:
    """Takes a link away."""
    link_id = _link_id(session, arguments)
    if find(session.replica, WORK_ITEM_DEPENDENCY, link_id) is None:
        session.catch_up()
    with session.act(arguments.created_by) as act:
        found = find(act.connection, WORK_ITEM_DEPENDENCY, link_id)
        if found is None or found["deleted_at"] is not None:
            raise NotFoundError(
                "these items are not linked in this way; query_work_item shows the links of an item.",
                source_id=arguments.source_id,
                target_id=arguments.target_id,
                dependency_type=arguments.dependency_type,
            )
        found = act.change(WORK_ITEM_DEPENDENCY, found, {"deleted_at": act.at})
        act.answer = answer = _displayed(found)
    return answer | session.written(found["id"])


def _displayed(row: Row) -> dict[str, Any]:
    return present(WORK_ITEM_DEPENDENCY, row) | {"source_id": row["work_item_id"], "target_id": row["depends_on_id"]}


OPERATIONS = (
    Operation(
        "link_work_items",
        "Link two work items",
        "`depends_on`: the source waits for the target. `blocks`: the target waits for the source. Cycles are refused.",
        LinkWorkItems,
        LinkWritten,
        link,
        "create",
        idempotent=True,
        groups=("items",),
    ),
    Operation(
        "unlink_work_items",
        "Unlink two work items",
        "Takes away the link with this source, target and type.",
        LinkWorkItems,
        LinkWritten,
        unlink,
        "destroy",
        groups=("items",),
    ),
)
