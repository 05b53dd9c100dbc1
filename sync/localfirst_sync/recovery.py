"""The server has another past than the replica: it was restored from a backup, lost its last commits, or began anew.

The replica takes a snapshot of what the server has now, compares it with what it remembers, sends again what the server lacks
(see `divergence` for what becomes of a row that both have changed), and takes over the rest. Until the last step is done the
replica has its old cursor, so whatever ends a recovery, the next round begins it again; what was sent already is recognised
then by its content. So it is when several replicas bring the same changes back, at once or one after the other.
"""

from __future__ import annotations

import logging

from localfirst_sync.ports import BEGINNING, LocalStore, RemoteStore

logger = logging.getLogger("localfirst.sync")

BATCH = 10_000
"""Rows that are sent again in one transaction: what was one act is mostly together, and others get the head soon."""


def recover(local: LocalStore, remote: RemoteStore, *, send: bool = True) -> int:
    """Brings both to one past; returns how many changes were sent again. The lock must be held.

    Who may not write (`send=False`) takes the server's past over, and keeps what the server lacks in its own replica.

    Raises `Busy` or `UnavailableError` (everything is kept), and `ServerWasRestored` when it happened again meanwhile.
    """
    logger.warning("PostgreSQL has another past than the replica (restored, or adopted); it is compared with the replica")
    local.begin_round()
    # A push that is still on its way knows nothing of what is brought back below, and would do the same once more.
    if send:
        remote.fence(local.identity())
    sink = local.begin_recovery()
    reached = remote.pull(BEGINNING, sink)
    restored, known = 0, reached
    for recovery_part in local.recovery_parts(sink, remote.history_counts(), BATCH) if send else ():
        changes, known = remote.restore(local.identity(), recovery_part, known)
        restored += changes
    reached = remote.pull(reached, sink)
    remote.confirm(known)  # it might have been set back once more, and have lost what was just brought
    taken = local.finish_recovery(sink, reached, restored)
    logger.warning("PostgreSQL had another past than the replica; %d changes were sent again, %d taken over", restored, taken)
    return restored
