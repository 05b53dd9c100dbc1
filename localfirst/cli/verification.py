"""What `doctor --verify` does: the numbers of the log, the server's rows and conflicts against their history and their parents,
then the replica against the server: rows, conflicts and history.

Nothing is changed without `--fix`. What differs is named row by row; `--fix` mends the server first, by numbered changes, and
then fetches what is other in the replica. What only the replica knows of conflicts, and of lines that the log has lost, is
given to the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from localfirst_schema.errors import LocalfirstError

from localfirst.cli import wording
from localfirst.cli.finding import Finding
from localfirst.client.session import Session
from localfirst.settings import Settings

DISPLAYED = 20
"""So many rows are named in each part; the others are counted."""

AT_ONCE = 10_000
"""So many differences are held at a time; what is beyond is left for the next run."""

SYNC_S = 60.0
TRIES = 3
"""How often the replica is brought level again when others change something meanwhile."""


def findings(loaded: Settings, *, fix: bool) -> Iterator[Finding]:
    """Every finding, as soon as it is known."""
    if loaded.server_url is not None:
        yield Finding("verify", "warning", "not compared: a daemon does not give that; at the server it is done by its address")
        return
    if loaded.database_url is None:
        yield Finding("verify", "ok", "no server is configured: there is nothing to compare the replica with")
        return
    try:
        yield from _findings(loaded, fix=fix)
    except LocalfirstError as error:
        yield Finding("verify", "broken", f"the comparison could not be finished: {error.message}")


def findings_of_numbers(loaded: Settings, *, fix: bool) -> Iterator[Finding]:
    """For a server with which no round succeeds, which the numbers of its log may be the cause of."""
    from localfirst_sync.postgres.connection import close_quietly, connect

    if loaded.database_url is None:
        return
    session = Session(loaded)
    try:
        server = connect(loaded.database_url)
        try:
            yield from _numbers(session, server, fix=fix)
        finally:
            close_quietly(server)
    except LocalfirstError:
        return  # the doctor has said already that it cannot be used, and why
    finally:
        session.close()


def _findings(loaded: Settings, *, fix: bool) -> Iterator[Finding]:
    from localfirst_sync.postgres.connection import close_quietly, connect

    assert loaded.database_url is not None
    session = Session(loaded)
    try:
        assert session.link is not None
        session.link.sync(SYNC_S)
        server = connect(loaded.database_url)
        try:
            yield from _numbers(session, server, fix=fix)
            yield from _gaps(session, server, fix=fix)
            yield from _server(session, server, fix=fix)
            yield from _replica(session, server, fix=fix)
        finally:
            close_quietly(server)
    finally:
        session.close()


def _numbers(session: Session, server: Any, *, fix: bool) -> Iterator[Finding]:
    from localfirst_sync.postgres import mend, numbers

    found = numbers.look(server, session.project_id)
    if found is None or found.words is None:
        return
    if not fix:
        words = f"PostgreSQL: {found.words}; `localfirst doctor --verify --fix` puts them in order"
        yield Finding("verify", "broken", words)
    elif not mend.may_mend(server):
        yield Finding("verify", "broken", f"PostgreSQL: {found.words}; nothing was mended, since this user may only read there")
    else:
        numbers.put_in_order(server, session.project_id)
        yield Finding("verify", "ok", f"PostgreSQL: {found.words} – put in order")


def _gaps(session: Session, server: Any, *, fix: bool) -> Iterator[Finding]:
    from localfirst_sync.postgres import gaps, mend

    from localfirst.replica.local_store import ReplicaStore

    found = gaps.look(server, session.project_id)
    may_mend = fix and mend.may_mend(server)
    if found.words is not None and not fix:
        words = f"PostgreSQL: {found.words}; `localfirst doctor --verify --fix` fills them"
        yield Finding("verify", "broken", words)
    elif found.words is not None and not may_mend:
        yield Finding("verify", "broken", f"PostgreSQL: {found.words}; nothing was mended, since this user may only read there")
    elif may_mend and found.missing + found.filled:
        # What stood there a replica may know. One that is not level may know what the log has, and has not had yet.
        parted = _parted(session, server)
        known = [one for row in parted.found for one in row.here if not _is_another(one, row)] if parted else []
        put_back = gaps.fill(server, ReplicaStore(session.replica).identity(), known)
        if found.words is not None or put_back:
            lines = wording.count(put_back, "line")
            yield Finding(
                "verify", "ok", f"PostgreSQL: {found.words or 'lines were missing'} – filled, {lines} from this replica"
            )


def _is_another(one: Any, row: Any) -> bool:
    """Whether a line that the server lacks is one of its own, written over."""
    return any(one.line.version == other.line.version and one.line.outcome == other.line.outcome for other in row.there)


class _Compared(NamedTuple):
    """What differs between a replica and its server, both at the head."""

    head: Any
    rows: Sequence[Any]
    found: Sequence[Any]


def _parted(session: Session, server: Any) -> _Compared | None:
    """What differs; None if the replica could not be brought level."""
    from localfirst_sync.postgres import verify

    from localfirst.replica import comparison, history_comparison
    from localfirst.replica.local_store import ReplicaStore

    assert session.link is not None
    replica, project = session.replica, session.project_id
    for _ in range(TRIES):
        session.link.sync(SYNC_S)
        with verify.snapshot(server, project) as head:
            if comparison.is_level(ReplicaStore(replica), head):
                rows = list(islice(comparison.compare(replica, server, project), AT_ONCE))
                return _Compared(head, rows, list(islice(history_comparison.compare(replica, server, project), AT_ONCE)))
    return None


def _server(session: Session, server: Any, *, fix: bool) -> Iterator[Finding]:
    from localfirst_sync.conflict import CONFLICT
    from localfirst_sync.postgres import mend, verify
    from localfirst_sync.postgres.restore import bring_conflicts

    from localfirst.replica import comparison
    from localfirst.replica.local_store import ReplicaStore

    with verify.snapshot(server, session.project_id) as head:
        found = list(islice(verify.differences(server, session.project_id), AT_ONCE))
    if not found:
        yield Finding("verify", "ok", f"PostgreSQL: every row is what its history and its parents say (number {head.seq})")
        return
    may_mend = mend.may_mend(server)
    identity = ReplicaStore(session.replica).identity()
    mended = set()
    if fix and may_mend:
        gone = [one.id for one in found if one.entity == CONFLICT and one.kind == "absent"]
        bring_conflicts(server, identity, comparison.conflicts(session.replica, gone))
        mended = mend.mend(server, identity, found)
    for one in found[:DISPLAYED]:
        outcome = " – mended" if one in mended else ""
        level: Any = "ok" if one in mended else "warning" if one.kind == "too deep" else "broken"
        yield Finding("verify", level, f"PostgreSQL, {one.table} {one.id}: {one.words}{outcome}")
    yield _summary("PostgreSQL", len(found), len(mended), fix=fix, may_mend=may_mend)


def _replica(session: Session, server: Any, *, fix: bool) -> Iterator[Finding]:
    parted = _parted(session, server)
    if parted is None:
        words = "the replica could not be brought level with the server, so they were not compared; see `localfirst sync`"
        yield Finding("verify", "warning", words)
        return
    if not parted.rows and not parted.found:
        words = f"the replica: rows, conflicts and history are the server's (number {parted.head.seq})"
        yield Finding("verify", "ok", words)
        return
    yield from _other_rows(session, server, parted, fix=fix)
    yield from _other_lines(session, server, parted, fix=fix)


def _other_rows(session: Session, server: Any, parted: _Compared, *, fix: bool) -> Iterator[Finding]:
    from localfirst_sync.conflict import CONFLICTS
    from localfirst_sync.postgres import mend
    from localfirst_sync.postgres.restore import bring_conflicts

    from localfirst.replica import comparison
    from localfirst.replica.local_store import ReplicaStore

    found = parted.rows
    if not found:
        return
    store = ReplicaStore(session.replica)
    mended: set[tuple[str, str]] = set()
    if fix:
        mended |= comparison.fetch_again(store, _lock(session), parted.head, found)
        # The log tells of these no more than the table: nobody but this replica has them.
        alone = [one for one in found if one.entity is CONFLICTS and one.there is None]
        if alone and mend.may_mend(server):
            bring_conflicts(server, store.identity(), [tuple(one.here) for one in alone])
            mended.update((one.entity.name, one.id) for one in alone)
    for one in found[:DISPLAYED]:
        is_mended = (one.entity.name, one.id) in mended
        outcome = "" if not is_mended else " – fetched again" if one.there is not None else " – brought to the server"
        words = f"the replica, {one.entity.table} {one.id}: {_unlike(one)}{outcome}"
        yield Finding("verify", "ok" if is_mended else "broken", words)
    yield _summary("the replica", len(found), len(mended), fix=fix, may_mend=True)


def _other_lines(session: Session, server: Any, parted: _Compared, *, fix: bool) -> Iterator[Finding]:
    from localfirst_sync.postgres import gaps

    from localfirst.replica import history_comparison
    from localfirst.replica.local_store import ReplicaStore

    found = parted.found
    if not found:
        return
    lacks = gaps.look(server, session.project_id)
    if lacks.missing or lacks.filled:
        # What only this replica knows may be what the log has lost, so none of it is taken off here.
        found = [row._replace(here=[one for one in row.here if _is_another(one, row)]) for row in found]
    store = ReplicaStore(session.replica)
    is_mended = fix and history_comparison.write_as_there(store, _lock(session), parted.head, found)
    mended = [is_mended and len(before.here) == len(after.here) for before, after in zip(parted.found, found, strict=True)]
    for row, is_right in list(zip(parted.found, mended, strict=True))[:DISPLAYED]:
        outcome = " – written as there" if is_right else ""
        words = f"the replica, history of {row.entity} {row.id}: {_unlike_lines(row)}{outcome}"
        yield Finding("verify", "ok" if is_right else "broken", words)
    yield _summary("the replica's history", len(found), sum(mended), fix=fix, may_mend=True)


def _lock(session: Session) -> Any:
    from localfirst_sync.lock import ReplicaLock

    path = session.settings.replica
    return ReplicaLock(path.with_name(f"{path.name}.lock"))


def _unlike_lines(row: Any) -> str:
    words = []
    for where, some in (("here", row.here), ("on the server", row.there)):
        if some:
            lines = ", ".join(f"version {one.line.version} ({one.line.outcome}, {one.line.at})" for one in some[:3])
            more = f" and {len(some) - 3} more" if len(some) > 3 else ""
            words.append(f"only {where} {lines}{more}")
    return "; ".join(words)


def _unlike(one: Any) -> str:
    from localfirst_sync.postgres.verify import brief

    if one.there is None:
        return f"the server has no such {one.entity.name.replace('_', ' ')}; it is kept here"
    if one.here is None:
        return "is missing here"
    names = one.entity.column_names
    return "; ".join(
        f"{column} is {brief(one.here[names.index(column)])}, on the server {brief(one.there[names.index(column)])}"
        for column in one.columns
    )


def _summary(where: str, found: int, mended: int, *, fix: bool, may_mend: bool) -> Finding:
    rows = wording.count(found, "row")
    more = f"; the first {DISPLAYED} are named" if found > DISPLAYED else ""
    if found >= AT_ONCE:
        more += "; there may be more: run it again"
    if mended == found:
        return Finding("verify", "ok", f"{where}: {rows} differed and are mended{more}")
    if not fix:
        return Finding("verify", "broken", f"{where}: {rows} differ{more}; `localfirst doctor --verify --fix` mends them")
    if not may_mend:
        words = f"{where}: {rows} differ{more}; nothing was mended, since this user may only read there"
        return Finding("verify", "broken", words)
    words = f"{where}: {mended} of {rows} are mended{more}; the others need somebody's decision"
    return Finding("verify", "broken", words)
