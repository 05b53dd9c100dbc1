"""Settling passes the rules of any write: what would break the structure is refused at once, and its conflict stays."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from contract.agent import Agent, Answer, working
from contract.laptop import Laptop

from end_to_end.conftest import NewLaptop
from end_to_end.stores import replica_rows, server_rows

AWAY: dict[str, Any] = {"LOCALFIRST_DATABASE_URL": ""}
Ids = list[str]


class Case(NamedTuple):
    """Four items; A does something and reaches the server first, B does something else while it is away."""

    of_a: Callable[[Agent, Ids], object]
    of_b: Callable[[Agent, Ids], object]
    reason: str
    refusal: str
    undone: Callable[[Agent, Ids], object]
    """What makes room for B's change."""


def _depends(agent: Agent, one: str, other: str) -> Answer:
    return agent.call("link_work_items", source_id=one, target_id=other, dependency_type="depends_on")


def _independent(agent: Agent, one: str, other: str) -> Answer:
    return agent.call("unlink_work_items", source_id=one, target_id=other, dependency_type="depends_on")


def _changed(agent: Agent, item: str, **values: object) -> Answer:
    version = agent.call("query_work_item", id=item)["version"]
    return agent.call("update_work_item", id=item, version=version, **values)


def _child(agent: Agent, parent: str) -> Answer:
    return agent.call("create_work_item", item_type="task", title="Child", parent_id=parent)


def _tower(agent: Agent, ids: Ids) -> None:
    for upper, lower in itertools.pairwise(ids):
        _changed(agent, lower, parent_id=upper)


def _children_gone(agent: Agent, ids: Ids) -> None:
    for child in agent.call("list_work_items", parent_id=ids[0])["items"]:
        _changed(agent, child["id"], deleted=True)


CASES = {
    "a circle of dependencies": Case(
        lambda agent, ids: _depends(agent, ids[0], ids[1]),
        lambda agent, ids: _depends(agent, ids[1], ids[0]),
        "cycle",
        "CycleError",
        lambda agent, ids: _independent(agent, ids[0], ids[1]),
    ),
    "a circle of parents": Case(
        lambda agent, ids: _changed(agent, ids[0], parent_id=ids[1]),
        lambda agent, ids: _changed(agent, ids[1], parent_id=ids[0]),
        "cycle",
        "CycleError",
        lambda agent, ids: _changed(agent, ids[0], clear=["parent_id"]),
    ),
    "a parent that has got a child": Case(
        lambda agent, ids: _child(agent, ids[0]),
        lambda agent, ids: _changed(agent, ids[0], deleted=True),
        "live_children",
        "InvalidStateError",
        _children_gone,
    ),
    "a comment on what was deleted": Case(
        lambda agent, ids: _changed(agent, ids[0], deleted=True),
        lambda agent, ids: agent.call("add_comment", work_item_id=ids[0], body="Well."),
        "reference_deleted",
        "InvalidStateError",
        lambda agent, ids: _changed(agent, ids[0], deleted=False),
    ),
    "a dependency on what was deleted": Case(
        lambda agent, ids: _changed(agent, ids[0], deleted=True),
        lambda agent, ids: _depends(agent, ids[0], ids[1]),
        "reference_deleted",
        "InvalidStateError",
        lambda agent, ids: _changed(agent, ids[0], deleted=False),
    ),
    "a child of what was deleted": Case(
        lambda agent, ids: _changed(agent, ids[0], deleted=True),
        lambda agent, ids: _child(agent, ids[0]),
        "parent_deleted",
        "InvalidStateError",
        lambda agent, ids: _changed(agent, ids[0], deleted=False),
    ),
    "a sixth level": Case(
        _tower,
        lambda agent, ids: _child(agent, _child(agent, ids[3])["id"]),
        "depth",
        "ValidationError",
        lambda agent, ids: _changed(agent, ids[1], clear=["parent_id"]),
    ),
}


def apart(a: Laptop, b: Laptop, case: Case) -> Ids:
    """What happens while B is away, and then level again."""
    with working(a) as on_a, working(b) as on_b:
        ids = [on_a.call("create_work_item", item_type="task", title=f"{n}")["id"] for n in range(4)]
        on_a.call("sync_now")
        on_b.call("sync_now")
    with working(b, "bob", **AWAY) as on_b:
        case.of_b(on_b, ids)
    with working(a, "ann") as on_a:
        case.of_a(on_a, ids)
        on_a.call("sync_now")
    return ids


@pytest.mark.parametrize("name", CASES)
def test_my_side_is_refused_as_long_as_it_would_break_the_structure(
    name: str, new_laptop: NewLaptop, database_url: str
) -> None:
    case, a, b = CASES[name], new_laptop("a"), new_laptop("b")
    ids = apart(a, b, case)
    with working(b) as on_b, working(a) as on_a:
        on_b.call("sync_now")
        (conflict,) = on_b.call("list_conflicts")["conflicts"]
        assert conflict["reason"] == case.reason
        before = server_rows(database_url)
        for agent in (on_b, on_a):
            refusal = agent.refused("resolve_conflict", conflict_id=conflict["conflict_id"], resolution="mine")
            assert refusal.kind == case.refusal, refusal
            agent.call("sync_now")
            left = agent.call("list_conflicts")["conflicts"]
            assert [one["conflict_id"] for one in left] == [conflict["conflict_id"]]
        assert server_rows(database_url) == before == replica_rows(b)
        case.undone(on_a, ids)
        on_a.call("sync_now")
        on_b.call("resolve_conflict", conflict_id=conflict["conflict_id"], resolution="mine")
        for agent in (on_b, on_a):
            agent.call("sync_now")
            assert agent.call("list_conflicts")["total_count"] == 0
    assert replica_rows(a) == replica_rows(b) == server_rows(database_url)
