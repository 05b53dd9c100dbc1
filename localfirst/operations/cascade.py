"""The cascade: which layer a read is answered from, and what happens to an operation when the replica fails it.

    PostgreSQL → replica → git history → status file

What a layer says is final when the server stands behind it (or when none is configured and the replica is there). While a
configured server is away, and while the replica is, what one layer lacks is sought in the next: a row that it does not know,
not even as deleted; a list of which it has nothing at all. Damage of the replica is mended here, once (`Session.rebuild`); a
replica that cannot be used for other reasons is stood in for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from localfirst_schema.entities import DEPLOYMENT, ENHANCEMENT, ENTITY, VENDOR, WORK_ITEM, Entity
from localfirst_schema.errors import NotFoundError, UnavailableError
from localfirst_schema.identifiers import natural_id

from localfirst.client.ports import Reader, Source
from localfirst.client.session import Session
from localfirst.client.without_replica import SessionWithoutReplica
from localfirst.operations.acknowledgement import acknowledged
from localfirst.operations.operation import Operation
from localfirst.replica import set_aside
from localfirst.replica.connection import ReplicaUnreadableError, sqlite_errors
from localfirst.replica.rows import find

Answer: TypeAlias = dict[str, Any]
Run: TypeAlias = Callable[[Any, Any], Answer]

ALONE_PATIENCE_S = 2.0
"""How long a read waits for a server that is slow to be reached, when there is no other layer."""

STATUS: tuple[Entity, ...] = (WORK_ITEM, VENDOR, DEPLOYMENT, ENHANCEMENT)
"""Whose rows a layer may hold."""


def carry_out(operation: Operation, run: Run, *, session: Source, arguments: Any) -> Answer:
    """Runs an operation on the first layer that can do it. An error of SQLite's never reaches a user as such."""
    try:
        return _carry_out(operation, run, session, arguments)
    except NotFoundError as error:
        # A row that came, and could not be taken, is not absent.
        entity, row_id = error.details.get("entity"), error.details.get("id")
        if entity is not None and row_id is not None and isinstance(session, Session):
            set_aside.require_taken(session.replica, str(entity), str(row_id))
        raise


def _carry_out(operation: Operation, run: Run, session: Source, arguments: Any) -> Answer:
    reads = operation.effect == "read"
    session = session.present(now=not reads)
    if not isinstance(session, Session):
        if not reads and isinstance(session, SessionWithoutReplica):
            raise session.refusal()
        return _sought(operation, run, session, arguments)
    if not reads:
        return acknowledged(session, lambda: _mending(session, lambda: run(session, arguments)))
    try:
        with sqlite_errors():
            stand_in = session.stand_in()
        if stand_in is None:
            answer = _mending(session, lambda: _sought(operation, run, session, arguments))
            stand_in = session.stand_in()  # the read may have been the first to see that the replica cannot be written
            if stand_in is None:
                return answer
    except (UnavailableError, ReplicaUnreadableError) as error:
        if error.details.get("cause") != "replica":
            raise
        stand_in = session.stand_in(error)
    assert stand_in is not None
    return _sought(operation, run, stand_in, arguments)


def _mending(session: Session, work: Callable[[], Answer]) -> Answer:
    """Does the work; if the replica turns out to be damaged, it is rebuilt and the work done again, unless it wrote already."""
    acts = session.acts
    try:
        with sqlite_errors():
            return work()
    except ReplicaUnreadableError:
        session.rebuild()
        if session.acts != acts:
            raise
    with sqlite_errors():
        return work()


def _sought(operation: Operation, run: Run, session: Source, arguments: Any) -> Answer:
    """The answer of the first layer that has it; else what the first one says.

    Where no layer holds anything at all, the server is waited for: what is missing then is the layers, not the row.
    """
    nothing: Answer | None = None
    missing: NotFoundError | None = None
    holds_anything = False
    began = time.monotonic()
    for layer in _layers(session, operation):
        holds_anything = holds_anything or layer is session or _holds_anything(layer)
        try:
            answer = _read(layer, run, arguments)
        except NotFoundError as error:
            missing = missing or error
            if _knows(layer, error):
                raise
        else:
            if answer.get("items") or not _lacks_all(layer, operation):
                return answer
            nothing = nothing or answer
    if isinstance(session, SessionWithoutReplica) and not holds_anything and not operation.of_replica_alone:
        if session.await_server(began + ALONE_PATIENCE_S - time.monotonic()):
            return _read(session, run, arguments)
        if missing is not None:
            raise session.nothing_to_ask() from missing
    if nothing is not None:
        return nothing
    if missing is not None:
        raise missing
    raise UnavailableError("nothing can be read at the moment; try again.", cause="replica")


def _read(layer: Reader, run: Run, arguments: Any) -> Answer:
    """What the layer answers, read from one state of it."""
    with sqlite_errors(), layer.one_read():
        return run(layer, arguments)


def _layers(session: Source, operation: Operation) -> Iterator[Reader]:
    if operation.of_replica_alone:
        yield session
        return
    if session.has_answers():
        yield session
        if session.is_final():
            return
    yield from session.lower()


def _knows(layer: Reader, error: NotFoundError) -> bool:
    """Whether the row is there as deleted: what is gone is not sought further."""
    entity = ENTITY.get(error.details.get("entity", ""))
    row_id = error.details.get("id")
    if entity is VENDOR and row_id is None:
        row_id = natural_id(layer.project_id, VENDOR.name, str(error.details.get("name")))
    return entity is not None and row_id is not None and find(layer.replica, entity, row_id) is not None


def _holds_anything(layer: Reader) -> bool:
    """Whether it can say that a row is not there: one that is empty, or never was filled, cannot."""
    tables = [entity.table for entity in STATUS]
    return any(layer.replica.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").get for table in tables)


def _lacks_all(layer: Reader, operation: Operation) -> bool:
    tables = [entity.table for entity in operation.lists]
    return bool(tables) and not any(layer.replica.execute(f"SELECT EXISTS (SELECT 1 FROM {t})").get for t in tables)
