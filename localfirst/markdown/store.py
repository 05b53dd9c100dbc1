"""The status document of a replica: what `render` writes for a whole project.

Vendors stand by name, deployments and sessions and work items oldest first, enhancements by urgency. Deleted rows and
archived items are left out. Counterpart: `localfirst.migration`, which brings a document into the store.

The entries of work items are remembered by the whole content of their rows, since a status file is written again after
each write of an outage: documents share them, so nobody may change one.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import apsw
from localfirst_schema.entities import DEPLOYMENT, ENHANCEMENT, VENDOR, WORK_ITEM
from localfirst_schema.wire import Row

from localfirst.markdown.document import Deployment, Session, StatusDocument, WorkItem
from localfirst.markdown.stored.deployment import deployment_of
from localfirst.markdown.stored.enhancement import enhancement_of
from localfirst.markdown.stored.session import session_of
from localfirst.markdown.stored.vendor import vendor_of
from localfirst.markdown.stored.work_item import work_item_of
from localfirst.replica.connection import snapshot
from localfirst.replica.rows import as_row, select, select_sql

_ALIVE = "deleted_at IS NULL"
_ITEMS = f"{select_sql(WORK_ITEM)} WHERE {_ALIVE} AND archived_at IS NULL ORDER BY created_at, id"
_BY_URGENCY = f"""
    {_ALIVE} ORDER BY CASE priority WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END,
    target_quarter IS NULL, substr(target_quarter, 4), target_quarter, created_at, id
"""
_VENDOR_NAMES = """
    SELECT l.deployment_id, v.name FROM vendor_deployment_links AS l JOIN vendor_extractors AS v ON v.id = l.vendor_id
    WHERE l.deleted_at IS NULL ORDER BY v.name
"""
_WORK_ITEM_IDS = """
    SELECT l.deployment_id, w.id FROM work_item_deployment_links AS l JOIN work_items AS w ON w.id = l.work_item_id
    WHERE l.deleted_at IS NULL ORDER BY w.created_at, w.id
"""


def document_of(connection: apsw.Connection) -> StatusDocument:
    """What the store says at one moment."""
    with snapshot(connection):
        items = [_item(values) for values in connection.execute(_ITEMS)]
        return StatusDocument(
            vendors=tuple(map(vendor_of, select(connection, VENDOR, f"{_ALIVE} ORDER BY name, id"))),
            deployments=deployments_of(connection, select(connection, DEPLOYMENT, f"{_ALIVE} ORDER BY deployed_at, id")),
            enhancements=tuple(map(enhancement_of, select(connection, ENHANCEMENT, _BY_URGENCY))),
            sessions=tuple(item for item in items if isinstance(item, Session)),
            work_items=tuple(item for item in items if isinstance(item, WorkItem)),
        )


@lru_cache(maxsize=8192)
def _item(values: tuple[Any, ...]) -> Session | WorkItem:
    """The entry of a work item's row, given by its columns."""
    row = as_row(WORK_ITEM, values)
    return session_of(row) if row["item_type"] == "session" else work_item_of(row)


def deployments_of(connection: apsw.Connection, rows: Iterable[Row]) -> tuple[Deployment, ...]:
    """The blocks of deployments, with the names and ids at the other ends of their links."""
    vendors, items = _ends(connection, _VENDOR_NAMES), _ends(connection, _WORK_ITEM_IDS)
    return tuple(deployment_of(row, vendors.get(row["id"], ()), items.get(row["id"], ())) for row in rows)


def _ends(connection: apsw.Connection, sql: str) -> dict[str, list[str]]:
    ends: dict[str, list[str]] = {}
    rows: Iterable[Any] = connection.execute(sql)
    for deployment_id, end in rows:
        ends.setdefault(deployment_id, []).append(end)
    return ends
