"""What an agent learns at its beginning, by the tool, the resource and the prompt."""

from __future__ import annotations

import json

from contract.agent import Agent, working
from contract.laptop import Laptop

KEYS = {
    "project", "root", "online", "claims", "lost_claims", "others", "ready", "ready_count", "changes", "changes_count",
    "conflicts", "pending_mutations", "index",
}  # fmt: skip


def length(answer: dict[str, object]) -> int:
    return len(json.dumps(answer, ensure_ascii=False, separators=(",", ":")))


def test_a_session_learns_what_happened_since_the_last_one_of_its_name(laptop: Laptop) -> None:
    with working(laptop) as first:
        mine, others = first.create("mine"), first.create("other's", metadata={"priority": "urgent"})
        assert first.call("prime")["changes"] == []
        first.call("claim_work_item", id=mine["id"])
        first.call("claim_work_item", id=others["id"], claimed_by="somebody")
    with working(laptop, "another client") as other:
        changed = other.create("news")
        other.call("add_comment", id=mine["id"], body="a word")
    with working(laptop) as agent:
        reported = agent.call("prime")
        assert set(reported) >= KEYS
        assert [(one["ref"], one["title"], one["gone"]) for one in reported["claims"]] == [(mine["ref"], "mine", True)]
        assert reported["others"] == [{"ref": others["ref"], "claimed_by": "somebody", "title": "other's"}]
        assert [(one["ref"], one["what"], one["by"]) for one in reported["changes"]] == [
            (mine["ref"], "comment", "another client"),
            (changed["ref"], "created", "another client"),
        ]
        assert (reported["changes_count"], reported["ready_count"]) == (2, 1)
        assert [one["ref"] for one in reported["ready"]] == [changed["ref"]]
        assert agent.call("claim_work_item", id=mine["ref"], claimed_by=reported["claims"][0]["claimed_by"])["id"] == mine["id"]
        agent.create("later")
        assert agent.call("prime")["changes_count"] == 3, "what it covers does not move within a session"


def test_a_session_that_never_asked_was_one_as_well(laptop: Laptop) -> None:
    with working(laptop) as first:
        first.create("mine")
    with working(laptop, "another client") as other:
        news = other.create("news")
    with working(laptop) as agent:
        agent.create("later")
        assert [one["ref"] for one in agent.call("prime")["changes"] if one["by"] == "another client"] == [news["ref"]]


def test_lists_are_cut_to_what_there_is_room_for_and_counts_stay(agent: Agent, name: str) -> None:
    for number in range(15):
        agent.create(f"{name} {number} {'x' * 100}")
    whole = agent.call("prime", since="2000-01-01T00:00:00Z", max_chars=100_000)
    reported = agent.call("prime", since="2000-01-01T00:00:00Z")
    assert length(whole) > 2000 >= length(reported)
    assert (reported["changes_count"], reported["ready_count"]) == (whole["changes_count"], whole["ready_count"])


def test_the_resource_and_the_prompt_say_the_same(agent: Agent) -> None:
    (resource,) = agent.on_loop(agent.client.list_resources).resources
    assert str(resource.uri) == "localfirst://prime"
    (content,) = agent.on_loop(agent.client.read_resource, "localfirst://prime").contents
    assert set(json.loads(content.text)) >= KEYS
    (prompt,) = agent.on_loop(agent.client.list_prompts).prompts
    message = agent.on_loop(agent.client.get_prompt, prompt.name).messages[0]
    assert set(json.loads(message.content.text)) >= KEYS
