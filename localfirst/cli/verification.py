"""What `doctor --verify` does: the server's rows against their history and their parents, then the replica against the server.

Nothing is changed without `--fix`. What differs is named row by row; `--fix` mends the server first, by numbered changes, and
then fetches what is other in the replica.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from localfirst_schema.errors import LocalfirstError

from localfirst.cli import wording
from localfirst.cli.finding import Finding
from localfirst.session import Session
from localfirst.settings import Settings

SHOWN = 20
"""So many rows are named in each part; the others are counted."""

AT_ONCE = 10_000
"""So many differences are held at a time; what is beyond is left for the next run."""

SYNC_S = 60.0
TRIES = 3
"""How often the replica is brought level again when others change something meanwhile."""


def findings(loaded: Settings, *, fix: bool) -> Iterator[Finding]:
    """Every finding, as soon as it is known."""
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
        return  # the doctor has told already that it cannot be used, and why
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


def _server(session: Session, server: Any, *, fix: bool) -> Iterator[Finding]:
    from localfirst_sync.postgres import mend, verify

    from localfirst.replica.local_store import ReplicaStore

    with verify.snapshot(server, session.project_id) as head:
        found = list(islice(verify.differences(server, session.project_id), AT_ONCE))
    if not found:
        yield Finding("verify", "ok", f"PostgreSQL: every row is what its history and its parents say (number {head.seq})")
        return
    may_mend = mend.may_mend(server)
    mended = mend.mend(server, ReplicaStore(session.replica).identity(), found) if fix and may_mend else set()
    for one in found[:SHOWN]:
        outcome = " – mended" if one in mended else ""
        level: Any = "ok" if one in mended else "warning" if one.kind == "too deep" else "broken"
        yield Finding("verify", level, f"PostgreSQL, {one.table} {one.id}: {one.words}{outcome}")
    yield _summary("PostgreSQL", len(found), len(mended), fix=fix, may_mend=may_mend)


def _replica(session: Session, server: Any, *, fix: bool) -> Iterator[Finding]:
    from localfirst_sync.lock import ReplicaLock
    from localfirst_sync.postgres import verify

    from localfirst.replica import comparison
    from localfirst.replica.local_store import ReplicaStore

    assert session.link is not None
    store = ReplicaStore(session.replica)
    for _ in range(TRIES):
        session.link.sync(SYNC_S)
        with verify.snapshot(server, session.project_id) as head:
            if not comparison.is_level(store, head):
                continue
            found = list(islice(comparison.compare(session.replica, server, session.project_id), AT_ONCE))
        break
    else:
        words = "the replica could not be brought level with the server, so they were not compared; see `localfirst sync`"
        yield Finding("verify", "warning", words)
        return
    if not found:
        yield Finding("verify", "ok", f"the replica: every row is the server's (number {head.seq})")
        return
    path = session.settings.replica
    lock = ReplicaLock(path.with_name(f"{path.name}.lock"))
    mended = comparison.fetch_again(store, lock, head, found) if fix else set()
    for one in found[:SHOWN]:
        outcome = " – fetched again" if one.id in mended else ""
        words = f"the replica, {one.entity.table} {one.id}: {_unlike(one)}{outcome}"
        yield Finding("verify", "ok" if one.id in mended else "broken", words)
    yield _summary("the replica", len(found), len(mended), fix=fix, may_mend=True)


def _unlike(one: Any) -> str:
    from localfirst_sync.postgres.verify import brief

    if one.there is None:
        return "the server has no such row; it is kept here"
    if one.here is None:
        return "is missing here"
    names = one.entity.column_names
    return "; ".join(
        f"{column} is {brief(one.here[names.index(column)])}, on the server {brief(one.there[names.index(column)])}"
        for column in one.columns
    )


def _summary(where: str, found: int, mended: int, *, fix: bool, may_mend: bool) -> Finding:
    rows = wording.count(found, "row")
    more = f"; the first {SHOWN} are named" if found > SHOWN else ""
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
