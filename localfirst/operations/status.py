"""The state of the whole project in one answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from localfirst_schema.arguments import GenerateFullStatus
from localfirst_schema.entities import DEPLOYMENT, ENHANCEMENT, VENDOR, WORK_ITEM
from localfirst_schema.results import FullStatus

from localfirst.client.ports import Reader
from localfirst.client.where import place
from localfirst.operations.deployments import newest
from localfirst.operations.enhancements import BY_URGENCY
from localfirst.operations.operation import Operation
from localfirst.operations.status_text import status_text
from localfirst.replica.connection import snapshot

RECENT_DEPLOYMENTS = 10

_VENDORS = "SELECT count(*), coalesce(sum(operational), 0) FROM vendor_extractors WHERE deleted_at IS NULL"
_WORK_ITEMS = """
    SELECT item_type, status, json_extract(metadata, '$.priority'), count(*) FROM work_items
    WHERE deleted_at IS NULL AND archived_at IS NULL GROUP BY 1, 2, 3
"""
_ARCHIVED = "SELECT count(*) FROM work_items WHERE deleted_at IS NULL AND archived_at IS NOT NULL"
_PENDING = f"""
    SELECT id, title, priority, target_quarter, status FROM future_enhancements
    WHERE deleted_at IS NULL AND status <> 'completed' ORDER BY {BY_URGENCY}
"""


def generate(session: Reader, arguments: GenerateFullStatus) -> dict[str, Any]:
    """Vendors, work items, deployments and enhancements, all of one moment."""
    source = session.read()
    with snapshot(session.replica):
        result = {
            **place(session.settings, session.replica),
            "vendor_health": _vendor_health(session),
            "active_work_items": _work_items(session),
            "recent_deployments": newest(session, RECENT_DEPLOYMENTS),
            "pending_enhancements": [
                {"id": i, "title": title, "priority": priority, "target_quarter": quarter, "status": status}
                for i, title, priority, quarter, status in session.replica.execute(_PENDING)
            ],
        }
        if arguments.output_format == "markdown":
            result["markdown"] = status_text(session)
    return result | source


def _vendor_health(session: Reader) -> dict[str, Any]:
    counts: list[Any] = session.replica.execute(_VENDORS).fetchall()
    total, operational = counts[0]
    return {
        "total_vendors": total,
        "operational_count": operational,
        "broken_count": total - operational,
        "operational_percentage": round(100 * operational / total, 2) if total else 0.0,
    }


def _work_items(session: Reader) -> dict[str, Any]:
    by_type = dict.fromkeys(("project", "session", "task", "research"), 0)
    by_status = dict.fromkeys(("active", "completed", "blocked"), 0)
    by_priority = dict.fromkeys(("urgent", "high", "medium", "low", "none"), 0)
    total = 0
    rows: Iterable[Any] = session.replica.execute(_WORK_ITEMS)
    for item_type, status, priority, count in rows:
        total += count
        by_type[item_type] += count
        by_status[status] += count
        by_priority[priority if priority in by_priority else "none"] += count
    return {
        "total_count": total,
        "by_type": by_type,
        "by_status": by_status,
        "by_priority": by_priority,
        "archived_count": session.replica.execute(_ARCHIVED).get,
    }


OPERATIONS = (
    Operation(
        "generate_full_status",
        "Full project status",
        "Vendor health, work items by type, status and priority, the last deployments and the pending enhancements; with"
        " `output_format: markdown` also as the text of a status file.",
        GenerateFullStatus,
        FullStatus,
        generate,
        "read",
        idempotent=True,
        groups=("project",),
        lists=(WORK_ITEM, VENDOR, DEPLOYMENT, ENHANCEMENT),
    ),
)
