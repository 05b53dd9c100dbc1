"""People who settle conflicts, and whose work makes them: all three ways, late, twice; changes of what was never seen here."""

from __future__ import annotations

from random import Random
from typing import Any

from localfirst_schema.entities import ENTITY, WORK_ITEM, Entity, Role
from localfirst_schema.errors import LocalfirstError, UnavailableError
from localfirst_schema.identifiers import natural_id
from localfirst_schema.json_merge import merge_patch
from localfirst_schema.wire import Row, decode_json
from pydantic import ValidationError

from localfirst.operations.registry import BY_NAME
from localfirst.replica.rows import find, select
from simulation.machine import Machine
from simulation.violation import hold

NOWHERE = tuple(natural_id("", "nowhere", str(number)) for number in range(2))
"""Ids of items that nobody has made."""

Content = dict[str, Any]


def carried_out(machine: Machine, name: str, arguments: dict[str, Any]) -> bool:
    """Carries out an operation; whether the replica took it."""
    operation = BY_NAME[name]
    try:
        operation.run(machine.desk, operation.arguments(**arguments))
    except (LocalfirstError, ValidationError) as refusal:
        hold(not isinstance(refusal, UnavailableError), "an operation failed in an unexpected way", name, str(refusal))
        return False
    return True


def open_conflicts(machine: Machine) -> list[str]:
    """The ids of the conflicts that are open here."""
    query = "SELECT id FROM conflicts WHERE resolved_at IS NULL ORDER BY id"
    return [str(one) for (one,) in machine.connection.execute(query)]


def settle(machine: Machine, dice: Random, number: int, conflict_id: str) -> str | None:
    """Settles a conflict, if it is open here."""
    if conflict_id not in open_conflicts(machine):
        return None
    name, arguments = settlement(machine, dice, number, conflict_id)
    return f"{name} {arguments['resolution']}" if carried_out(machine, name, arguments) else None


def settlement(machine: Machine, dice: Random, number: int, conflict_id: str) -> tuple[str, dict[str, Any]]:
    """One way to settle a conflict. With `theirs` it always can be."""
    query = "SELECT fields, entity, base, mine, theirs FROM conflicts WHERE id = ?"
    ((fields, entity, *sides),) = machine.connection.execute(query, (conflict_id,)).fetchall()
    resolution = dice.choice(("mine", "theirs", "merge"))
    arguments: dict[str, Any] = {"conflict_id": conflict_id, "resolution": resolution}
    if resolution == "merge":
        options = (("title", f"merged {number}"), ("status", "active"), ("description", f"merged {number}"))
        merged: dict[str, Any] = {name: value for name, value in options if f'"{name}"' in str(fields)}
        merged = merged or {"metadata": {"note": f"merged {number}"}}
        base, mine, theirs = (decode_json(str(side)) for side in sides)
        arguments["fields"] = merge_patch(_left_as_it_stands(ENTITY[str(entity)], base, mine, theirs), merged)
    return "resolve_conflict", arguments


def unknown_item(machine: Machine, dice: Random, ids: list[str]) -> str:
    """An item that this replica does not hold: one that was made elsewhere, or one that is nowhere."""
    unknown = [one for one in ids if find(machine.connection, WORK_ITEM, one) is None]
    return dice.choice(unknown) if unknown and dice.random() < 0.8 else dice.choice(NOWHERE)


def blind_change(dice: Random, number: str) -> dict[str, Any]:
    """What somebody changes of an item that they have not seen."""
    options: list[dict[str, Any]] = [
        {"title": f"blind {number}"},
        {"status": "blocked"},
        {"metadata": {"note": f"blind {number}"}},
        {"metadata": {"plan": {"who": f"blind {number}"}}},
        {"metadata": {"note": None, "list": [number]}},
    ]
    return dict(merge_patch(*dice.sample(options, 2)) if dice.random() < 0.3 else dice.choice(options))


def blind(machine: Machine, item_id: str, version: int, change: dict[str, Any]) -> str | None:
    """Changes it."""
    done = carried_out(machine, "update_work_item", {"id": item_id, "version": version, **change})
    return "blind change" if done else None


def deletable(machine: Machine, dice: Random) -> Row | None:
    """An item that can be deleted: it has no children."""
    found = select(
        machine.connection,
        WORK_ITEM,
        "deleted_at IS NULL AND id NOT IN (SELECT parent_id FROM work_items WHERE parent_id IS NOT NULL) ORDER BY id",
    )
    return dice.choice(found[:4]) if found else None


def delete(machine: Machine, row: Row, *, deleted: bool) -> str | None:
    """Deletes an item that was just read, or takes that back."""
    now = find(machine.connection, WORK_ITEM, row["id"])
    arguments = {"id": row["id"], "version": now["version"] if now else 0, "deleted": deleted}
    return f"deleted: {deleted}" if carried_out(machine, "update_work_item", arguments) else None


def _left_as_it_stands(entity: Entity, base: Content, mine: Content, theirs: Content) -> Content:
    """The clashing fields with the values of the row, as far as they may be given."""
    named = [name for name in {**base, **mine} if name in theirs and name not in entity.immutable]
    given = [name for name in named if entity.by_name[name].role is Role.DATA]
    return {name: _as_patch(base.get(name), mine.get(name), theirs[name]) for name in given}


def _as_patch(base: Any, mine: Any, theirs: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(mine, dict) and isinstance(theirs, dict)):
        return theirs
    return {key: _as_patch(base.get(key), mine.get(key), theirs.get(key)) for key in {**base, **mine}}
