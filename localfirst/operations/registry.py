"""All operations, each carried out by the cascade: on the first layer that can do it (`localfirst.operations.cascade`)."""

from __future__ import annotations

import dataclasses
from typing import Any

from localfirst.client.follow_up import tried
from localfirst.client.ports import Source
from localfirst.client.session import Session
from localfirst.operations import (
    archiving,
    claims,
    comments,
    completing,
    configuration,
    conflicts,
    creating,
    dependencies,
    deployments,
    enhancements,
    forgetting,
    history,
    indexing,
    priming,
    search,
    search_code,
    status,
    sync,
    undo,
    vendors,
    work_item_queries,
    work_items,
)
from localfirst.operations.cascade import Run, carry_out
from localfirst.operations.holding import renew
from localfirst.operations.lean import shaped
from localfirst.operations.naming import resolved
from localfirst.operations.operation import Operation

_ACTING = ("claimed_by", "updated_by", "created_by")
"""The arguments by which a call says who acts."""


def _in_the_callers_terms(operation: Operation) -> Run:
    """The operation with items named as callers name them, and with rows as they are displayed."""
    run, rows, reads = operation.run, operation.rows, operation.effect == "read"
    names_items = bool(operation.arguments.item_names())

    def in_the_callers_terms(session: Any, arguments: Any) -> dict[str, Any]:
        answer = run(session, resolved(session, arguments) if names_items else arguments)
        if rows is None:
            return answer
        return shaped(session, rows, answer, is_read=reads, is_full=arguments.detail == "full")

    return in_the_callers_terms


def _guarded(operation: Operation) -> Operation:
    run = _in_the_callers_terms(operation)
    named = operation.arguments.item_names()

    def renewing(session: Any, arguments: Any) -> dict[str, Any]:
        answer = run(session, arguments)
        tried(lambda: _renewed(session, arguments, named), None, answer["warnings"])
        return answer

    def guarded(session: Source, arguments: Any) -> dict[str, Any]:
        if operation.effect != "read":  # within what acknowledges a write, whatever fails after it
            return carry_out(operation, renewing if named else run, session=session, arguments=arguments)
        answer = carry_out(operation, run, session=session, arguments=arguments)
        if named:
            tried(lambda: _renewed(session, arguments, named), None, answer["warnings"])
        return answer

    return dataclasses.replace(operation, run=guarded)


def _renewed(source: Source, arguments: Any, fields: tuple[str, ...]) -> None:
    """What a call has named is in work: its holder's claim is renewed."""
    session = source.present(now=False)
    if not isinstance(session, Session):
        return
    given = resolved(session, arguments)
    values = [getattr(given, field) for field in fields]
    items = [one for value in values if value is not None for one in (value if isinstance(value, list) else [value])]
    renew(session, items, *(getattr(given, name, None) for name in _ACTING))


OPERATIONS: tuple[Operation, ...] = tuple(
    _guarded(operation)
    for module in (
        creating,
        work_items,
        completing,
        priming,
        work_item_queries,
        search,
        dependencies,
        history,
        undo,
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
        indexing,
        search_code,
    )
    for operation in module.OPERATIONS
)

FOR_PEOPLE: tuple[Operation, ...] = tuple(_guarded(operation) for operation in forgetting.OPERATIONS)
"""Operations that are commands and no tools."""

BY_NAME: dict[str, Operation] = {operation.name: operation for operation in (*OPERATIONS, *FOR_PEOPLE)}
