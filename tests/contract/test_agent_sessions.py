"""What an agent does all day, played over stdio: how many calls it takes, and how many tokens of arguments and answers."""

from __future__ import annotations

import json
from typing import Any

from contract.agent import Agent, Answer, working
from contract.laptop import Laptop

TOKEN_CHARACTERS = 4


class Counted:
    """An agent whose calls and tokens (four characters each, of arguments and answers) are counted."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.calls = self._characters = 0

    @property
    def tokens(self) -> float:
        return self._characters / TOKEN_CHARACTERS

    def call(self, tool: str, /, **arguments: Any) -> Answer:
        answer = self._agent.call(tool, **arguments)
        self.calls += 1
        self._characters += sum(len(json.dumps(one, ensure_ascii=False, separators=(",", ":"))) for one in (arguments, answer))
        return answer


PLAN = [
    {"key": "p", "item_type": "project", "title": "Passwordless sign-in"},
    {"key": "design", "parent": "p", "item_type": "research", "title": "Compare passkeys with magic links"},
    {"key": "schema", "parent": "p", "item_type": "task", "title": "Table for credentials", "depends_on": ["design"]},
    {"key": "api", "parent": "p", "item_type": "task", "title": "Endpoints for registration", "depends_on": ["schema"]},
    {"key": "login", "parent": "p", "item_type": "task", "title": "Endpoints for sign-in", "depends_on": ["schema"]},
    {"key": "ui", "parent": "p", "item_type": "task", "title": "Sign-in page", "depends_on": ["api", "login"]},
    {"key": "docs", "parent": "p", "item_type": "task", "title": "Page in the handbook", "depends_on": ["ui"]},
    {"key": "ship", "parent": "p", "item_type": "task", "title": "Roll out to the team", "depends_on": ["ui", "docs"]},
]


def planned(agent: Counted) -> dict[str, Answer]:
    made = agent.call("create_work_items", items=PLAN)["items"]
    return {one["key"]: one for one in made}


def test_a_plan_of_eight_items_its_list_tree_what_is_ready_and_one_completion(laptop: Laptop) -> None:
    with working(laptop) as started:
        agent = Counted(started)
        plan = planned(agent)
        assert agent.call("list_work_items")["total_count"] == 8
        assert len(agent.call("query_work_item", id=plan["p"]["ref"])["children"]) == 7
        (first,) = agent.call("ready_work_items")["items"]
        assert first["ref"] == plan["design"]["ref"]
        assert [one["ref"] for one in agent.call("complete_work_item", id=first["ref"])["unblocked"]] == [plan["schema"]["ref"]]
        assert agent.calls <= 9
        assert agent.tokens <= 1950, agent.tokens


def test_an_agent_resumes_after_a_week(laptop: Laptop) -> None:
    with working(laptop) as before:
        plan = planned(Counted(before))
        before.call("claim_work_item", id=plan["design"]["ref"], lease_minutes=10_080)
    with working(laptop, "another") as other:
        other.call("add_comment", id=plan["design"]["ref"], body="Passkeys it is.")
    with working(laptop) as started:
        agent = Counted(started)
        (held,) = agent.call("prime")["claims"]
        agent.call("claim_work_item", id=held["ref"], claimed_by=held["claimed_by"])
        item = agent.call("query_work_item", id=held["ref"], include_comments=True)
        assert item["comments"][0]["body"] == "Passkeys it is."
        assert agent.calls <= 3
        assert agent.tokens <= 800, agent.tokens


def test_a_feature_is_handed_to_three_agents(laptop: Laptop) -> None:
    with working(laptop) as lead:
        plan = planned(Counted(lead))
        done: list[str] = []
        with working(laptop) as one, working(laptop) as two, working(laptop) as three:
            agents = [Counted(agent) for agent in (one, two, three)]
            while len(done) < 7:
                taken = [(agent, item) for agent in agents if (item := agent.call("claim_next")["item"]) is not None]
                refs = [item["ref"] for _, item in taken]
                assert refs, "something is ready until all is done"
                assert len({*refs}) == len(refs), "no item is taken by two"
                for agent, item in taken:
                    agent.call("complete_work_item", id=item["ref"])
                done += refs
            assert {*done} == {one["ref"] for key, one in plan.items() if key != "p"}
        assert lead.call("complete_work_item", id=plan["p"]["ref"])["status"] == "completed"
