"""A pull brings everything after a cursor, once, as canonical text, and by the indexes."""

from __future__ import annotations

import pytest
from localfirst_schema import timestamps
from localfirst_schema.entities import VENDOR, WORK_ITEM
from localfirst_sync.ports import BEGINNING, CONFLICT_COLUMNS, Cursor, ServerWasRestored
from localfirst_sync.postgres import pull as pulling
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.postgres.pull import pull
from sync_looking import head
from sync_sender import Sender, task
from sync_sink import Collected


def test_a_new_replica_gets_everything(server: Connection, ann: Sender, project: str) -> None:
    items = [ann.create("work_item", task(f"number {n}")) for n in range(2500)]
    ann.push()
    sink = Collected()
    reached = pull(server, project, BEGINNING, sink)
    assert reached == head(server)
    assert sorted(map(str, sink.ids("work_items"))) == sorted(items)
    assert len(sink.ids("project_configuration")) == 1
    assert [change.seq for change in sink.log] == list(range(1, reached.seq + 1))


def test_values_come_as_the_replica_keeps_them(server: Connection, ann: Sender, project: str) -> None:
    item = ann.create("work_item", task("Ünïcode", archived_at="2026-01-02T03:04:05.600000Z"))
    ann.create("vendor", {"name": "Alder", "operational": True, "metadata": {}}, "00000000-0000-8000-8000-000000000001")
    ann.push()
    sink = Collected()
    pull(server, project, BEGINNING, sink)
    found = dict(zip(WORK_ITEM.column_names, sink.tables["work_items"][0], strict=True))
    assert (found["id"], found["title"], found["metadata"]) == (item, "Ünïcode", '{"priority": "high"}')
    assert found["archived_at"] == "2026-01-02T03:04:05.600000Z"
    assert timestamps.canonical(str(found["updated_at"])) == found["updated_at"]
    vendor = dict(zip(VENDOR.column_names, sink.tables["vendor_extractors"][0], strict=True))
    assert (vendor["operational"], type(vendor["operational"]), vendor["status"]) == (1, int, "operational")
    (change,) = [change for change in sink.log if change.entity == "work_item"]
    assert (change.replica_id, change.number, change.by) == (ann.replica_id, 1, "ann")


@pytest.mark.parametrize("many", [1, pulling.SMALL, pulling.SMALL + 1, 1500])
def test_a_later_pull_brings_what_changed_since(server: Connection, ann: Sender, project: str, many: int) -> None:
    for n in range(20):
        ann.create("work_item", task(f"old {n}"))
    ann.push()
    cursor = pull(server, project, BEGINNING, Collected())
    items = [ann.create("work_item", task(f"new {n}")) for n in range(many)]
    ann.change("work_item", items[0], 1, {"title": ("new 0", "newer")})
    ann.push()
    sink = Collected()
    reached = pull(server, project, cursor, sink)
    assert sorted(map(str, sink.ids("work_items"))) == sorted(items)
    assert [change.seq for change in sink.log] == list(range(cursor.seq + 1, reached.seq + 1))
    again = Collected()
    assert pull(server, project, reached, again) == reached
    assert (again.tables, again.log) == ({}, [])


def test_conflicts_come_along_with_every_change_of_theirs(server: Connection, ann: Sender, bob: Sender, project: str) -> None:
    item = ann.create("work_item", task())
    ann.push()
    cursor = pull(server, project, BEGINNING, Collected())
    for sender in (ann, bob):
        sender.change("work_item", item, 1, {"title": ("A task", f"by {sender.by}")})
        sender.push()
    sink = Collected()
    cursor = pull(server, project, cursor, sink)
    conflict = dict(zip(CONFLICT_COLUMNS, sink.tables["conflicts"][0], strict=True))
    assert (conflict["mine"], conflict["replica_id"]) == ('{"title": "by bob"}', bob.replica_id)
    bob.change("work_item", item, 2, {"title": ("by bob", "bob again")})
    bob.push()
    sink = Collected()
    pull(server, project, cursor, sink)
    assert [dict(zip(CONFLICT_COLUMNS, c, strict=True))["mine"] for c in sink.tables["conflicts"]] == ['{"title": "bob again"}']


def test_a_server_with_another_past_is_noticed(server: Connection, ann: Sender, project: str) -> None:
    for _ in range(3):
        ann.create("work_item", task())
        ann.push()
    reached = pull(server, project, BEGINNING, Collected())
    for unknown in (Cursor(reached.seq, reached.tag ^ 1), Cursor(2, reached.tag), Cursor(reached.seq + 1, reached.tag)):
        with pytest.raises(ServerWasRestored):
            pull(server, project, unknown, Collected())
    assert pull(server, project, reached, Collected()) == reached


def test_a_small_pull_and_a_push_read_by_indexes_alone(server: Connection, ann: Sender, project: str) -> None:
    server.execute(
        "INSERT INTO localfirst.work_items (item_type, title, parent_id) SELECT 'task', 'number ' || i, NULL FROM"
        " generate_series(1, 20000) AS i"
    )
    server.execute(
        "INSERT INTO localfirst.work_item_dependencies (work_item_id, depends_on_id)"
        " SELECT a, b FROM (SELECT id AS a, lead(id) OVER (ORDER BY id) AS b, row_number() OVER (ORDER BY id) AS n"
        " FROM localfirst.work_items) AS pairs WHERE n % 4 = 1"
    )
    server.execute("ANALYZE")
    before = whole_scans(server)
    for _ in range(8):  # from the sixth on the plan is a generic one
        cursor = Cursor(*head(server))
        parent = ann.create("work_item", task())
        child = ann.create("work_item", task(parent_id=parent))
        ann.push()
        ann.change("work_item", child, 1, {"parent_id": (parent, None), "title": ("A task", "moved")})
        ann.delete("work_item", parent, 1)
        link = {"work_item_id": child, "depends_on_id": parent, "dependency_type": "depends_on"}
        ann.create("work_item_dependency", link)
        ann.push()
        pull(server, project, cursor, Collected())
    assert whole_scans(server) == before


def whole_scans(server: Connection) -> list[tuple[object, ...]]:
    """How often the large tables were read from end to end."""
    server.execute("SELECT pg_stat_force_next_flush()")
    tables = "('work_items', 'history', 'work_item_dependencies')"
    return server.execute(
        f"SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname IN {tables} ORDER BY relname".encode()
    ).fetchall()
