"""Claiming a work item, so that two agents do not do it twice: the first claim to reach the server stands, until it ends."""

from __future__ import annotations

from typing import Any

from localfirst_schema.arguments import ClaimNext, ClaimWorkItem, ReleaseWorkItem
from localfirst_schema.entities import WORK_ITEM, WORK_ITEM_CLAIM
from localfirst_schema.errors import InvalidStateError
from localfirst_schema.results import ClaimedNext, WorkItemWritten
from localfirst_schema.wire import Row

from localfirst.client.ports import Reader, Writer
from localfirst.operations.changing import check_not_deleted, require, require_still, written
from localfirst.operations.holding import holder, released
from localfirst.operations.operation import Operation
from localfirst.operations.present import present
from localfirst.operations.readiness import ready
from localfirst.operations.work_item_queries import dependencies_of
from localfirst.operations.work_item_tree import ancestors
from localfirst.replica import leases
from localfirst.replica.act import Act

CONFIRM_BUDGET_S = 1.0

TRIES_MAX = 5
"""So many items are tried before the next one is given up: others are taking them just now."""


def claim(session: Writer, arguments: ClaimWorkItem) -> dict[str, Any]:
    """Claims an item for a while; with a server in reach the answer is certain, else `pending_sync` says it is not."""
    who = session.claimant(arguments.claimed_by)
    session.away_since()  # whose process is gone is known of the sessions that were written down
    require(session, WORK_ITEM, arguments.id)
    session.catch_up()
    with session.act(who) as act:
        row = require_still(act, WORK_ITEM, arguments.id)
        check_not_deleted(WORK_ITEM, row, {})
        _refuse_other(session, row["id"], who)
        if row["status"] == "completed":
            raise InvalidStateError("this item is completed; choose another one from ready_work_items.", id=row["id"])
        act.answer = present(WORK_ITEM, row) | _take(session, act, row["id"], who, arguments.lease_minutes)
    is_certain = _confirmed(session)
    if is_certain:
        with session.verdict():
            row = require(session, WORK_ITEM, arguments.id)  # its creation may have been refused just now
            _refuse_other(session, row["id"], who)
            _require_held(session, row["id"], who)
    return written(session, WORK_ITEM, row) | {"pending_sync": session.link is not None and not is_certain}


def claim_next(session: Writer, arguments: ClaimNext) -> dict[str, Any]:
    """Claims the most urgent item that can be worked on and that nobody holds, own claims included."""
    who = session.claimant(arguments.claimed_by)
    session.away_since()
    under = None if arguments.under is None else str(require(session, WORK_ITEM, arguments.under)["path"])
    session.catch_up()
    passed: set[str] = set()
    for _ in range(TRIES_MAX):
        with session.act(who) as act:
            found, _total = ready(
                act.connection,
                limit=1,
                holders=(),
                now=session.server_now(),
                item_type=arguments.item_type,
                labels=arguments.labels,
                under=under,
                passed=passed,
            )
            act.answer = {"item": None}
            if found:
                act.answer["item"] = _to_begin_with(session, found[0]) | _take(
                    session, act, found[0]["id"], who, arguments.lease_minutes
                )
        if not found:
            return {"item": None} | session.written()
        item_id = found[0]["id"]
        is_certain = _confirmed(session)
        if not is_certain or _is_held_by(session, item_id, who):
            break
        passed.add(item_id)  # another one was quicker
    else:
        return {"item": None} | session.written()
    item = _to_begin_with(session, require(session, WORK_ITEM, item_id))
    return {"item": item} | session.written(item_id) | {"pending_sync": session.link is not None and not is_certain}


def release(session: Writer, arguments: ReleaseWorkItem) -> dict[str, Any]:
    """Gives a claimed item back; one that nobody holds is given back already."""
    who = session.claimant(arguments.claimed_by)
    require(session, WORK_ITEM, arguments.id)
    session.catch_up()
    for _ in range(TRIES_MAX):
        with session.act(who) as act:
            row = require_still(act, WORK_ITEM, arguments.id)
            if not arguments.force:
                _refuse_other(session, row["id"], who, "; give `force` to take it away")
            released(act, session.project_id, row["id"])
            act.answer = present(WORK_ITEM, row)
        is_certain = _confirmed(session)
        # The holder may have renewed it, or another one taken it, before this reached the server: then once more.
        if not is_certain or not arguments.force or holder(session, row["id"]) is None:
            break
    return written(session, WORK_ITEM, row) | {"pending_sync": session.link is not None and not is_certain}


def _to_begin_with(session: Reader, row: Row) -> dict[str, Any]:
    """An item with all that is needed to begin."""
    parents = [one["title"] for one in ancestors(session.replica, row)]
    return present(WORK_ITEM, row) | {"parents": parents, "dependencies": dependencies_of(session, row["id"])}


def _take(session: Writer, act: Act, item_id: str, who: str, lease_minutes: float) -> dict[str, Any]:
    """Claims within an act that has seen the item to be free, or this one's; returns what an item displays of its claim.

    The server decides between two that do so at once.
    """
    held = {"claimed_by": who, "claimed_until": session.server_now(60 * lease_minutes)}
    values: dict[str, Any] = dict(held)
    before = leases.claim_of(act.connection, session.project_id, item_id)
    if before is None:
        values |= {"id": leases.claim_id(session.project_id, item_id), "work_item_id": item_id}
    elif before["deleted_at"] is not None:
        values["deleted_at"] = None
    act.change(WORK_ITEM_CLAIM, before, values)
    return held


def _confirmed(session: Writer) -> bool:
    return session.link is not None and session.link.sync(CONFIRM_BUDGET_S) is not None


def _is_held_by(session: Reader, item_id: str, who: str) -> bool:
    claimed = leases.claim_of(session.replica, session.project_id, item_id)
    return claimed is not None and claimed["deleted_at"] is None and claimed["claimed_by"] == who


def _require_held(session: Reader, item_id: str, who: str) -> None:
    if not _is_held_by(session, item_id, who):
        raise InvalidStateError(
            "somebody has claimed this item and given it back at the same moment, so your claim is lost; claim it again.",
            id=item_id,
        )


def _refuse_other(session: Reader, item_id: str, who: str, advice: str = "; choose another one from ready_work_items") -> None:
    held = holder(session, item_id)
    if held is not None and held.by != who:
        raise InvalidStateError(
            f"this item is claimed by {held.by} until {held.until}{advice}.",
            id=item_id,
            claimed_by=held.by,
            claimed_until=held.until,
        )


OPERATIONS = (
    Operation(
        "claim_work_item",
        "Claim a work item",
        "Claims an item for this session until the lease ends. Your calls that name the item renew it.",
        ClaimWorkItem,
        WorkItemWritten,
        claim,
        "update",
        idempotent=True,
        rows=WORK_ITEM,
        groups=("items",),
        command="item claim",
        blocks=True,
    ),
    Operation(
        "claim_next",
        "Claim the next work item",
        "Claims the most urgent ready item that nobody holds, and shows all that is needed to begin.",
        ClaimNext,
        ClaimedNext,
        claim_next,
        "update",
        rows=WORK_ITEM,
        groups=("core", "items"),
        command="item claim",
        blocks=True,
    ),
    Operation(
        "release_work_item",
        "Give a claimed item back",
        "Takes your claim away, so that others may work on the item; another's with `force`.",
        ReleaseWorkItem,
        WorkItemWritten,
        release,
        "update",
        idempotent=True,
        rows=WORK_ITEM,
        groups=("items",),
        command="item release",
        blocks=True,
    ),
)
