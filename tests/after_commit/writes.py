"""One write of each tool, on things that are made for it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from code_index.workers import repository

from localfirst.operations.registry import BY_NAME

Call = Callable[..., dict[str, Any]]
"""(tool, arguments) to its answer."""


def prepared(tool: str, call: Call, place: Any) -> dict[str, Any]:
    """The arguments of a call of the tool that writes; what it needs is made by other calls."""

    def item(**more: Any) -> dict[str, Any]:
        return call("create_work_item", item_type="task", title="An item", **more)

    match tool:
        case "create_work_item":
            return {"item_type": "task", "title": "Made", "metadata": {"estimated_hours": 3, "big": 10**30}}
        case "create_work_items":
            plan = [
                {"item_type": "project", "title": "Made", "key": "a"},
                {"item_type": "task", "title": "Below", "parent": "a"},
            ]
            return {"items": [*plan, {"item_type": "task", "title": "After", "depends_on": ["a"], "parent": item()["id"]}]}
        case "complete_work_item":
            made = item()
            call("create_work_item", item_type="task", title="Waiting", depends_on=[made["id"]])
            return {"id": made["id"], "comment": "Done"}
        case "update_work_item":
            return {"id": item()["id"], "version": 1, "title": "Changed", "metadata": {"estimated_hours": 5}}
        case "link_work_items":
            return {"source_id": item()["id"], "target_id": item()["id"], "dependency_type": "blocks"}
        case "unlink_work_items":
            link = {"source_id": item()["id"], "target_id": item()["id"], "dependency_type": "blocks"}
            call("link_work_items", **link)
            return link
        case "revert_work_item":
            made = item()
            call("update_work_item", id=made["id"], version=1, title="Changed")
            return {"id": made["id"], "version": 2, "to_version": 1}
        case "add_comment":
            return {"id": item()["id"], "body": "A comment"}
        case "claim_work_item":
            return {"id": item()["id"], "claimed_by": "ann"}
        case "claim_next":
            item()
            return {"claimed_by": "ann"}
        case "release_work_item":
            made = item()
            call("claim_work_item", id=made["id"], claimed_by="ann")
            return {"id": made["id"], "claimed_by": "ann"}
        case "create_vendor":
            return {"name": f"vendor {uuid.uuid4()}", "metadata": {"extractor_version": "1"}}
        case "update_vendor_status":
            name = f"vendor {uuid.uuid4()}"
            call("create_vendor", name=name)
            return {"name": name, "version": 1, "operational": False}
        case "record_deployment":
            vendor = call("create_vendor", name=f"vendor {uuid.uuid4()}")
            return {"metadata": {"pr_number": 7}, "vendor_ids": [vendor["id"]], "work_item_ids": [item()["id"]]}
        case "create_enhancement":
            return {"title": "Planned", "requires_constitutional_principles": ["one"]}
        case "update_enhancement":
            return {"id": call("create_enhancement", title="Planned")["id"], "version": 1, "status": "approved"}
        case "update_project_configuration":
            return {"version": call("get_project_configuration")["version"], "git_branch": f"b-{uuid.uuid4()}"}
        case "undo":
            item()
            return {}
        case "trigger_archiving":
            item(created_at="2001-01-01")
            return {"older_than_days": 365}
        case "start_indexing_background":
            return {"repo_path": str(repository(place / str(uuid.uuid4()), 1))}
        case "cancel_indexing_background":
            job = call("start_indexing_background", repo_path=str(repository(place / str(uuid.uuid4()), 1)))
            return {"job_id": job["job_id"]}
    raise LookupError(tool)


NOT_ONE_WRITE = {
    "sync_now": "writes nothing of its own",
    "resolve_conflict": "needs a conflict; in the tests of the session",
    "index_repository": "waits for the job that it has noted; has a test of its own among those of the session",
    "forget_index": "works in several transactions; what follows them is tested with it",
}
"""Writing operations that are not called by `prepared`, and why."""

TOOLS = [name for name, operation in BY_NAME.items() if operation.effect != "read" and name not in NOT_ONE_WRITE]
