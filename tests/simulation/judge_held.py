"""While somebody's open transaction holds rows: what does not need them gets through, within a few rounds."""

from __future__ import annotations

from collections.abc import Set
from itertools import groupby

from localfirst_schema.entities import ENTITY, WORK_ITEM
from localfirst_schema.wire import Fields, Mutation, decode_fields
from localfirst_sync.postponement import footprint, postponed
from localfirst_sync.structure import Key

from localfirst.replica import outbox
from localfirst.replica.rows import find
from simulation.machine import Machine
from simulation.server import Server
from simulation.tables import Tables
from simulation.violation import hold

ROUNDS = 4
"""Within so many rounds of each machine all that needs no held row is on the server. What must follow what is held depends on
where items hang, and so on what the others send and the pulls bring."""


def judge_passing(machine: Machine, server: Server) -> None:
    """What waits after these rounds needs a held row, or must follow something that does.

    A server that was set back is brought up to date first, as a whole, and waits for held rows as a whole.
    """
    tables, held, going = server.tables, server.connection.held, server.connection.going
    if _is_of_another_past(machine, tables):
        return
    acts = [list(group) for _, group in groupby(outbox.next_mutations(machine.connection, 10_000), key=lambda one: one.txn)]
    rows = machine.displayed()
    paths = {row_id: str(row["path"]) for (name, row_id), row in rows.items() if name == WORK_ITEM.name}
    prints, needing = [], set()
    for place, act in enumerate(acts):
        changes = [
            (one, decode_fields(one.fields), find(machine.connection, ENTITY[one.entity], one.id))
            for one in act
            if one.entity in ENTITY
        ]
        prints.append(footprint([(one.entity, one.id, fields, row) for one, fields, row in changes], paths))
        if any((one.entity, one.id) in held for one in act) or any(
            _refers_to(one.entity, fields, going) or (_may_move(one, fields) and _is_above_held(one.id, tables, held))
            for one, fields, _ in changes
        ):
            needing.add(place)
    waiting = set(postponed(prints, needing))
    passed_over = [act[0].id for place, act in enumerate(acts) if place not in waiting]
    hold(not passed_over, "a change waits although its rows are free", machine.name, *passed_over)


def _is_of_another_past(machine: Machine, tables: Tables) -> bool:
    standing = machine.connection.execute("SELECT cursor_seq, cursor_tag, pushed_seq, pushed_tag FROM replica").fetchall()[0]
    log = {(entry.seq, entry.tag) for entry in tables.history}
    return any(seq and (seq, tag) not in log for seq, tag in (standing[:2], standing[2:]))


def _may_move(change: Mutation, fields: Fields) -> bool:
    return change.entity == WORK_ITEM.name and ("parent_id" in fields or change.base_version == 0)


def _refers_to(name: str, fields: Fields, going: Set[Key]) -> bool:
    return any((to, fields.get(column, {}).get("new")) in going for column, to in ENTITY[name].references.items())


def _is_above_held(item: str, tables: Tables, held: Set[Key]) -> bool:
    items = tables.rows[WORK_ITEM.name]
    return any(name == WORK_ITEM.name and row_id in items and item in items[row_id]["path"].split("/") for name, row_id in held)
