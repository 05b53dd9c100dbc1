"""Claiming a work item, so that two agents do not do it twice: the first claim to reach the server stands."""

from __future__ import annotations

from typing import Any

from localfirst_schema.arguments import ClaimWorkItem
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.errors import InvalidStateError, ValidationError
from localfirst_schema.results import WorkItemWritten
from localfirst_schema.wire import Row

from localfirst.client.ports import Reader, Writer
from localfirst.operations.changing import check_not_deleted, require, require_still, written
from localfirst.operations.operation import Operation

CONFIRM_BUDGET_S = 1.0


def claim(session: Writer, arguments: ClaimWorkItem) -> dict[str, Any]:
    """Claims an item for one agent; with a server in reach the answer is certain, else `pending_sync` says it is not."""
    who = _claimant(session, arguments)
    require(session, WORK_ITEM, arguments.id)
    session.catch_up()
    with session.act(who) as act:
        row = require_still(act, WORK_ITEM, arguments.id)
        check_not_deleted(WORK_ITEM, row, {})
        _refuse_other(row, who)
        if row["status"] == "completed":
            raise InvalidStateError("this item is completed; choose another one from ready_work_items.", id=row["id"])
        if row["claimed_by"] is None:
            row = act.change(WORK_ITEM, row, {"claimed_by": who})
    confirmed = session.link is not None and session.link.sync(CONFIRM_BUDGET_S) is not None
    if confirmed:
        with session.verdict():
            row = require(session, WORK_ITEM, arguments.id)  # its creation may have been refused just now
            _refuse_other(row, who)
    return written(session, WORK_ITEM, row) | {"pending_sync": session.link is not None and not confirmed}


def release(session: Writer, arguments: ClaimWorkItem) -> dict[str, Any]:
    """Gives a claimed item back."""
    who = _claimant(session, arguments)
    require(session, WORK_ITEM, arguments.id)
    with session.act(who) as act:
        row = require_still(act, WORK_ITEM, arguments.id)
        check_not_deleted(WORK_ITEM, row, {})
        _refuse_other(row, who)
        if row["claimed_by"] is not None:
            row = act.change(WORK_ITEM, row, {"claimed_by": None})
    return written(session, WORK_ITEM, row)


def _claimant(session: Reader, arguments: ClaimWorkItem) -> str:
    who = session.who(arguments.claimed_by)
    if who is None:
        raise ValidationError("claimed_by", "is required where the client has no name")
    return who


def _refuse_other(row: Row, who: str) -> None:
    if row["claimed_by"] not in (None, who):
        raise InvalidStateError(
            f"this item is claimed by {row['claimed_by']}; choose another one from ready_work_items.",
            id=row["id"],
            claimed_by=row["claimed_by"],
        )


OPERATIONS = (
    Operation(
        "claim_work_item",
        "Claim a work item",
        "Marks an item as being worked on by you; of two claims one wins. Claim before you start.",
        ClaimWorkItem,
        WorkItemWritten,
        claim,
        "update",
        idempotent=True,
        rows=WORK_ITEM,
        groups=("items",),
    ),
    Operation(
        "release_work_item",
        "Give a claimed item back",
        "Takes your claim away, so that others may work on the item.",
        ClaimWorkItem,
        WorkItemWritten,
        release,
        "update",
        idempotent=True,
        rows=WORK_ITEM,
        groups=("items",),
    ),
)
