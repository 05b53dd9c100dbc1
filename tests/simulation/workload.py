"""What people and agents do on a machine: one operation of the tool contract, chosen and filled in by the dice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from localfirst_schema.entities import ENHANCEMENT, ENTITY, VENDOR, WORK_ITEM, WORK_ITEM_CLAIM, WORK_ITEM_DEPENDENCY, Entity
from localfirst_schema.identifiers import natural_id
from localfirst_schema.wire import Row

from localfirst.replica.rows import find, select
from simulation import settlers
from simulation.content import content, equal
from simulation.machine import Machine
from simulation.settlers import carried_out
from simulation.violation import hold

STATUSES = ("active", "completed", "blocked")
NAMES = ("Alder", "Birch", "C\u00e9dar")
POOL = tuple(natural_id("", "pool", str(number)) for number in range(4))
"""Ids that several people give to what they create."""

REVERTED = ("title", "status", "parent_id", "branch_name", "commit_hash", "pr_number", "metadata")
ATTEMPTS = 6

Content = dict[str, Any]
Choice = tuple[str, dict[str, Any]] | None
"""An operation and its arguments, or None where there is nothing to do it with."""


def work(machine: Machine, dice: Random, number: int, ids_elsewhere: list[str]) -> str | None:
    """Does one thing on the machine; returns the operation's name, or None if the replica refused all that was tried."""
    for _ in range(ATTEMPTS):
        kind = dice.choices(_KINDS, _WEIGHTS)[0]
        more = (ids_elsewhere,) if kind is _update_unknown else ()
        choice = kind(machine, dice, number, *more)
        if choice is not None and (choice[0] in _DONE or carried_out(machine, *choice)):
            return choice[0]
    choice = _create_item(machine, dice, number)
    return choice[0] if carried_out(machine, *choice) else None


def look(machine: Machine, dice: Random) -> None:
    """Somebody reads a row and remembers it."""
    entity = dice.choice((WORK_ITEM, WORK_ITEM, ENHANCEMENT, VENDOR))
    row = _any(machine, dice, entity)
    if row is not None:
        machine.seen.append((entity.name, row["id"], row["version"], content(entity, row) or {}))
        del machine.seen[:-6]


def _any(machine: Machine, dice: Random, entity: Entity, where: str = "deleted_at IS NULL") -> Row | None:
    found = select(machine.connection, entity, f"{where} ORDER BY id")
    if not found:
        return None
    return dice.choice(found[:3] if dice.random() < 0.5 else found)


def _create_item(machine: Machine, dice: Random, number: int) -> tuple[str, dict[str, Any]]:
    arguments: dict[str, Any] = {
        "item_type": dice.choice(("project", "session", "task", "research")),
        "title": f"item {number}",
    }
    parent = _any(machine, dice, WORK_ITEM)
    if parent is not None and dice.random() < 0.6:
        arguments["parent_id"] = parent["id"]
    if dice.random() < 0.15:
        arguments["id"] = dice.choice(POOL)
        arguments["title"] = dice.choice(("shared one", "shared two"))
        arguments["item_type"] = "task"
    if arguments["item_type"] == "task" and dice.random() < 0.5:
        arguments["metadata"] = _metadata(dice, number)
    return "create_work_item", arguments


def _metadata(dice: Random, number: int) -> dict[str, Any]:
    options: list[dict[str, Any]] = [
        {"priority": dice.choice(("high", "medium", "low"))},
        {"estimated_hours": dice.choice((1, 2.5, 8))},
        {"note": dice.choice((f"note {number}", "same note", None))},
        {"plan": {"step": number, "who": dice.choice("ab")}},
        {"plan": {dice.choice("xyz"): dice.choice((1, {"deep": number}, None))}},
        {"plan": dice.choice((None, f"flat {number}"))},
        {"list": [number, dice.randrange(3)]},
        {"flag": dice.choice((True, 1, 0, False))},
    ]
    patch: dict[str, Any] = {}
    for one in dice.sample(options, dice.choice((1, 1, 2))):
        patch |= one
    return patch


def _fields(dice: Random, number: int) -> dict[str, Any]:
    options = {
        "title": dice.choice((f"title {number}", "same title")),
        "status": dice.choice(STATUSES),
        "pr_number": dice.choice((None, 1, number + 1)),
        "branch_name": dice.choice((None, "main", f"branch-{number}")),
        "commit_hash": dice.choice((None, "a" * 40, f"{number:040x}")),
    }
    return {name: options[name] for name in dice.sample(sorted(options), dice.choice((1, 1, 2, 3)))}


def _update_item(machine: Machine, dice: Random, number: int) -> Choice:
    row = _any(machine, dice, WORK_ITEM)
    return ("update_work_item", {"id": row["id"], "version": row["version"], **_fields(dice, number)}) if row else None


def _update_metadata(machine: Machine, dice: Random, number: int) -> Choice:
    row = _any(machine, dice, WORK_ITEM, "deleted_at IS NULL AND item_type = 'task'")
    return (
        ("update_work_item", {"id": row["id"], "version": row["version"], "metadata": _metadata(dice, number)}) if row else None
    )


def _move_item(machine: Machine, dice: Random, number: int) -> Choice:
    row, parent = _any(machine, dice, WORK_ITEM), _any(machine, dice, WORK_ITEM)
    if row is None or parent is None:
        return None
    to = None if dice.random() < 0.15 else parent["id"]
    return "update_work_item", {"id": row["id"], "version": row["version"], "parent_id": to}


def _delete_item(machine: Machine, dice: Random, number: int) -> Choice:
    row = _any(machine, dice, WORK_ITEM)
    return ("update_work_item", {"id": row["id"], "version": row["version"], "deleted": True}) if row else None


def _undelete_item(machine: Machine, dice: Random, number: int) -> Choice:
    row = _any(machine, dice, WORK_ITEM, "deleted_at IS NOT NULL")
    more = _fields(dice, number) if dice.random() < 0.3 else {}
    return ("update_work_item", {"id": row["id"], "version": row["version"], "deleted": False, **more}) if row else None


def _update_unknown(machine: Machine, dice: Random, number: int, ids: list[str]) -> Choice:
    unknown = settlers.unknown_item(machine, dice, ids)
    changes = settlers.blind_change(dice, str(number))
    return "update_work_item", {"id": unknown, "version": dice.randrange(1, 5), **changes}


def _link(machine: Machine, dice: Random, number: int) -> Choice:
    one, other = _any(machine, dice, WORK_ITEM), _any(machine, dice, WORK_ITEM)
    if one is None or other is None:
        return None
    kind = dice.choice(("depends_on", "depends_on", "blocks"))
    return "link_work_items", {"source_id": one["id"], "target_id": other["id"], "dependency_type": kind}


def _unlink(machine: Machine, dice: Random, number: int) -> Choice:
    row = _any(machine, dice, WORK_ITEM_DEPENDENCY)
    if not row:
        return None
    ends = {"source_id": row["work_item_id"], "target_id": row["depends_on_id"], "dependency_type": row["dependency_type"]}
    return "unlink_work_items", ends


def _create_vendor(machine: Machine, dice: Random, number: int) -> Choice:
    content = {"extractor_version": dice.choice(("1", "2"))} if dice.random() < 0.5 else {}
    return "create_vendor", {"name": dice.choice(NAMES), "operational": dice.random() < 0.5, "metadata": content}


def _update_vendor(machine: Machine, dice: Random, number: int) -> Choice:
    row = _any(machine, dice, VENDOR)
    changes: dict[str, Any] = dice.choice(
        (
            {"operational": dice.random() < 0.5},
            {"metadata": {"test_results": {dice.choice(("passing", "total")): number}}},
            {"metadata": {"extractor_version": f"v{number}"}, "operational": True},
        )
    )
    return ("update_vendor_status", {"name": row["name"], "version": row["version"], **changes}) if row else None


def _deploy(machine: Machine, dice: Random, number: int) -> Choice:
    vendor, item = _any(machine, dice, VENDOR), _any(machine, dice, WORK_ITEM)
    arguments: dict[str, Any] = {"metadata": {"pr_number": number + 1, "pr_title": f"deploy {number}"}}
    if vendor is not None:
        arguments["vendor_ids"] = [vendor["id"]]
    if item is not None:
        arguments["work_item_ids"] = [item["id"]]
    return "record_deployment", arguments


def _enhance(machine: Machine, dice: Random, number: int) -> Choice:
    return "create_enhancement", {
        "title": f"enhancement {number}",
        "requires_constitutional_principles": dice.choice((None, ["one"], ["one", "two"])),
    }


def _update_enhancement(machine: Machine, dice: Random, number: int) -> Choice:
    row = _any(machine, dice, ENHANCEMENT, "true")
    if row is None:
        return None
    if row["deleted_at"] is not None or dice.random() < 0.2:
        changes: dict[str, Any] = {"deleted": row["deleted_at"] is None}
    else:
        options: dict[str, Any] = {
            "title": f"better {number}",
            "description": dice.choice((None, f"description {number}")),
            "priority": dice.choice(("high", "low")),
            "target_quarter": dice.choice((None, "Q1 2027")),
            "requires_constitutional_principles": dice.choice((None, [], [f"p{number}"])),
        }
        changes = {name: options[name] for name in dice.sample(sorted(options), 2)}
    return "update_enhancement", {"id": row["id"], "version": row["version"], **changes}


def _configure(machine: Machine, dice: Random, number: int) -> Choice:
    row = _any(machine, dice, ENTITY["configuration"])
    session = _any(machine, dice, WORK_ITEM, "item_type = 'session'")
    changes: dict[str, Any] = dice.choice(
        (
            {"active_context_type": dice.choice(("feature", "research"))},
            {"git_branch": dice.choice((None, f"branch-{number}"))},
            {"default_token_budget": 1000 + number},
            {"current_session_id": session["id"] if session else None},
        )
    )
    return ("update_project_configuration", {"version": row["version"], **changes}) if row else None


def _comment(machine: Machine, dice: Random, number: int) -> Choice:
    row = _any(machine, dice, WORK_ITEM)
    return ("add_comment", {"work_item_id": row["id"], "body": f"comment {number}"}) if row else None


def _claim(machine: Machine, dice: Random, number: int) -> Choice:
    row = _any(machine, dice, WORK_ITEM)
    lease = dice.choice((0.01, 0.5, 5, 60, 600))
    return ("claim_work_item", {"id": row["id"], "lease_minutes": lease}) if row else None


def _claim_next(machine: Machine, dice: Random, number: int) -> Choice:
    return "claim_next", {"lease_minutes": dice.choice((0.01, 5, 60))}


def _claim_again(machine: Machine, dice: Random, number: int) -> Choice:
    """What somebody holds, or held, is what others want too; a session that is resumed elsewhere claims in its old name."""
    row = _any(machine, dice, WORK_ITEM_CLAIM, "true")
    if row is None:
        return None
    who = {"claimed_by": row["claimed_by"]} if row["claimed_by"] is not None and dice.random() < 0.4 else {}
    return "claim_work_item", {"id": row["work_item_id"], "lease_minutes": dice.choice((0.01, 5, 60)), **who}


def _work_on(machine: Machine, dice: Random, number: int) -> Choice:
    """A call that names an item which is held: its holder's claim is renewed where it is about to end."""
    row = _any(machine, dice, WORK_ITEM_CLAIM, "claimed_by IS NOT NULL")
    who = {"created_by": row["claimed_by"]} if row and dice.random() < 0.4 else {}
    return ("add_comment", {"id": row["work_item_id"], "body": f"work {number}", **who}) if row else None


def _complete(machine: Machine, dice: Random, number: int) -> Choice:
    row = _any(machine, dice, WORK_ITEM_CLAIM, "claimed_by IS NOT NULL") or _any(machine, dice, WORK_ITEM_CLAIM, "true")
    return ("complete_work_item", {"id": row["work_item_id"]}) if row else None


def _release(machine: Machine, dice: Random, number: int) -> Choice:
    row = _any(machine, dice, WORK_ITEM_CLAIM, "claimed_by IS NOT NULL")
    return ("release_work_item", {"id": row["work_item_id"], "force": dice.random() < 0.3}) if row else None


def _archive(machine: Machine, dice: Random, number: int) -> Choice:
    return "trigger_archiving", {"older_than_days": dice.choice((0, 0, 1))}


def _revert(machine: Machine, dice: Random, number: int) -> Choice:
    row = _any(machine, dice, WORK_ITEM, "deleted_at IS NULL AND version > 1")
    if row is None:
        return None
    to_version = dice.randrange(1, row["version"])
    displayed = machine.album.judged(WORK_ITEM.name, row["id"], to_version)
    arguments = {"id": row["id"], "version": row["version"], "to_version": to_version}
    if carried_out(machine, "revert_work_item", arguments):
        now = find(machine.connection, WORK_ITEM, row["id"])
        assert now is not None
        _judge_revert(row["id"], to_version, content(WORK_ITEM, now) or {}, displayed)
        return "revert", {}
    return None


def _judge_revert(row_id: str, version: int, now: Content, displayed: Sequence[Content]) -> None:
    """What an item was taken back to is what somebody saw as that version."""
    same = not displayed or any(all(equal(now[name], then[name]) for name in REVERTED) for then in displayed)
    hold(same, "a revert to a version that never was", row_id, version, now, displayed)


def _resolve(machine: Machine, dice: Random, number: int) -> Choice:
    found = settlers.open_conflicts(machine)
    return settlers.settlement(machine, dice, number, dice.choice(found)) if found else None


def _act_of_several(machine: Machine, dice: Random, number: int) -> Choice:
    """Two items changed as one act; no tool does that, the write path can."""
    found = select(machine.connection, WORK_ITEM, "deleted_at IS NULL ORDER BY id")
    if len(found) < 2:
        return None
    with machine.desk.act() as act:
        for row in dice.sample(found[:5], 2):
            act.change(WORK_ITEM, row, {"status": dice.choice(STATUSES), "title": f"together {number}"})
    return "act of several", {}


def _too_long(machine: Machine, dice: Random, number: int) -> Choice:
    """A value that another version of the program let in, and that the server's constraint refuses."""
    row = _any(machine, dice, WORK_ITEM)
    if row is None:
        return None
    with machine.desk.act() as act:
        act.change(WORK_ITEM, row, {"title": f"long {number} " * 30})
    return "too long", {}


def _stale(machine: Machine, dice: Random, number: int) -> Choice:
    """Somebody acts on what they read some time ago: it works if, and only if, it still says the same."""
    if not machine.seen:
        return None
    name, row_id, version, seen = dice.choice(machine.seen)
    row = find(machine.connection, ENTITY[name], row_id)
    if row is not None and row["version"] == version:
        now = content(ENTITY[name], row)
        hold(now == seen, "a version that was read has another content now", machine.name, name, row_id, version, seen, now)
    return None


_TABLE: tuple[tuple[Callable[..., Choice], float], ...] = (
    (_create_item, 10), (_update_item, 18), (_update_metadata, 12), (_move_item, 8), (_delete_item, 5), (_undelete_item, 4),
    (_update_unknown, 1.5), (_link, 7), (_unlink, 2), (_create_vendor, 4), (_update_vendor, 6), (_deploy, 3), (_enhance, 2),
    (_update_enhancement, 6), (_configure, 5), (_comment, 3), (_claim, 4), (_claim_next, 3), (_claim_again, 5),
    (_work_on, 3), (_complete, 3), (_release, 2), (_archive, 0.7), (_revert, 4),
    (_resolve, 8), (_act_of_several, 3), (_too_long, 0.7), (_stale, 6),
)  # fmt: skip
_DONE = ("act of several", "too long", "revert")
"""What is done when it is chosen."""

_KINDS = [kind for kind, _ in _TABLE]
_WEIGHTS = [weight for _, weight in _TABLE]
