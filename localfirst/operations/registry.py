"""All operations, and the one guard around them: an error of SQLite's never reaches a user as such."""

from __future__ import annotations

import dataclasses
from typing import Any

from localfirst.operations import (
    archiving,
    claims,
    comments,
    configuration,
    conflicts,
    dependencies,
    deployments,
    enhancements,
    history,
    search,
    status,
    sync,
    vendors,
    work_item_queries,
    work_items,
)
from localfirst.operations.operation import Operation
from localfirst.reading.without_replica import SessionWithoutReplica
from localfirst.replica.connection import sqlite_errors
from localfirst.session import Session


def _guarded(operation: Operation) -> Operation:
    run = operation.run

    def guarded(session: Session, arguments: Any) -> dict[str, Any]:
        if isinstance(session, SessionWithoutReplica):
            session = session.heal(now=operation.effect != "read") or session
        with sqlite_errors():
            return run(session, arguments)

    return dataclasses.replace(operation, run=guarded)


OPERATIONS: tuple[Operation, ...] = tuple(
    _guarded(operation)
    for module in (
        work_items,
        work_item_queries,
        search,
        dependencies,
        history,
        comments,
        claims,
        vendors,
        deployments,
        enhancements,
        configuration,
        status,
        archiving,
        sync,
        conflicts,
    )
    for operation in module.OPERATIONS
)

BY_NAME: dict[str, Operation] = {operation.name: operation for operation in OPERATIONS}

BLOCKING = frozenset({"sync_now"})
"""Operations that may wait for the network for longer than a moment."""
