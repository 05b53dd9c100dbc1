"""What one read answers is one state of the replica, whatever others commit between its queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from localfirst.client.session import Session
from localfirst.settings import load
from reading.world import call


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[tuple[Session, Session]]:
    settings = load(tmp_path, {"LOCALFIRST_REPLICA": str(tmp_path / "replica.db"), "LOCALFIRST_PROJECT": "team/one-state"})
    reader, writer = Session(settings), Session(settings)
    yield reader, writer
    reader.close()
    writer.close()


@contextmanager
def between_queries(reader: Session, write: Callable[[], None]) -> Iterator[list[int]]:
    """Writes before each statement of the reader's; the list counts them."""
    counted = [0]

    def before(_cursor: object, _sql: str, _bindings: object) -> bool:
        counted[0] += 1
        write()
        return True

    reader.replica.exec_trace = before
    try:
        yield counted
    finally:
        reader.replica.exec_trace = None


def test_an_item_its_parents_children_and_dependencies_are_of_one_moment(sessions: tuple[Session, Session]) -> None:
    reader, writer = sessions
    root = call(writer, "create_work_item", item_type="project", title="0")["id"]
    item = call(writer, "create_work_item", item_type="task", title="0", parent_id=root)["id"]
    child = call(writer, "create_work_item", item_type="task", title="0", parent_id=item)["id"]
    other = call(writer, "create_work_item", item_type="task", title="0")["id"]
    call(writer, "link_work_items", source_id=item, target_id=other, dependency_type="depends_on")

    def rename_all() -> None:
        with writer.act() as act:  # one transaction: nobody may see a half of it
            for one in (root, item, child, other):
                act.connection.execute("UPDATE work_items SET title = title + 1 WHERE id = ?", (one,))

    with between_queries(reader, rename_all) as queries:
        found = call(reader, "query_work_item", id=item)
    assert queries[0] > 3
    titles = {found["title"], found["parent_chain"][0]["title"], found["children"][0]["title"]}
    assert len(titles | {found["dependencies"][0]["related_item"]["title"]}) == 1


LISTS: dict[str, Callable[[Session, int], Any]] = {
    "list_work_items": lambda writer, n: call(writer, "create_work_item", item_type="task", title=f"item {n}"),
    "list_vendors": lambda writer, n: call(writer, "create_vendor", name=f"vendor {n}"),
    "list_deployments": lambda writer, n: call(writer, "record_deployment", metadata={"pr_number": n}),
    "list_enhancements": lambda writer, n: call(
        writer, "create_enhancement", title=f"enhancement {n}", priority="low", status="planned"
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_and_its_count_are_of_one_moment(name: str, sessions: tuple[Session, Session]) -> None:
    reader, writer = sessions
    made = [0]

    def add() -> None:
        made[0] += 1
        LISTS[name](writer, made[0])

    add()
    with between_queries(reader, add) as queries:
        found = call(reader, name)
    assert queries[0] > 1
    assert found["total_count"] == len(found["items"])


def test_the_parts_of_a_full_status_are_of_one_moment(sessions: tuple[Session, Session]) -> None:
    reader, writer = sessions
    made = [0]

    def add() -> None:
        made[0] += 1
        call(writer, "create_work_item", item_type="task", title=f"item {made[0]}", metadata={"priority": "high"})
        call(writer, "create_vendor", name=f"vendor {made[0]}")

    add()
    with between_queries(reader, add):
        found = call(reader, "generate_full_status")
    items, vendors = found["active_work_items"], found["vendor_health"]
    assert items["total_count"] == sum(items["by_type"].values()) == sum(items["by_status"].values())
    assert vendors["total_vendors"] == vendors["operational_count"] + vendors["broken_count"]
    assert vendors["total_vendors"] == items["total_count"]


def test_after_a_read_the_replica_is_free(sessions: tuple[Session, Session]) -> None:
    reader, writer = sessions
    call(reader, "list_work_items")
    call(writer, "create_work_item", item_type="task", title="later")
    assert call(reader, "list_work_items")["total_count"] == 1
    assert not reader.replica.in_transaction
