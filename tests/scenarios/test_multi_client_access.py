"""Multi-client access: what one client writes every other sees at once, on the same laptop and on others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from contract.agent import Agent
from waiting import until

from scenarios.conftest import Join, NewLaptop


def has_items(agent: Agent, count: int) -> bool:
    return bool(agent.call("list_work_items", limit=100)["total_count"] == count)


def test_multi_client_access(new_laptop: NewLaptop, join: Join, database_url: str) -> None:
    here, there = new_laptop("a", database_url), new_laptop("b", database_url)
    one, two, far = join(here, "one"), join(here, "two"), join(there, "far")
    vendor = one.call("create_vendor", name="Alder")
    assert two.call("query_vendor_status", name="Alder")["id"] == vendor["id"], "at once, on the same laptop"
    until(lambda: far.call("list_vendors")["total_count"] == 1, 15, "the other laptop has it by itself")
    assert far.call("query_vendor_status", name="Alder")["created_by"] == "one"

    updated = far.call("update_vendor_status", name="Alder", version=1, operational=False)
    until(lambda: one.call("query_vendor_status", name="Alder")["version"] == updated["version"], 15, "and the way back")
    assert two.call("query_vendor_status", name="Alder")["status"] == "broken"

    agents = (one, two, far)

    def create(number: int) -> str:
        return str(agents[number % 3].create(f"Item {number}")["id"])

    with ThreadPoolExecutor(3) as pool:  # each agent has one caller at a time, and all three work at once
        made = list(pool.map(lambda agent: [create(n) for n in range(agent, 30, 3)], range(3)))
    ids = {item for chunk in made for item in chunk}
    assert len(ids) == 30
    for agent in agents:
        until(partial(has_items, agent, 30), 15, "everybody has all of it")
        assert {item["id"] for item in agent.call("list_work_items", limit=100)["items"]} == ids
        assert agent.call("sync_status")["open_conflicts"] == 0
