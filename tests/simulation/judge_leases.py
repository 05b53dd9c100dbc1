"""What must be true of a claim whenever the server has decided a change of it, whatever clocks say.

It is written down from what users are promised, not from the table of `localfirst_sync.lease`.
"""

from __future__ import annotations

from typing import Any

from localfirst_schema.wire import Fields, Row
from localfirst_sync.lease import COLUMNS, FREE, held

from simulation.violation import hold


def judge_lease(fields: Fields, before: Row | None, after: Row | None, outcome: str, *about: Any) -> None:
    """Nobody loses a claim to one who did not know of it as it is, and nobody is answered with a claim that they have not."""
    had, has = (FREE if row is None else held(row) for row in (before, after))
    old, new = (tuple(fields.get(name, {}).get(side) for name in COLUMNS) for side in ("old", "new"))
    if had[0] is not None and has[0] not in (None, had[0]):
        hold(old == had, "a claim was taken by one who did not know it as it was", *about, had, old)
    if had[0] is not None and has[0] is None:
        hold(old[0] == had[0], "a claim was given back by one who did not know who has it", *about, had, old)
    if outcome == "lost":
        hold(had == has, "a lost claim has changed who holds it", *about, had, has)
        is_in_vain = old[0] is not None and had[0] is None  # given back meanwhile
        is_others = had[0] is not None and had[0] != new[0]
        is_deleted = before is None or before["deleted_at"] is not None or fields.get("work_item_id") is not None
        hold(is_in_vain or is_others or is_deleted, "a claim was refused that nobody stood against", *about, had, old, new)
    elif new[0] is not None:
        hold(has[0] == new[0], "somebody was answered with a claim that another has", *about, has, new)
        hold(has[1] is not None and has[1] >= new[1], "a lease ends sooner than its holder was answered", *about, has, new)
