"""Which tools the server offers: all, or those of the groups and names that the user chose, for a model's context is dear."""

from __future__ import annotations

from collections.abc import Sequence

from localfirst_schema.errors import ValidationError

from localfirst.operations.operation import Operation

FIELD = "LOCALFIRST_TOOLS"
ALL = "all"

GROUPS: dict[str, tuple[str, ...]] = {
    "core": (
        "create_work_items", "update_work_item", "complete_work_item", "query_work_item", "list_work_items", "ready_work_items",
        "search_work_items", "search_code", "list_conflicts", "resolve_conflict",
    ),
    "items": (
        "create_work_item", "create_work_items", "update_work_item", "complete_work_item", "query_work_item", "list_work_items",
        "ready_work_items", "search_work_items", "link_work_items", "unlink_work_items", "get_history", "revert_work_item",
        "undo", "add_comment", "list_comments", "claim_work_item", "release_work_item",
    ),
    "vendors": ("create_vendor", "query_vendor_status", "update_vendor_status", "list_vendors"),
    "deployments": ("record_deployment", "query_deployment", "list_deployments"),
    "enhancements": ("create_enhancement", "update_enhancement", "list_enhancements"),
    "project": (
        "get_project_configuration", "update_project_configuration", "generate_full_status", "trigger_archiving",
    ),
    "sync": ("sync_now", "sync_status", "list_conflicts", "resolve_conflict"),
    "index": (
        "start_indexing_background", "get_indexing_status", "cancel_indexing_background", "list_indexing_jobs",
        "index_repository", "search_code",
    ),
}  # fmt: skip
"""Each tool is in one group at least; `core` is what an agent needs that plans, works and hands over."""


def chosen(operations: Sequence[Operation], choice: str) -> tuple[Operation, ...]:
    """The operations that `choice` names: ``all``, or groups and names of tools with commas between them, in any order.

    Raises ValidationError for a name that is neither.
    """
    names: set[str] = set()
    known = {operation.name for operation in operations}
    for name in (part.strip() for part in choice.split(",")):
        if name == ALL:
            names |= known
        elif name in GROUPS:
            names.update(GROUPS[name])
        elif name in known:
            names.add(name)
        else:
            raise ValidationError(
                FIELD,
                f"must be all, or names of tools and groups ({', '.join(GROUPS)}) with commas",
                f"{FIELD}: {name!r} is neither a tool nor a group; the groups are {', '.join(GROUPS)}, and all is all of them.",
            )
    return tuple(operation for operation in operations if operation.name in names)
