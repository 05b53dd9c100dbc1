"""Dependencies: both ends, both types, cycles, and taking a link away."""

from __future__ import annotations

from itertools import pairwise

import pytest

from contract.agent import Agent, Answer, Refusal


def link(agent: Agent, source: Answer, kind: str, target: Answer) -> Answer:
    return agent.call("link_work_items", source_id=source["id"], target_id=target["id"], dependency_type=kind)


def unlink(agent: Agent, source: Answer, kind: str, target: Answer) -> Answer:
    return agent.call("unlink_work_items", source_id=source["id"], target_id=target["id"], dependency_type=kind)


def refused(agent: Agent, source: Answer, kind: str, target: Answer) -> Refusal:
    return agent.refused("link_work_items", source_id=source["id"], target_id=target["id"], dependency_type=kind)


def items(agent: Agent, count: int) -> list[Answer]:
    return [agent.create(f"item {number}") for number in range(count)]


@pytest.mark.parametrize("kind", ["depends_on", "blocks"])
def test_a_link_shows_on_both_ends(agent: Agent, kind: str) -> None:
    source = agent.create("source", "research", status="blocked")
    target = agent.update(agent.create("target"), title="target again")
    made = link(agent, source, kind, target)
    assert made["dependency_type"] == kind
    assert (made["source_id"], made["target_id"]) == (source["id"], target["id"])
    assert agent.read(source)["dependencies"] == [
        {
            "type": kind,
            "direction": "outgoing",
            "related_item": {
                "id": target["id"],
                "ref": target["ref"],
                "title": "target again",
                "status": "active",
                "item_type": "task",
                "version": 2,
                "updated_at": target["updated_at"],
            },
        }
    ]
    assert agent.read(target)["dependencies"] == [
        {
            "type": kind,
            "direction": "incoming",
            "related_item": {
                "id": source["id"],
                "ref": source["ref"],
                "title": "source",
                "status": "blocked",
                "item_type": "research",
                "version": 1,
                "updated_at": source["updated_at"],
            },
        }
    ]


@pytest.mark.parametrize("kind", ["depends_on", "blocks"])
def test_an_item_is_not_linked_to_itself(agent: Agent, kind: str) -> None:
    (item,) = items(agent, 1)
    assert refused(agent, item, kind, item).kind == "CycleError"
    assert agent.read(item)["dependencies"] == []


@pytest.mark.parametrize("kind", ["depends_on", "blocks"])
@pytest.mark.parametrize("length", [2, 3, 6])
def test_a_ring_of_links_is_a_cycle(agent: Agent, kind: str, length: int) -> None:
    ring = items(agent, length)
    for source, target in pairwise(ring):
        link(agent, source, kind, target)
    assert refused(agent, ring[-1], kind, ring[0]).kind == "CycleError"
    assert agent.read(ring[-1])["dependencies"] != []
    assert len(agent.read(ring[0])["dependencies"]) == 1


def test_a_cycle_over_both_types_is_a_cycle(agent: Agent) -> None:
    first, second, third = items(agent, 3)
    link(agent, first, "depends_on", second)
    assert refused(agent, first, "blocks", second).kind == "CycleError"
    link(agent, third, "blocks", second)
    assert refused(agent, first, "blocks", third).kind == "CycleError"


def test_the_same_wait_may_be_said_from_both_sides(agent: Agent) -> None:
    first, second = items(agent, 2)
    link(agent, first, "depends_on", second)
    link(agent, second, "blocks", first)
    assert len(agent.read(first)["dependencies"]) == 2


def test_two_ways_to_one_end_are_no_cycle(agent: Agent) -> None:
    top, left, right, bottom = items(agent, 4)
    for source, target in ((top, left), (top, right), (left, bottom), (right, bottom), (top, bottom)):
        link(agent, source, "depends_on", target)
    assert len(agent.read(top)["dependencies"]) == 3
    assert len(agent.read(bottom)["dependencies"]) == 3


def test_a_repeated_link_does_not_double(agent: Agent) -> None:
    first, second = items(agent, 2)
    made = link(agent, first, "depends_on", second)
    again = agent.raw("link_work_items", source_id=first["id"], target_id=second["id"], dependency_type="depends_on")
    assert again.structured_content is not None
    if again.is_error:
        assert again.structured_content["error"] == "DuplicateError"
    else:
        assert again.structured_content["id"] == made["id"]
    assert len(agent.read(first)["dependencies"]) == 1


def test_an_unlinked_pair_is_linked_no_more_at_either_end(agent: Agent) -> None:
    first, second = items(agent, 2)
    link(agent, first, "blocks", second)
    gone = unlink(agent, first, "blocks", second)
    assert (gone["source_id"], gone["target_id"], gone["dependency_type"]) == (first["id"], second["id"], "blocks")
    assert agent.read(first)["dependencies"] == agent.read(second)["dependencies"] == []


def test_a_link_that_is_not_there_is_not_taken_away(agent: Agent) -> None:
    first, second = items(agent, 2)
    link(agent, first, "blocks", second)
    for source, kind, target in ((first, "depends_on", second), (second, "blocks", first)):
        arguments = {"source_id": source["id"], "target_id": target["id"], "dependency_type": kind}
        assert agent.refused("unlink_work_items", **arguments).kind == "NotFoundError"
    unlink(agent, first, "blocks", second)
    arguments = {"source_id": first["id"], "target_id": second["id"], "dependency_type": "blocks"}
    assert agent.refused("unlink_work_items", **arguments).kind == "NotFoundError"


def test_a_pair_can_be_linked_again_and_either_way_round(agent: Agent) -> None:
    first, second = items(agent, 2)
    for source, target in ((first, second), (second, first), (first, second)):
        link(agent, source, "depends_on", target)
        assert [each["direction"] for each in agent.read(source)["dependencies"]] == ["outgoing"]
        unlink(agent, source, "depends_on", target)


def test_a_link_needs_two_items_that_are_there(agent: Agent) -> None:
    (item,) = items(agent, 1)
    nobody = {"id": "00000000-0000-4000-8000-000000000000"}
    assert refused(agent, item, "blocks", nobody).kind == "NotFoundError"
    assert refused(agent, nobody, "blocks", item).kind == "NotFoundError"


def test_a_dependency_shows_the_other_item_as_it_is_now(agent: Agent) -> None:
    first, second = items(agent, 2)
    link(agent, first, "depends_on", second)
    agent.update(second, title="changed", status="completed")
    (dependency,) = agent.read(first)["dependencies"]
    related = dependency["related_item"]
    assert (related["title"], related["status"], related["version"]) == ("changed", "completed", 2)
