"""One round of sync: push what waits, then pull to the head.

A round with nothing to do is one question to the server and one to the replica; it takes no lock and writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec
from localfirst_schema.errors import UnavailableError

from localfirst_sync.bootstrap import bootstrap
from localfirst_sync.lock import ReplicaLock
from localfirst_sync.ports import (
    BEGINNING,
    Access,
    Busy,
    Cursor,
    Fenced,
    HistoryRow,
    Identity,
    IdentityTaken,
    LocalStore,
    Progress,
    PullSink,
    Push,
    Pushed,
    RemoteStore,
    ServerWasRestored,
)
from localfirst_sync.recovery import recover

BATCH = 2_000
"""Mutations in a push: large enough to be fast, small enough not to keep the head from others for long."""

LOCK_WAIT_S = 0.5
_NEW_IDENTITIES_MAX = 3

TEXT_S = 0.5
"""After a bootstrap full text is written for so long a round, so that what people change meanwhile goes out."""


class RoundResult(NamedTuple):
    """What a round did: mutations pushed, foreign changes pulled, mutations merged, mutations in conflict, head reached;
    `restored`: how many changes were sent again to a server that had lost them (None: it had lost none that is known here);
    `access`: what the server allows. Where that is not to write, nothing was pushed, whatever waits.
    """

    pushed: int
    pulled: int
    merged: int
    conflicts: int
    head: Cursor
    restored: int | None = None
    access: Access = "write"


class Sent(NamedTuple):
    """What a push of the whole outbox did; `head` if the replica is known to be level with it."""

    pushed: int
    merged: int
    conflicts: int
    head: Cursor | None


def sync_round(
    local: LocalStore,
    remote: RemoteStore,
    lock: ReplicaLock,
    *,
    batch: int = BATCH,
    lock_wait_s: float = LOCK_WAIT_S,
    progress: Progress | None = None,
    is_announced: bool = False,
) -> RoundResult:
    """Brings the replica and the server level; `is_announced` says that there is something to pull.

    Raises `UnavailableError` when one of them is away (everything is kept), `HeldElsewhere` when another process syncs this
    replica, and `Fenced` when another one did meanwhile.
    """
    done = _round(local, remote, lock, batch, lock_wait_s, progress, is_announced=is_announced)
    if local.lacks_text():
        local.index_text(TEXT_S)
    return done


def _round(
    local: LocalStore,
    remote: RemoteStore,
    lock: ReplicaLock,
    batch: int,
    lock_wait_s: float,
    progress: Progress | None,
    *,
    is_announced: bool,
) -> RoundResult:
    if is_announced or local.pending_count():
        access = remote.access()  # the first question of a push or a pull asks for all that the head could tell
    else:
        head, access = remote.head(), remote.access()
        if local.is_level(head, access):
            return RoundResult(0, 0, 0, 0, head, access=access)
    try:
        with lock.held(lock_wait_s):
            local.note_access(access)
            if access != "write":
                return _pull_alone(local, remote, access, progress)
            try:
                return _push_then_pull(local, remote, batch, progress)
            except ServerWasRestored:
                restored = recover(local, remote)
                return _push_then_pull(local, remote, batch, progress)._replace(restored=restored)
    except ServerWasRestored:
        raise _restored() from None
    except Busy:
        raise UnavailableError(
            "Somebody holds rows in PostgreSQL that changes of this replica wait for (an open transaction?)."
            " They are kept and go out as soon as the rows are free.",
            cause="busy",
        ) from None


def _push_then_pull(local: LocalStore, remote: RemoteStore, batch: int, progress: Progress | None) -> RoundResult:
    try:
        sent = push_outbox(local, remote, batch=batch, progress=progress)
    except Busy:
        _pull(local, remote, progress)  # what the others did need not wait as well
        raise
    except UnavailableError as error:
        if error.details.get("cause") not in ("permission", "standby"):
            raise
        if (access := remote.access()) != "write":  # the right was taken away, or the server has become a standby
            local.note_access(access)
            return _pull_alone(local, remote, access, progress)
        _pull(local, remote, progress)  # a right is missing in part; that is no reason to miss what the others did
        raise
    if sent.head is not None:
        return RoundResult(sent.pushed, 0, sent.merged, sent.conflicts, sent.head)
    pulled, head = _pull(local, remote, progress)
    return RoundResult(sent.pushed, pulled, sent.merged, sent.conflicts, head)


def _pull_alone(local: LocalStore, remote: RemoteStore, access: Access, progress: Progress | None) -> RoundResult:
    """The round of one who may only read.

    A server that was set back is taken over without being brought up to date, which is for those who may write. A standby that
    lacks what the replica has was not set back: it has not come so far yet, or will turn out to be behind when it is promoted.
    """
    local.begin_round()
    try:
        pulled, head = _pull(local, remote, progress)
    except ServerWasRestored:
        if access == "standby":
            raise _behind() from None
        recover(local, remote, send=False)
        pulled, head = _pull(local, remote, progress)
    return RoundResult(0, pulled, 0, 0, head, access=access)


def push_outbox(local: LocalStore, remote: RemoteStore, *, batch: int = BATCH, progress: Progress | None = None) -> Sent:
    """Pushes what waits now (what is added meanwhile waits for the next round). The lock must be held."""
    local.begin_round()
    total = local.pending_count()
    pushed = merged = conflicts = 0
    head: Cursor | None = None
    allowed: int | None = None  # so many may go before what waits; None: nothing is known to wait
    waits = False  # whether anything waits behind those for rows that somebody holds
    while pushed < total and allowed != 0 and (waiting := _next_push(local, batch)) is not None:
        try:
            push, answer = _push_as_somebody(local, remote, waiting[0], _leading(waiting[1], allowed))
        except Busy as busy:
            allowed, waits = _let_others_pass(local, busy, allowed, batch)
            continue
        local.acknowledge(push, answer)
        pushed += len(push.mutations)
        merged += sum(verdict.outcome == "merged" for verdict in answer.verdicts)
        conflicts += sum(verdict.outcome == "conflict" for verdict in answer.verdicts)
        head = answer.after if answer.after == local.cursor() else None
        if allowed is not None:
            allowed -= len(push.mutations)
            if not allowed and not waits:
                allowed = None
        if progress is not None:
            progress(pushed, max(total, pushed), "push")
    if allowed == 0:
        raise Busy
    return Sent(pushed, merged, conflicts, head)


def _let_others_pass(local: LocalStore, busy: Busy, allowed: int | None, batch: int) -> tuple[int, bool]:
    """After a push that met held rows: how many mutations may go before what waits, and whether anything waits behind them.

    What the server has had before needs no rows but its answer: that is sent alone. Of the rest nothing was applied, so the
    acts that wait can be put behind the others. Raises `Busy` where not rows are in the way.
    """
    waiting = _next_push(local, batch)
    assert waiting is not None, "what could not be pushed still waits"
    acked_number = waiting[1].acked_number
    if busy.last_number > acked_number:
        return busy.last_number - acked_number, False
    if not busy.held:
        raise busy
    return local.postpone(busy.held, acked_number, allowed), True


def _next_push(local: LocalStore, batch: int) -> tuple[Identity, Push] | None:
    """The next push and whose it is. Who this replica is, is asked first: a later round may take a new id and number the queue
    again at any moment, but if it has begun before the push is made, this one is fenced."""
    identity = local.identity()
    push = local.next_push(batch)
    return None if push is None else (identity, push)


def _push_as_somebody(local: LocalStore, remote: RemoteStore, identity: Identity, push: Push) -> tuple[Push, Pushed]:
    """Pushes under the replica's id, or under a new one if a copy of the replica has used it; returns what was pushed.

    A server that has seen a later epoch than this round's has seen it from a copy, unless the replica says itself that a later
    round has begun (then `take_new_identity` raises `Fenced`).
    """
    for _ in range(_NEW_IDENTITIES_MAX):
        try:
            return push, remote.push(identity, push)
        except IdentityTaken as taken:
            if taken.agreed:
                # The copy was made while these waited: they have been answered under the id that both share. (If it has gone
                # through more rounds since, they go out under the new id, and are recognised by what they say.)
                agreed = _leading(push, taken.agreed)
                with suppress(Fenced, IdentityTaken):
                    return agreed, remote.push(identity, agreed)
        except Fenced:
            pass
        local.take_new_identity()
        renumbered = _next_push(local, len(push.mutations))
        assert renumbered is not None
        identity, push = renumbered
    raise UnavailableError(
        "The server takes this replica for another one again and again; its changes are kept.", cause="identity"
    )


def _leading(push: Push, count: int | None) -> Push:
    if count is None or count >= len(push.mutations):
        return push
    return msgspec.structs.replace(push, mutations=push.mutations[:count], hashes=push.hashes[:count])


def _pull(local: LocalStore, remote: RemoteStore, progress: Progress | None) -> tuple[int, Cursor]:
    cursor, again = local.cursor(), local.set_aside_again()
    if cursor == BEGINNING:
        return bootstrap(local, remote, progress)
    sink = local.begin_pull()
    counted = sink if progress is None else _Counted(sink, progress)
    # A server that was set back knows the cursor perhaps, and has lost what it had acknowledged.
    reached = remote.pull(cursor, counted, again, known=(local.last_push(),))
    if reached == cursor and again is None:
        return 0, reached
    return local.finish_pull(sink, reached), reached


class _Counted:
    """A `PullSink` that tells of its progress, in changes of the log."""

    def __init__(self, sink: PullSink, progress: Progress) -> None:
        self._sink = sink
        self._total = self._done = 0
        self._progress = progress

    def expects(self, changes: int) -> None:
        self._sink.expects(changes)
        self._total = changes

    def rows(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        self._sink.rows(table, rows)
        self._progress(self._done, max(self._total, self._done), "pull")

    def history(self, rows: Sequence[HistoryRow]) -> None:
        self._sink.history(rows)
        self._done += len(rows)
        self._progress(self._done, max(self._total, self._done), "pull")


def _restored() -> UnavailableError:
    return UnavailableError(
        "PostgreSQL was set back to an older state again while this replica brought it up to date. Nothing is lost: the replica"
        " keeps everything, and begins anew.",
        cause="restored",
    )


def _behind() -> UnavailableError:
    return UnavailableError(
        "Only a standby of PostgreSQL answers, and it has not yet what this replica has. Everything is kept here;"
        " synchronisation goes on when the standby has come so far, or a primary answers.",
        cause="standby",
    )
