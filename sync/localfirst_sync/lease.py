"""What becomes of a change of a lease that is not in step with the server: it is won, or lost. Pure, and without a clock.

A change says who held the thing and until when (`old`), and who holds it from now on (`new`); it always names both columns.

=============================  =================================================  =======================================
the change                     the server has                                     what stands
=============================  =================================================  =======================================
any                            what the change was made from                      the change
gives it back                  nobody, or the same holder (renewed meanwhile)     nobody
gives it back                  another holder                                     the server's: the change is lost
renews it                      the same holder                                    the later of both ends
renews it                      nobody (given back), or another holder             the server's: the change is lost
takes it                       nobody                                             the change
takes it                       the same holder (by another way)                   the later of both ends
takes it                       another holder, or a renewed lease                 the server's: the change is lost
=============================  =================================================  =======================================

Whether a lease has lapsed is the taker's business, by the server's time as far as that is known. If it saw a lease lapsed that
somebody has renewed since, its change was made from another state than the server's.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from localfirst_schema.wire import Fields, Row

Held: TypeAlias = tuple[Any, Any]
"""Who holds it, and until when; nobody: (None, None)."""

FREE: Held = (None, None)
COLUMNS = ("claimed_by", "claimed_until")


def held(row: Row) -> Held:
    """Who holds it by a row; nobody by a deleted one."""
    return FREE if row["deleted_at"] is not None else (row[COLUMNS[0]], row[COLUMNS[1]])


def outcome(fields: Fields, current: Row) -> Held | None:
    """Who holds it after a change that is not in step; None: the change is lost."""
    theirs = held(current)
    by, until = theirs
    old, new = (tuple(_side(fields, name, side, current) for name in COLUMNS) for side in ("old", "new"))
    if fields.get("deleted_at", {}).get("new") is not None:
        new = FREE
    if theirs in (old, new):
        return new[0], new[1]
    if new[0] is None:
        return FREE if by in (None, old[0]) else None
    if by is None:
        return None if new[0] == old[0] else (new[0], new[1])
    return (by, max(until, new[1])) if new[0] == by else None


def _side(fields: Fields, name: str, side: str, current: Row) -> Any:
    """What a change says of a column; who changed the end alone has not changed the holder."""
    return fields[name].get(side) if name in fields else current[name]
