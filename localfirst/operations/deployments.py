"""Deployments: what went out, with the vendors and work items that it touched."""

from __future__ import annotations

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
from localfirst_schema.wire import Row

from localfirst.operations.changing import require
from localfirst.operations.operation import Operation
from localfirst.operations.present import present
from localfirst.replica.rows import find, select
from localfirst.session import Session

_VENDORS = """
    SELECT v.id, v.name FROM vendor_deployment_links AS l JOIN vendor_extractors AS v ON v.id = l.vendor_id
    WHERE l.deployment_id = ? AND l.deleted_at IS NULL ORDER BY v.name
"""
_WORK_ITEMS = """
    SELECT w.id, w.title FROM work_item_deployment_links AS l JOIN work_items AS w ON w.id = l.work_item_id
    WHERE l.deployment_id = ? AND l.deleted_at IS NULL ORDER BY w.created_at, w.id
"""


def record(session: Session, arguments: RecordDeployment) -> dict[str, Any]:
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
        act.answer = answer = _shown(session, row)
    return answer | session.written(row["id"])


def _distinct(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(ids))


def _link_of(entity: Entity) -> tuple[Entity, str]:
    if entity is VENDOR:
        return VENDOR_DEPLOYMENT_LINK, "vendor_id"
    return WORK_ITEM_DEPLOYMENT_LINK, "work_item_id"


def _shown(session: Session, row: Row) -> dict[str, Any]:
    shown = present(DEPLOYMENT, row)
    content = shown["metadata"]
    return shown | {
        "timestamp": row["deployed_at"],
        "commit_hash": content.get("commit_hash"),
        "pr_number": content.get("pr_number"),
        "pr_title": content.get("pr_title"),
        "affected_vendors": [{"id": i, "name": name} for i, name in session.replica.execute(_VENDORS, (row["id"],))],
        "related_work_items": [{"id": i, "title": title} for i, title in session.replica.execute(_WORK_ITEMS, (row["id"],))],
    }


def query(session: Session, arguments: QueryDeployment) -> dict[str, Any]:
    """One deployment."""
    source = session.read(arguments.id)
    return _shown(session, require(session, DEPLOYMENT, arguments.id)) | source


def newest(session: Session, limit: int, offset: int = 0, since: str | None = None) -> list[dict[str, Any]]:
    """Deployments as results show them, newest first."""
    where = "deleted_at IS NULL AND deployed_at >= ? ORDER BY deployed_at DESC, id DESC LIMIT ? OFFSET ?"
    return [_shown(session, row) for row in select(session.replica, DEPLOYMENT, where, (since or "", limit, offset))]


def list_deployments(session: Session, arguments: ListDeployments) -> dict[str, Any]:
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
    ),
)
