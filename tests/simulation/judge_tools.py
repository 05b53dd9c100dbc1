"""What the tools show when everything is level: lists in one order everywhere, and histories that lead to what stands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from localfirst_schema.entities import CONFIGURATION, DEPLOYMENT, ENHANCEMENT, ENTITY, VENDOR, WORK_ITEM, WORK_ITEM_DEPENDENCY
from localfirst_schema.errors import LocalfirstError
from localfirst_sync.lease import COLUMNS

from localfirst.operations.registry import BY_NAME
from localfirst.replica.rows import select
from simulation.content import canonical, content, data_columns, equal
from simulation.machine import Machine
from simulation.model import Model
from simulation.tables import Tables
from simulation.violation import Violation, hold

_LOGGED = (WORK_ITEM, WORK_ITEM_DEPENDENCY, VENDOR, DEPLOYMENT, ENHANCEMENT, CONFIGURATION)
"""What `get_history` is asked about by name."""

_LISTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("list_work_items", {"limit": 100, "include_deleted": True, "include_archived": True}),
    ("ready_work_items", {"limit": 100, "include_claimed": True}),
    ("list_vendors", {}), ("list_deployments", {}), ("list_enhancements", {}), ("list_conflicts", {}),
)  # fmt: skip


def judge_lists(one: Machine, other: Machine) -> None:
    """Two machines that are level show the same, in the same order."""
    if one is other:
        return
    for name, arguments in (*_LISTS, *_of_items(one)):
        here, there = _asked(one, name, arguments), _asked(other, name, arguments)
        hold(here == there, "a list has another order elsewhere", name, arguments, here, there)


def _of_items(machine: Machine) -> Iterator[tuple[str, dict[str, Any]]]:
    linked = select(
        machine.connection, WORK_ITEM, "id IN (SELECT work_item_id FROM work_item_dependencies) ORDER BY id LIMIT 12"
    )
    for row in linked:
        yield "query_work_item", {"id": row["id"]}
    for row in select(machine.connection, DEPLOYMENT, "deleted_at IS NULL ORDER BY id LIMIT 3"):
        yield "query_deployment", {"id": row["id"]}


def _asked(machine: Machine, name: str, arguments: dict[str, Any]) -> str:
    try:
        answer = _answer(machine, name, arguments)
    except LocalfirstError as refusal:
        return repr(refusal)
    return json.dumps(_without(answer, ("cache_age_minutes", "warnings", "data_source", *COLUMNS)), sort_keys=True)


def _without(value: Any, names: Sequence[str]) -> Any:
    """Without what each machine says otherwise: where from, and by its own clock who still holds what."""
    if isinstance(value, list):
        return [_without(one, names) for one in value]
    return {k: _without(v, names) for k, v in value.items() if k not in names} if isinstance(value, dict) else value


def _answer(machine: Machine, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What a tool says where the replica is level with the server, so that nothing is sought further."""
    operation, desk = BY_NAME[name], machine.desk
    link, desk.link, desk.renews = desk.link, None, False
    try:
        return operation.run(desk, operation.arguments(**arguments))
    finally:
        desk.link, desk.renews = link, True


def judge_histories(machine: Machine, model: Model, tables: Tables) -> None:
    """`get_history` tells every write; re-applied from the creation it gives what stands, at each version what was seen."""
    logged: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for key in model.writes:
        about = key[:2]
        if key[0] in (entity.name for entity in _LOGGED) and about not in logged:
            logged[about] = _history(
                machine, *about, may_lack=all(k in model.may_be_gone for k in model.writes if k[:2] == about)
            )
    lines = {(name, row_id, line["by"], line["at"]) for (name, row_id), found in logged.items() for line in found}
    for key in model.writes:
        if key[:2] in logged and key not in model.may_be_gone:
            hold(key[:4] in lines, "no tool shows an acknowledged write", *key)
    for entity in _LOGGED:
        for row_id, row in tables.rows[entity.name].items():
            found = logged.get((entity.name, row_id))
            if found is not None:
                _judge_replay(machine, entity.name, row_id, found, content(entity, row) or {})


def _history(machine: Machine, entity: str, row_id: str, *, may_lack: bool) -> list[dict[str, Any]]:
    try:
        answer = _answer(machine, "get_history", {"entity": entity, "id": row_id, "limit": 500})
    except LocalfirstError as refusal:
        if may_lack:
            return []
        raise Violation(f"no tool shows an acknowledged write: {entity}, {row_id}, {refusal}") from None
    changes: list[dict[str, Any]] = answer["changes"]
    return changes[::-1]


def _judge_replay(machine: Machine, name: str, row_id: str, lines: list[dict[str, Any]], now: dict[str, Any]) -> None:
    """Each line says what it made of the row: carried out one after the other they lead to it."""
    state: dict[str, Any] = dict.fromkeys(data_columns(ENTITY[name]))
    for place, line in enumerate(lines):
        if line["outcome"] != "lost":
            state |= {column: sides["new"] for column, sides in line["fields"].items() if column in state}
        is_last = place + 1 == len(lines) or lines[place + 1]["version"] > line["version"]
        displayed = machine.album.judged(name, row_id, line["version"])
        if displayed and is_last and any(value is not None for value in state.values()):
            is_one = any(equal(state, one) for one in displayed)
            hold(is_one, "the history tells a version that never was", name, row_id, line["version"], state, displayed)
    unlike = {column: (value, now[column]) for column, value in state.items() if not equal(value, now[column])}
    hold(
        not unlike,
        "the history, re-applied, does not give the row",
        name,
        row_id,
        unlike,
        [canonical(json.dumps(one)) for one in lines],
    )
