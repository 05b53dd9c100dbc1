"""Lean rows: what lists and answers of writes leave out, and what is never left out."""

from __future__ import annotations

from contract.agent import Agent, Answer

ALWAYS = {"id", "ref", "version", "item_type", "title", "status", "updated_at"}
COLUMNS = ALWAYS | {
    "parent_id", "path", "depth", "branch_name", "commit_hash", "pr_number", "metadata", "claimed_by", "created_at",
    "created_by", "updated_by", "deleted_at", "archived_at",
}  # fmt: skip
EVERY_WRITE = {"success", "warnings", "wrote_to_cache", "wrote_to_markdown", "pending_sync"}
FIRST_ANSWER = {"announcement", "project", "root"}


def lean(row: Answer, *besides: str) -> None:
    assert set(row) - set(besides) - EVERY_WRITE - FIRST_ANSWER == ALWAYS | {"updated_by"}, row


def test_a_write_answers_a_lean_row(agent: Agent, name: str) -> None:
    made = agent.create(name, detail="lean")
    lean(made)
    lean(agent.update(made, title=f"{name} 2", detail="lean"))
    assert agent.update(made | {"version": 2}, metadata={"a": [], "b": {}, "c": None, "d": ""}, detail="lean")["metadata"] == {
        "a": [], "b": {}, "d": "",
    }  # fmt: skip


def test_lists_and_what_surrounds_an_item_are_lean(agent: Agent, name: str) -> None:
    top = agent.create(name, "project")
    leaf = agent.create(f"{name} leaf", parent_id=top["id"])
    agent.call("link_work_items", source_id=top["id"], target_id=agent.create(name)["id"], dependency_type="blocks")
    lean(agent.call("list_work_items", parent_id=top["id"])["items"][0], "parent_id")
    lean(agent.read(top)["children"][0], "parent_id", "children")
    assert agent.read(top)["children"][0]["children"] == []
    lean(agent.read(leaf)["parent_chain"][0])
    assert set(agent.read(top)["dependencies"][0]["related_item"]) == ALWAYS
    lean(
        next(row for row in agent.call("search_work_items", query=name)["items"] if row["id"] == top["id"]), "score", "excerpt"
    )


def test_detail_full_gives_every_field(agent: Agent, name: str) -> None:
    top = agent.create(name, "project", detail="full")
    assert set(top) >= COLUMNS
    leaf = agent.create(f"{name} leaf", parent_id=top["id"])
    read = agent.read(top, detail="full")
    for row in (
        agent.update(leaf, title="x", detail="full"),
        *agent.call("list_work_items", parent_id=top["id"], detail="full")["items"],
        *agent.call("ready_work_items", detail="full")["items"],
        *agent.call("search_work_items", query=name, detail="full")["items"],
        *read["children"],
        *agent.read(leaf, detail="full")["parent_chain"],
    ):
        assert set(row) >= COLUMNS, row


def test_one_row_read_by_its_id_is_whole(agent: Agent, name: str) -> None:
    item = agent.create(name)
    read = agent.read(item)
    assert set(read) >= COLUMNS
    assert (read["branch_name"], read["metadata"], read["deleted_at"]) == (None, {}, None)
    agent.call("create_vendor", name=name)
    assert agent.call("query_vendor_status", name=name)["metadata"] == {}


def test_long_texts_of_the_metadata_are_left_out_of_lists_and_named(agent: Agent, name: str) -> None:
    top = agent.create(name, "project")
    metadata = {"prompt": "p" * 201, "note": "n" * 200, "prompts_count": 0}
    item = agent.create(f"{name} session", "session", parent_id=top["id"], metadata=metadata, detail="lean")
    assert item["metadata"] == metadata, "an answer of a write has all of it"
    (row,) = agent.call("list_work_items", parent_id=top["id"])["items"]
    assert (row["metadata"], row["omitted"]) == ({"note": "n" * 200, "prompts_count": 0}, ["prompt"])
    assert agent.read(item)["metadata"] == metadata
    (row,) = agent.call("list_work_items", parent_id=top["id"], detail="full")["items"]
    assert row["metadata"] == metadata
    assert "omitted" not in row


def test_vendors_deployments_and_enhancements_are_lean_too(agent: Agent, name: str) -> None:
    vendor = agent.call("create_vendor", name=name, operational=False)
    assert set(vendor) - EVERY_WRITE - FIRST_ANSWER == {
        "id",
        "name",
        "operational",
        "status",
        "version",
        "updated_at",
        "updated_by",
    }
    (row,) = [one for one in agent.call("list_vendors", limit=100)["items"] if one["name"] == name]
    assert (row["operational"], row["status"]) == (False, "broken")
    assert "metadata" not in row
    enhancement = agent.call("create_enhancement", title=name)
    assert {"description", "target_quarter", "created_at", "deleted_at"}.isdisjoint(enhancement)
    (row,) = [one for one in agent.call("list_enhancements", limit=100)["items"] if one["title"] == name]
    assert {"description", "target_quarter", "created_at", "deleted_at"}.isdisjoint(row)
    (row,) = [
        one for one in agent.call("generate_full_status")["pending_enhancements"] if one["title"] == name
    ]  # which is not lean
    assert row["target_quarter"] is None
    deployment = agent.call("record_deployment", metadata={})
    assert {"metadata", "created_at", "created_by", "deleted_at"}.isdisjoint(deployment)
    assert deployment["affected_vendors"] == []
