"""Hierarchy: a project, its session, tasks and research on five levels, read whole with its ancestors and dependencies."""

from __future__ import annotations

from scenarios.conftest import Join, NewLaptop


def test_hierarchy(new_laptop: NewLaptop, join: Join) -> None:
    agent = join(new_laptop())
    chain = [agent.create("The portal", "project", metadata={"description": "All of it", "target_quarter": "Q1 2026"})]
    for title, kind in (
        ("A morning", "session"),
        ("Mend the parser", "task"),
        ("Read the manifest", "task"),
        ("Why?", "research"),
    ):
        chain.append(agent.create(title, kind, parent_id=chain[-1]["id"]))
    assert [item["depth"] for item in chain] == [0, 1, 2, 3, 4]
    assert chain[-1]["path"] == "/".join(item["id"] for item in chain)
    agent.invalid("parent_id", "create_work_item", item_type="task", title="One too many", parent_id=chain[-1]["id"])

    root = agent.read(chain[0])
    below, titles = root["children"], []
    while below:
        titles.append(below[0]["title"])
        below = below[0]["children"]
    assert titles == ["A morning", "Mend the parser", "Read the manifest", "Why?"]
    leaf = agent.read(chain[-1])
    assert [item["title"] for item in leaf["parent_chain"]] == [
        "The portal",
        "A morning",
        "Mend the parser",
        "Read the manifest",
    ]

    other = agent.create("Write the tests", parent_id=chain[1]["id"])
    agent.call("link_work_items", source_id=other["id"], target_id=chain[2]["id"], dependency_type="depends_on")
    [waiting] = agent.read(other)["dependencies"]
    assert (waiting["type"], waiting["direction"], waiting["related_item"]["title"]) == (
        "depends_on",
        "outgoing",
        "Mend the parser",
    )
    [awaited] = agent.read(chain[2])["dependencies"]
    assert (awaited["direction"], awaited["related_item"]["id"]) == ("incoming", other["id"])
    cycle = agent.refused("link_work_items", source_id=chain[2]["id"], target_id=other["id"], dependency_type="depends_on")
    assert cycle.kind == "CycleError"
    assert agent.refused("update_work_item", id=chain[1]["id"], version=1, parent_id=chain[3]["id"]).kind == "CycleError"

    ready = {item["title"] for item in agent.call("ready_work_items")["items"]}
    assert "Write the tests" not in ready
    agent.update(agent.read(chain[2]), status="completed")
    assert "Write the tests" in {item["title"] for item in agent.call("ready_work_items")["items"]}
    moved = agent.update(agent.read(chain[3]), parent_id=chain[0]["id"])
    assert (moved["depth"], agent.read(chain[4])["depth"]) == (1, 2)
