"""What agents who share a board need besides: claims, comments, and going back to an earlier version."""

from __future__ import annotations

from contract.agent import Agent


def test_a_claimed_item_is_its_claimants(agent: Agent, name: str) -> None:
    item = agent.create(name)
    claimed = agent.call("claim_work_item", id=item["id"], claimed_by="one")
    assert claimed["claimed_by"] == "one"
    refusal = agent.refused("claim_work_item", id=item["id"], claimed_by="two")
    assert refusal.kind == "InvalidStateError"
    assert "one" in refusal.text
    assert agent.read(item)["claimed_by"] == "one"


def test_claiming_twice_is_claiming_once(agent: Agent, name: str) -> None:
    item = agent.create(name)
    first = agent.call("claim_work_item", id=item["id"], claimed_by="one")
    assert agent.call("claim_work_item", id=item["id"], claimed_by="one")["version"] == first["version"]


def test_who_claims_without_a_name_claims_as_this_session(agent: Agent, name: str) -> None:
    item = agent.create(name)
    assert agent.call("claim_work_item", id=item["id"])["claimed_by"].startswith("tester/")


def test_a_released_item_is_free_for_another(agent: Agent, name: str) -> None:
    item = agent.create(name)
    agent.call("claim_work_item", id=item["id"], claimed_by="one")
    assert agent.refused("release_work_item", id=item["id"], claimed_by="two").kind == "InvalidStateError"
    assert "claimed_by" not in agent.call("release_work_item", id=item["id"], claimed_by="one")
    assert agent.call("claim_work_item", id=item["id"], claimed_by="two")["claimed_by"] == "two"


def test_a_deleted_item_is_not_claimed(agent: Agent, name: str) -> None:
    item = agent.update(agent.create(name), deleted=True)
    assert agent.refused("claim_work_item", id=item["id"]).kind == "InvalidStateError"


def test_comments_are_kept_in_the_order_of_their_writing(agent: Agent, name: str) -> None:
    item = agent.create(name)
    for author, body in (("one", "a\n\n> b"), ("two", "🎉"), ("one", "x" * 10_000)):
        comment = agent.call("add_comment", id=item["id"], body=body, created_by=author)
        assert (comment["body"], comment["created_by"], comment["work_item_id"]) == (body, author, item["id"])
    listed = agent.call("list_comments", id=item["id"])
    assert listed == agent.call("list_comments", work_item_id=item["id"])
    assert [each["created_by"] for each in listed["items"]] == ["one", "two", "one"]
    assert listed["total_count"] == 3
    page = agent.call("list_comments", work_item_id=item["id"], limit=1, offset=1)
    assert [each["body"] for each in page["items"]] == ["🎉"]


def test_a_comment_does_not_make_an_agents_version_stale(agent: Agent, name: str) -> None:
    item = agent.create(name)
    agent.call("add_comment", work_item_id=item["id"], body="b")
    assert agent.update(item, title="new")["version"] == 2


def test_a_reverted_item_has_its_earlier_content_under_a_new_version(agent: Agent, name: str) -> None:
    item = agent.create(name, metadata={"a": 1, "b": {"c": None}}, branch_name="b")
    item = agent.update(item, title="new", metadata={"a": None, "d": 1}, clear=["branch_name"])
    item = agent.update(item, status="completed")
    back = agent.call("revert_work_item", id=item["id"], version=3, to_version=1, updated_by="undoer")
    assert (back["version"], back["updated_by"]) == (4, "undoer")
    assert (back["title"], back["status"], back["branch_name"]) == (name, "active", "b")
    assert back["metadata"] == {"a": 1, "b": {"c": None}}
    assert len(agent.call("get_history", entity="work_item", id=item["id"])["changes"]) == 4


def test_a_revert_can_itself_be_reverted(agent: Agent, name: str) -> None:
    item = agent.update(agent.create(name), title="new")
    agent.call("revert_work_item", id=item["id"], version=2, to_version=1)
    assert agent.call("revert_work_item", id=item["id"], version=3, to_version=2)["title"] == "new"


def test_a_stale_revert_is_a_mismatch(agent: Agent, name: str) -> None:
    item = agent.update(agent.update(agent.create(name), title="new"), title="newer")
    refusal = agent.refused("revert_work_item", id=item["id"], version=2, to_version=1)
    assert refusal.kind == "VersionMismatchError"
    assert agent.read(item)["title"] == "newer"


def test_there_is_no_going_back_to_a_version_that_never_was(agent: Agent, name: str) -> None:
    item = agent.create(name)
    for version in (2, 99):
        refusal = agent.refused("revert_work_item", id=item["id"], version=1, to_version=version)
        assert refusal.kind in ("NotFoundError", "ValidationError")
    assert agent.read(item)["version"] == 1
