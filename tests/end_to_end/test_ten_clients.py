"""Ten clients at once on five laptops, two to a replica: 1 000 mixed operations, and everything is where it belongs."""

from __future__ import annotations

import random
import threading
from typing import Any

from contract.agent import Agent, Refusal, working

from end_to_end.conftest import NewLaptop
from end_to_end.stores import replica_rows, server_rows

CLIENTS = 10
OPERATIONS = 100

EXPECTED = {"VersionMismatchError", "NotFoundError"}
"""What may happen to a client whose item another one changed, or has not sent yet."""


class Worker(threading.Thread):
    """One client: creates, updates, reads, lists and links, with its own dice."""

    def __init__(self, number: int, agent: Agent, shared: str) -> None:
        super().__init__()
        self.rnd = random.Random(number)
        self.agent = agent
        self.shared = shared
        self.mine: dict[str, int] = {}
        self.failures: list[str] = []

    def run(self) -> None:
        for number in range(OPERATIONS):
            try:
                self.step(number)
            except Refusal as refused:
                if refused.kind not in EXPECTED:
                    self.failures.append(str(refused))
            except Exception as error:
                self.failures.append(repr(error))

    def step(self, number: int) -> None:
        dice = self.rnd.random()
        if dice < 0.4 or not self.mine:
            made = self.agent.call("create_work_item", item_type="task", title=f"{self.name} {number}", metadata={"n": number})
            self.mine[made["id"]] = 1
        elif dice < 0.7:
            item = self.rnd.choice(list(self.mine))
            changed = self.agent.call("update_work_item", id=item, version=self.mine[item], title=f"{self.name} again {number}")
            self.mine[item] = changed["version"]
        elif dice < 0.8:
            shared = self.agent.call("query_work_item", id=self.shared)
            self.agent.call("update_work_item", id=self.shared, version=shared["version"], metadata={self.name: number})
        elif dice < 0.9:
            self.agent.call("list_work_items", limit=5)
        else:
            self.agent.call("add_comment", work_item_id=self.shared, body=f"{self.name} was here at {number}")


def test_a_thousand_mixed_operations_of_ten_clients_lose_nothing(new_laptop: NewLaptop, database_url: str) -> None:
    laptops = [new_laptop(name) for name in "abcde"]
    with working(laptops[0]) as first:
        shared = first.call("create_work_item", item_type="project", title="Shared")["id"]
        first.call("sync_now")

    def with_all(agents: list[Agent]) -> list[Worker]:
        if len(agents) < CLIENTS:
            with working(laptops[len(agents) % len(laptops)]) as agent:
                agent.call("sync_now")
                return with_all([*agents, agent])
        workers = [Worker(number, agent, shared) for number, agent in enumerate(agents)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for _ in range(2):
            for agent in agents:
                agent.call("sync_now")
        return workers

    workers = with_all([])
    assert [failure for worker in workers for failure in worker.failures] == []
    on_server: dict[str, dict[str, Any]] = server_rows(database_url)["work_items"]
    for worker in workers:
        for item, version in worker.mine.items():
            assert on_server[item]["version"] == version, "nobody else touched it"
    assert len(on_server) == 1 + sum(len(worker.mine) for worker in workers)
    for laptop in laptops:
        assert replica_rows(laptop) == server_rows(database_url)
