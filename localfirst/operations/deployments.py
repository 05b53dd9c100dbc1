"""Deployments: what went out, with the vendors and work items that it touched."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from localfirst_schema import metadata
from localfirst_schema.arguments import ListDeployments, QueryDeployment, RecordDeployment
from localfirst_schema.entities import (
    DEPLOYMENT,
    VENDOR,
    VENDOR_DEPLOYMENT_LINK,
    WORK_ITEM,
    WORK_ITEM_DEPLOYMENT_LINK,
    Entity,
)
from localfirst_schema.errors import NotFoundError
from localfirst_schema.identifiers import natural_id, new_id
from localfirst_schema.metadata import DeploymentMetadata
from localfirst_schema.results import DeploymentPage, DeploymentRead, DeploymentWritten
from localfirst_schema.wire import Row, decode_json, encode_json

from localfirst.client.ports import Reader, Writer
from localfirst.operations.changing import require
from localfirst.operations.operation import Operation
from localfirst.operations.present import present
from localfirst.replica.rows import find, select

# The deployments are few, and each finds its links by the index: the cross joins keep that order.
_VENDORS = """
    SELECT l.deployment_id, v.id, v.name FROM json_each(?) AS asked
    CROSS JOIN vendor_deployment_links AS l ON l.deployment_id = asked.value
    CROSS JOIN vendor_extractors AS v ON v.id = l.vendor_id
    WHERE l.deleted_at IS NULL ORDER BY v.name
"""
_WORK_ITEMS = """
    SELECT l.deployment_id, w.id, w.title FROM json_each(?) AS asked
    CROSS JOIN work_item_deployment_links AS l ON l.deployment_id = asked.value
    CROSS JOIN work_items AS w ON w.id = l.work_item_id
    WHERE l.deleted_at IS NULL ORDER BY w.created_at, w.id
"""


def record(session: Writer, arguments: RecordDeployment) -> dict[str, Any]:
    """Records a deployment and its links as one act."""
    content = metadata.check(DeploymentMetadata, arguments.metadata)
    vendors, items = _distinct(arguments.vendor_ids), _distinct(arguments.work_item_ids)
    ends = [(VENDOR, vendor) for vendor in vendors] + [(WORK_ITEM, item) for item in items]
    if any(find(session.replica, entity, end) is None for entity, end in ends):
        session.catch_up()
    with session.act(arguments.created_by) as act:
        for entity, end in ends:
            found = find(act.connection, entity, end)
            if found is None or found["deleted_at"] is not None:
                what = entity.name.replace("_", " ")
                raise NotFoundError(f"there is no {what} {end}; nothing was recorded.", entity=entity.name, id=end)
        deployed_at = arguments.deployed_at or act.at
        row = act.change(DEPLOYMENT, None, {"id": new_id(), "deployed_at": deployed_at, "metadata": content})
        for entity, end in ends:
            link, column = _link_of(entity)
            values = {"deployment_id": row["id"], column: end}
            act.change(link, None, {"id": natural_id(session.project_id, link.name, row["id"], end), **values})
        (answer,) = _displayed(session, [row])
        act.answer = answer
    return answer | session.written(row["id"])


def _distinct(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(ids))


def _link_of(entity: Entity) -> tuple[Entity, str]:
    if entity is VENDOR:
        return VENDOR_DEPLOYMENT_LINK, "vendor_id"
    return WORK_ITEM_DEPLOYMENT_LINK, "work_item_id"


def _displayed(session: Reader, rows: list[Row]) -> list[dict[str, Any]]:
    """Deployments as results show them; what they touched is found for all of them at once."""
    asked = encode_json([row["id"] for row in rows])
    vendors, items = _touched(session, _VENDORS, asked), _touched(session, _WORK_ITEMS, asked)
    return [
        present(DEPLOYMENT, row)
        | _of_content(row)
        | {
            "affected_vendors": [{"id": i, "name": name} for i, name in vendors[row["id"]]],
            "related_work_items": [{"id": i, "title": title} for i, title in items[row["id"]]],
        }
        for row in rows
    ]


def _of_content(row: Row) -> dict[str, Any]:
    content = decode_json(row["metadata"])
    return {"timestamp": row["deployed_at"], **{name: content.get(name) for name in ("commit_hash", "pr_number", "pr_title")}}


def _touched(session: Reader, sql: str, asked: str) -> dict[str, list[tuple[str, str]]]:
    """The id and name of what each deployment touched."""
    touched: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for deployment_id, row_id, name in session.replica.execute(sql, (asked,)):
        touched[str(deployment_id)].append((str(row_id), str(name)))
    return touched


def query(session: Reader, arguments: QueryDeployment) -> dict[str, Any]:
    """One deployment."""
    source = session.read(arguments.id)
    (displayed,) = _displayed(session, [require(session, DEPLOYMENT, arguments.id)])
    return displayed | source


def newest(session: Reader, limit: int, offset: int = 0, since: str | None = None) -> list[dict[str, Any]]:
    """Deployments as results show them, newest first."""
    where = "deleted_at IS NULL AND deployed_at >= ? ORDER BY deployed_at DESC, id DESC LIMIT ? OFFSET ?"
    return _displayed(session, select(session.replica, DEPLOYMENT, where, (since or "", limit, offset)))


def list_deployments(session: Reader, arguments: ListDeployments) -> dict[str, Any]:
    """A page of deployments, newest first."""
    source = session.read()
    count = "SELECT count(*) FROM deployment_events WHERE deleted_at IS NULL AND deployed_at >= ?"
    total = session.replica.execute(count, (arguments.since or "",)).get
    items = newest(session, arguments.limit, arguments.offset, arguments.since)
    return {"items": items, "total_count": total} | source


OPERATIONS = (
    Operation(
        "record_deployment",
        "Record a deployment",
        "Records what was deployed (PR, commit, tests) with the vendors and work items it touched, all in one.",
        RecordDeployment,
        DeploymentWritten,
        record,
        "create",
        rows=DEPLOYMENT,
        groups=("deployments",),
    ),
    Operation(
        "query_deployment",
        "Read a deployment",
        "One deployment with the vendors and work items it touched.",
        QueryDeployment,
        DeploymentRead,
        query,
        "read",
        idempotent=True,
        rows=DEPLOYMENT,
        groups=("deployments",),
    ),
    Operation(
        "list_deployments",
        "List deployments",
        "A page of deployments, newest first.",
        ListDeployments,
        DeploymentPage,
        list_deployments,
        "read",
        idempotent=True,
        rows=DEPLOYMENT,
        groups=("deployments",),
        lists=(DEPLOYMENT,),
    ),
)
