"""Circles of dependencies: PostgreSQL, the engine and the replica give the same answer as a plain search, on generated graphs,
and none of them takes longer than the graph is large.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from typing import Any, TypeAlias

import apsw
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from localfirst_schema.identifiers import natural_id, new_id
from localfirst_sync.ports import Busy
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.waiting import Waiting
from sync_looking import assert_gapless, reasons
from sync_sender import Sender, task

from localfirst.replica.structure import waits_for

Edge: TypeAlias = tuple[int, int]

ITEMS = 9
edges = st.lists(
    st.tuples(st.integers(0, ITEMS - 1), st.integers(0, ITEMS - 1)).filter(lambda edge: edge[0] != edge[1]), unique=True
)
LONG = 10_000


def reaches(graph: list[Edge], start: int, end: int) -> bool:
    """The plain search that all others are compared with."""
    seen, stack = {start}, [start]
    while stack:
        item = stack.pop()
        if item == end:
            return True
        for one, other in graph:
            if one == item and other not in seen:
                seen.add(other)
                stack.append(other)
    return False


@pytest.fixture
def items(server: Connection) -> list[str]:
    """Items to be linked."""
    made = server.execute(
        "INSERT INTO localfirst.work_items (item_type, title) SELECT 'task', 'an item' FROM generate_series(1, %s)"
        " RETURNING id::text",
        (ITEMS,),
    )
    return [str(item) for (item,) in made.fetchall()]


def link(server: Connection, items: list[str], graph: list[Edge], blocks: bool) -> None:
    for waiting, waited_for in graph:
        ends = (items[waited_for], items[waiting], "blocks") if blocks else (items[waiting], items[waited_for], "depends_on")
        server.execute(
            "INSERT INTO localfirst.work_item_dependencies (work_item_id, depends_on_id, dependency_type) VALUES (%s, %s, %s)",
            ends,
        )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=edges, new=edges, blocks=st.booleans())
def test_postgresql_refuses_what_closes_a_circle_and_nothing_else(
    server: Connection, items: list[str], project: str, old: list[Edge], new: list[Edge], blocks: bool
) -> None:
    new = [edge for edge in new if edge not in old]
    circular = any(reaches(old + new, waited_for, waiting) for waiting, waited_for in new)
    server.execute("BEGIN")
    try:
        # Circles among the old ones are nobody's fault who makes new ones.
        for waiting, waited_for in old:
            server.execute("SELECT set_config('session_replication_role', 'replica', true)")
            key = (items[waiting], items[waited_for], "depends_on")
            server.execute(
                "INSERT INTO localfirst.work_item_dependencies (project_id, id, work_item_id, depends_on_id, dependency_type)"
                " VALUES (%s, %s, %s, %s, %s)",
                (project, natural_id(project, "work_item_dependency", *key), *key),
            )
        server.execute("SELECT set_config('session_replication_role', 'origin', true)")
        link(server, items, new, blocks)
        expected: Any = pytest.raises(psycopg.errors.CheckViolation, match="cycle") if circular else nullcontext()
        with expected:
            server.execute("SET CONSTRAINTS ALL IMMEDIATE")
    finally:
        server.execute("ROLLBACK")


@settings(max_examples=500, deadline=None)
@given(known=edges, changes=st.lists(st.tuples(st.integers(0, ITEMS - 1), st.integers(0, ITEMS - 1), st.booleans())))
def test_the_engine_says_so_of_every_dependency_as_they_come_and_go(
    known: list[Edge], changes: list[tuple[int, int, bool]]
) -> None:
    waiting = Waiting((f"{one}-{other}", str(one), str(other)) for one, other in known)
    graph = list(known)
    for one, other, comes in changes:
        assert waiting.closes_circle(str(one), str(other)) == reaches(graph, other, one)
        if comes and (one, other) not in graph:
            waiting.add(f"{one}-{other}", str(one), str(other))
            graph.append((one, other))
        elif not comes and (one, other) in graph:
            waiting.remove(f"{one}-{other}")
            graph.remove((one, other))


@settings(max_examples=300, deadline=None)
@given(graph=edges, kinds=st.lists(st.booleans(), min_size=1), one=st.integers(0, ITEMS - 1), other=st.integers(0, ITEMS - 1))
def test_the_replica_says_so_too(graph: list[Edge], kinds: list[bool], one: int, other: int) -> None:
    replica = apsw.Connection("")
    replica.execute(
        "CREATE TABLE work_item_dependencies (id, work_item_id TEXT, depends_on_id TEXT, dependency_type TEXT, deleted_at TEXT)"
    )
    for place, (waiting, waited_for) in enumerate(graph):
        ends = (waiting, waited_for, "depends_on") if kinds[place % len(kinds)] else (waited_for, waiting, "blocks")
        replica.execute(
            "INSERT INTO work_item_dependencies VALUES (?, ?, ?, ?, NULL)", (str(place), *map(str, ends[:2]), ends[2])
        )
    assert waits_for(replica, str(one), str(other)) == reaches(graph, one, other)


@pytest.fixture
def quick() -> Iterator[list[float]]:
    """The seconds that a commit takes; the server must not be held up longer."""
    taken: list[float] = []
    yield taken
    assert max(taken) < 5


def long_board(server: Connection) -> None:
    """So many items; their ids count from 1."""
    server.execute(
        "INSERT INTO localfirst.work_items (id, item_type, title)"
        " SELECT lpad(n::text, 32, '0')::uuid, 'task', 'an item' FROM generate_series(1, %s) AS n",
        (LONG,),
    )


def timed(server: Connection, statement: str, *arguments: object) -> float:
    begun = time.monotonic()
    server.execute(statement.encode(), arguments)
    return time.monotonic() - begun


_LINK = (
    "INSERT INTO localfirst.work_item_dependencies (work_item_id, depends_on_id)"
    " SELECT lpad(n::text, 32, '0')::uuid, lpad((n {})::text, 32, '0')::uuid FROM generate_series({}) AS n {}"
)


def test_a_chain_of_10_000_dependencies_by_sql(server: Connection, quick: list[float]) -> None:
    long_board(server)
    quick.append(timed(server, _LINK.format("+ 1", "1, 9999", "")))
    quick.append(timed(server, _LINK.format("+ 2", "5000, 5000", "")))
    with pytest.raises(psycopg.errors.CheckViolation, match="cycle"):
        server.execute(_LINK.format("- 9999", "10000, 10000", "").encode())
    assert_gapless(server)


def test_nobody_s_push_waits_long_while_such_a_chain_is_committed(
    server: Connection, database_url: str, ann: Sender, quick: list[float]
) -> None:
    long_board(server)

    def link_all() -> None:
        with psycopg.connect(database_url) as psql:
            psql.execute(_LINK.format("+ 1", "1, 9999", "").encode())

    with ThreadPoolExecutor(1) as elsewhere:
        linked = elsewhere.submit(link_all)
        while not quick or not linked.done():
            ann.create("work_item", task("beside"))
            begun = time.monotonic()
            push_patiently(ann)
            quick.append(time.monotonic() - begun)
        linked.result()
    assert_gapless(server)


def push_patiently(sender: Sender) -> None:
    """A push as the loop makes it: again, when somebody kept the head for longer than a push waits."""
    while True:
        with suppress(Busy):
            sender.push()
            return


def test_diamonds_are_not_counted_way_by_way(server: Connection, quick: list[float]) -> None:
    """10 000 dependencies in 1 100 layers: 3 to the power of 1 100 ways through them."""
    long_board(server)
    quick.append(timed(server, _LINK.format("- mod(n, 3) + 3 + k", "3, 3333", "CROSS JOIN generate_series(0, 2) AS k")))
    assert_gapless(server)


def test_an_update_of_many_rows_after_one_of_a_single_row(server: Connection, quick: list[float]) -> None:
    """A session plans the log of its updates once, when they may be small."""
    long_board(server)
    for limit in (1, 1, 1, 1, 1, 1, LONG):
        statement = "UPDATE localfirst.work_items SET title = title || '!' WHERE id <= lpad(%s::text, 32, '0')::uuid"
        quick.append(timed(server, statement, limit))
    assert_gapless(server)


def test_a_laptop_links_thousands_in_a_chain_in_any_order(
    server: Connection, ann: Sender, project: str, quick: list[float]
) -> None:
    count = 2000
    items = [ann.create("work_item", task(f"number {n}"), new_id()) for n in range(count)]
    ann.push()
    for n in sorted(range(count - 1), key=lambda n: n * 7919 % count):
        key = (items[n], items[n + 1], "depends_on")
        values = dict(zip(("work_item_id", "depends_on_id", "dependency_type"), key, strict=True))
        ann.create("work_item_dependency", values, natural_id(project, "work_item_dependency", *key))
    begun = time.monotonic()
    assert {verdict.outcome for verdict in ann.push()} == {"accepted"}
    quick.append(time.monotonic() - begun)
    last = {"work_item_id": items[-1], "depends_on_id": items[0], "dependency_type": "depends_on"}
    ann.create("work_item_dependency", last, natural_id(project, "work_item_dependency", *last.values()))
    assert ann.push()[0].outcome == "conflict"
    assert reasons(server) == ["cycle"]


def test_what_is_taken_back_with_its_act_stands_in_nobody_s_way(server: Connection, ann: Sender, project: str) -> None:
    one, other = (ann.create("work_item", task(), new_id()) for _ in range(2))
    ann.push()

    def linked(waiting: str, waited_for: str) -> tuple[str, str, int, dict[str, tuple[None, str]]]:
        key = (waiting, waited_for, "depends_on")
        names = ("work_item_id", "depends_on_id", "dependency_type")
        link_id = natural_id(project, "work_item_dependency", *key)
        return "work_item_dependency", link_id, 0, {name: (None, value) for name, value in zip(names, key, strict=True)}

    ann.act(linked(one, other), linked(one, new_id()))  # the second names what is not there: neither stands
    ann.act(linked(other, one))
    assert [verdict.outcome for verdict in ann.push()] == ["conflict", "conflict", "accepted"]
