"""Who holds a work item: what changes of the item have to do with that, and the renewal of what one works on."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from localfirst_schema import timestamps
from localfirst_schema.entities import WORK_ITEM_CLAIM
from localfirst_schema.wire import Row
from localfirst_sync.lease import COLUMNS

from localfirst.client.ports import Reader
from localfirst.client.session import Session
from localfirst.replica import leases
from localfirst.replica.act import Act

CLAIMED_BY_OTHER = "claimed_by_other"


def released(act: Act, project_id: str, item_id: str) -> None:
    """Gives back the claim of an item, whoever has it, within an act that completes or deletes it."""
    row = leases.claim_of(act.connection, project_id, item_id)
    if row is not None and row["deleted_at"] is None and row["claimed_by"] is not None:
        act.change(WORK_ITEM_CLAIM, row, dict.fromkeys(COLUMNS))


def warned(session: Reader, answer: dict[str, Any], claim: leases.Claim | None, *names: str | None) -> dict[str, Any]:
    """The answer to a change of an item, which says if somebody else held it.

    Args:
        claim: as it was before the change.
        names: under which the caller writes.
    """
    if claim is not None and claim.by not in session.claimants(*names) and CLAIMED_BY_OTHER not in answer["warnings"]:
        answer["warnings"].append(CLAIMED_BY_OTHER)
    return answer


def holder(session: Reader, item_id: str) -> leases.Claim | None:
    """Who holds an item now."""
    return leases.held(session.replica, [item_id], session.server_now()).get(item_id)


def renew(session: Session, item_ids: Iterable[str], *names: str | None) -> None:
    """Renews the claims of the items that a call has named, where less than half of the lease is left.

    Args:
        names: that the call has given for who acts.
    """
    now, mine = session.server_now(), session.claimants(*names)
    short = [
        item_id
        for item_id, claim in leases.held(session.replica, item_ids, now).items()
        if claim.by in mine and _until(session, item_id, claim.by, now) is not None
    ]
    for item_id in short:
        session.beside(partial(_renewed, session, item_id, mine))


def _renewed(session: Session, item_id: str, mine: set[str], act: Act) -> None:
    row = leases.claim_of(act.connection, session.project_id, item_id)
    if row is None or row["deleted_at"] is not None or row["claimed_by"] not in mine:
        return  # somebody else was quicker
    until = _until(session, item_id, row["claimed_by"], session.server_now())
    if until is not None:
        act.by = row["claimed_by"]
        act.change(WORK_ITEM_CLAIM, row, {"claimed_until": until})


def _until(session: Session, item_id: str, by: str, now: str) -> str | None:
    """The end of a renewed lease, which is as long as the last one; None while at least half of that is left."""
    row = leases.claim_of(session.replica, session.project_id, item_id)
    if row is None or row["claimed_by"] != by:
        return None
    length_s = _length_s(row, leases.offset_s(session.replica))
    left_s = (timestamps.parse(row["claimed_until"]) - timestamps.parse(now)).total_seconds()
    return session.server_now(length_s) if left_s < length_s / 2 else None


def _length_s(row: Row, offset_s: float) -> float:
    """How long a lease was made for: its end is the server's time, its beginning this machine's."""
    made_s = (timestamps.parse(row["claimed_until"]) - timestamps.parse(row["updated_at"])).total_seconds() - offset_s
    return max(0.0, made_s)
