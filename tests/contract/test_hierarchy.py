"""Parents and children: depth, paths, moves, and the tree that a query shows."""

from __future__ import annotations

import json

from contract.agent import Agent, Answer


def chain(agent: Agent, name: str, length: int, parent: Answer | None = None) -> list[Answer]:
    items: list[Answer] = []
    for level in range(length):
        above = items[-1] if items else parent
        items.append(agent.create(f"{name} {level}", parent_id=above["id"] if above else None))
    return items


def tree(item: Answer) -> dict[str, object]:
    return {child["title"]: tree(child) for child in item["children"]}


def test_five_levels_are_allowed_and_a_sixth_is_not(agent: Agent, name: str) -> None:
    items = chain(agent, name, 5)
    assert [item["depth"] for item in items] == [0, 1, 2, 3, 4]
    ids = [item["id"] for item in items]
    assert [item["path"] for item in items] == ["/".join(ids[: level + 1]) for level in range(5)]
    refusal = agent.invalid("parent_id", "create_work_item", item_type="task", title=name, parent_id=ids[4])
    assert "5" in refusal.text or "five" in refusal.text


def test_a_leaf_knows_its_ancestors_root_first(agent: Agent, name: str) -> None:
    items = chain(agent, name, 5)
    leaf = agent.read(items[4])
    assert [each["id"] for each in leaf["parent_chain"]] == [item["id"] for item in items[:4]]
    assert leaf["children"] == []
    assert agent.read(items[0])["parent_chain"] == []


def test_a_root_shows_the_whole_tree_nested(agent: Agent, name: str) -> None:
    items = chain(agent, name, 5)
    agent.create("side", parent_id=items[1]["id"])
    root = agent.read(items[0], detail="full")
    assert tree(root) == {f"{name} 1": {f"{name} 2": {f"{name} 3": {f"{name} 4": {}}}, "side": {}}}
    first = root["children"][0]
    assert (first["version"], first["depth"], first["parent_id"]) == (1, 1, root["id"])


def test_max_depth_cuts_the_tree(agent: Agent, name: str) -> None:
    items = chain(agent, name, 4)
    assert tree(agent.read(items[0], max_depth=1)) == {f"{name} 1": {}}
    assert tree(agent.read(items[0], max_depth=2)) == {f"{name} 1": {f"{name} 2": {}}}


def test_children_and_dependencies_can_be_left_out(agent: Agent, name: str) -> None:
    parent, _ = chain(agent, name, 2)
    agent.call("link_work_items", source_id=parent["id"], target_id=agent.create(name)["id"], dependency_type="blocks")
    assert agent.read(parent, include_children=False).get("children", []) == []
    assert agent.read(parent, include_dependencies=False).get("dependencies", []) == []
    assert len(agent.read(parent)["children"]) == len(agent.read(parent)["dependencies"]) == 1


def test_deleted_children_leave_the_tree(agent: Agent, name: str) -> None:
    parent, child = chain(agent, name, 2)
    agent.update(child, deleted=True)
    assert agent.read(parent)["children"] == []


def test_a_move_takes_the_whole_subtree_along(agent: Agent, name: str) -> None:
    top, middle, leaf = chain(agent, name, 3)
    new = chain(agent, f"{name} new", 2)
    moved = agent.update(middle, parent_id=new[1]["id"])
    assert (moved["depth"], moved["parent_id"]) == (2, new[1]["id"])
    assert moved["path"] == "/".join([new[0]["id"], new[1]["id"], middle["id"]])
    below = agent.read(leaf)
    assert below["depth"] == 3
    assert below["path"] == f"{moved['path']}/{leaf['id']}"
    assert [each["id"] for each in below["parent_chain"]] == moved["path"].split("/")
    assert agent.read(top)["children"] == []


def test_to_clear_the_parent_makes_a_root(agent: Agent, name: str) -> None:
    _, middle, leaf = chain(agent, name, 3)
    moved = agent.update(middle, clear=["parent_id"])
    assert (moved["depth"], moved["path"], moved["parent_id"]) == (0, middle["id"], None)
    assert agent.read(leaf)["path"] == f"{middle['id']}/{leaf['id']}"


def test_an_update_that_does_not_name_the_parent_does_not_move(agent: Agent, name: str) -> None:
    top, child = chain(agent, name, 2)
    assert agent.update(child, title="new")["parent_id"] == top["id"]


def test_a_move_under_oneself_or_a_descendant_is_a_cycle(agent: Agent, name: str) -> None:
    top, middle, leaf = chain(agent, name, 3)
    for below in (top, middle, leaf):
        refusal = agent.refused("update_work_item", id=top["id"], version=1, parent_id=below["id"])
        assert refusal.kind == "CycleError"
    assert agent.read(top)["version"] == 1
    assert tree(agent.read(top)) == {f"{name} 1": {f"{name} 2": {}}}


def test_a_move_that_would_make_a_sixth_level_anywhere_is_refused(agent: Agent, name: str) -> None:
    deep = chain(agent, name, 4)
    top, _ = chain(agent, f"{name} moved", 2)
    agent.invalid("parent_id", "update_work_item", id=top["id"], version=1, parent_id=deep[3]["id"])
    assert agent.read(top)["parent_id"] is None
    assert agent.update(top, parent_id=deep[2]["id"])["depth"] == 3


def test_a_stale_move_is_a_mismatch(agent: Agent, name: str) -> None:
    item, other = agent.create(name), agent.create(name)
    agent.update(item, title="second")
    refusal = agent.refused("update_work_item", id=item["id"], version=1, parent_id=other["id"])
    assert refusal.kind == "VersionMismatchError"


def test_an_item_is_not_moved_under_nobody(agent: Agent, name: str) -> None:
    item = agent.create(name)
    nobody = "00000000-0000-4000-8000-000000000000"
    assert agent.refused("update_work_item", id=item["id"], version=1, parent_id=nobody).kind == "NotFoundError"


def test_a_hundred_children_are_all_displayed(agent: Agent, name: str) -> None:
    parent = agent.create(name)
    made = {agent.create(f"{name} {number}", parent_id=parent["id"])["id"] for number in range(101)}
    assert {child["id"] for child in agent.read(parent)["children"]} == made


def test_children_are_displayed_level_by_level_up_to_a_limit(agent: Agent, name: str) -> None:
    root = agent.create(name)
    upper = [agent.create(f"{name} {number}", parent_id=root["id"]) for number in range(3)]
    for parent in upper:
        for number in range(4):
            agent.create(f"leaf {number}", parent_id=parent["id"])
    assert "children_omitted" not in json.dumps(agent.read(root, max_children=15))

    def displayed(limit: int, **more: object) -> tuple[object, ...]:
        read = agent.read(root, max_children=limit, **more)
        return read.get("children_omitted", 0), *(
            (len(child["children"]), child.get("children_omitted", 0)) for child in read["children"]
        )

    assert displayed(14) == (0, (4, 0), (4, 0), (3, 1))
    assert displayed(7) == (0, (4, 0), (0, 4), (0, 4))
    assert displayed(3) == (0, (0, 4), (0, 4), (0, 4))
    assert displayed(3, max_depth=1) == (0, (0, 0), (0, 0), (0, 0))
    assert displayed(2) == (1, (0, 4), (0, 4))
    assert displayed(15, include_children=False) == (0,)
    assert [child["title"] for child in agent.read(root, max_children=2)["children"]] == [f"{name} 0", f"{name} 1"]
    agent.invalid("max_children", "query_work_item", id=root["id"], max_children=0)


def test_two_hundred_children_are_displayed_unless_more_are_asked_for(agent: Agent, name: str) -> None:
    parent = agent.create(name)
    for number in range(203):
        agent.create(f"{name} {number}", parent_id=parent["id"])
    read = agent.read(parent)
    assert (len(read["children"]), read["children_omitted"]) == (200, 3)
    assert len(agent.read(parent, max_children=1000)["children"]) == 203


def test_comments_are_counted_and_the_last_ones_displayed_when_asked_for(agent: Agent, name: str) -> None:
    item = agent.create(name)
    assert (agent.read(item)["comment_count"], agent.read(item, include_comments=True)["comments"]) == (0, [])
    for number in range(22):
        agent.call("add_comment", id=item["id"], body=str(number))
    read = agent.read(item, include_comments=True)
    assert read["comment_count"] == 22
    assert [comment["body"] for comment in read["comments"]] == [str(number) for number in range(2, 22)]
    assert agent.read(item).get("comments", []) == []
