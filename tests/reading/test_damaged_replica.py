"""A damaged replica is set aside and rebuilt; what can still be read is saved, above all what the server does not have yet."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from localfirst_schema.errors import NotFoundError

from localfirst.cli import replica_check
from localfirst.client.session import Session
from localfirst.replica import outbox
from localfirst.replica.backup import back_up
from localfirst.settings import Settings
from reading.damage import checkpointed, destroy, pages_of
from reading.world import Reader, World, call, nobody_there

ITEMS = 300


@pytest.fixture
def alone(tmp_path: Path, world: World) -> Settings:
    """The settings of a project without a server."""
    return world.place(tmp_path / "alone", ("replica",))._replace(database_url=None)


def filled(settings: Settings, count: int = ITEMS) -> list[str]:
    """The ids of many items, created in the replica, which is closed then."""
    session = Session(settings)
    note = "a text that fills a page or two " * 12
    ids = []
    for number in range(count):
        made = call(session, "create_work_item", item_type="task", title=f"Item {number}", metadata={"note": note})
        ids.append(made["id"])
    session.close()
    checkpointed(settings.replica)
    return ids


def titles(session: Any) -> set[str]:
    found: list[str] = []
    while page := call(session, "list_work_items", limit=100, offset=len(found))["items"]:
        found += [item["title"] for item in page]
    assert len(set(found)) == len(found), "no row is there twice"
    return set(found)


def set_aside(settings: Settings) -> Path:
    found = settings.replica.parent.glob(f"{settings.replica.name}.corrupt-*")
    (aside,) = (file for file in found if not file.name.endswith(("-wal", "-shm")))
    return aside


def test_damage_in_the_middle_is_met_by_a_read_and_mended(alone: Settings) -> None:
    ids = filled(alone)
    leaves = pages_of(alone.replica, "work_items")
    damaged = alone.replica.read_bytes()
    destroy(alone.replica, leaves[len(leaves) // 2])
    session = Session(alone)
    found = titles(session)
    # The rows of the page are gone from the table, but their creation stands in the history: an outbox names every one.
    assert found >= {f"Item {n}" for n in range(ITEMS)}
    assert call(session, "query_work_item", id=ids[ITEMS // 2])["title"] == f"Item {ITEMS // 2}"
    assert call(session, "query_vendor_status", name="Alder")["operational"] is True
    assert call(session, "search_work_items", query=f"Item {ITEMS // 2}")["items"] != []
    words = session.take_announcement()
    assert words is not None
    assert "could not be read (in work_items)" in words
    aside = set_aside(alone)
    assert len(aside.read_bytes()) == len(damaged), "it is kept as it was found"
    assert aside.stat().st_mode & 0o077 == 0
    assert any("could not be read (in work_items)" in finding.words for finding in replica_check.findings(alone.replica))
    created = call(session, "create_work_item", item_type="task", title="and on it goes")
    assert call(session, "query_work_item", id=created["id"])["version"] == 1
    session.close()


def test_a_write_that_meets_the_damage_is_carried_out_once(alone: Settings) -> None:
    filled(alone)
    destroy(alone.replica, *pages_of(alone.replica, "history")[-1:])
    session = Session(alone)
    created = call(session, "create_work_item", item_type="task", title="written on broken ground")
    found = [item["id"] for item in call(session, "list_work_items")["items"] if item["title"] == created["title"]]
    assert found == [created["id"]]
    session.close()
    set_aside(alone)


@pytest.mark.parametrize("lost", ["header", "first page", "half", "everything"])
def test_whatever_is_lost_the_replica_opens_and_the_rest_is_saved(alone: Settings, lost: str) -> None:
    alone.replica.unlink()
    filled(alone)
    content = alone.replica.read_bytes()
    match lost:
        case "header":
            alone.replica.write_bytes(b"\0" * 100 + content[100:])
        case "first page":
            alone.replica.write_bytes(b"\xa5" * 4096 + content[4096:])
        case "half":
            alone.replica.write_bytes(content[: len(content) // 2])
        case _:
            alone.replica.write_bytes(b"\xa5" * len(content))
    session = Session(alone)
    found = titles(session)
    words = session.take_announcement()
    call(session, "create_vendor", name="Elm")
    session.close()
    assert words is not None
    set_aside(alone)
    if lost in ("header", "first page"):
        assert found >= {f"Item {n}" for n in range(ITEMS)}
    elif lost == "half":
        assert len(found) > ITEMS / 10, "what stands in the first half is there"
    else:
        assert found == set()
        assert "with 0 rows and 0 lines" in words


def test_rows_are_saved_although_the_way_to_their_pages_is_lost(alone: Settings) -> None:
    ids = filled(alone)
    session = Session(alone)
    call(session, "update_work_item", id=ids[7], version=1, metadata={"note": "x" * 20_000})
    session.close()
    checkpointed(alone.replica)
    destroy(alone.replica, *pages_of(alone.replica, "work_items", "internal"), *pages_of(alone.replica, "history", "internal"))
    session = Session(alone)
    assert titles(session) >= {f"Item {n}" for n in range(ITEMS)}
    assert call(session, "query_work_item", id=ids[7])["metadata"]["note"] == "x" * 20_000, "also from overflow pages"
    changes = call(session, "get_history", entity="work_item", id=ids[7])["changes"]
    assert [change["version"] for change in changes] == [2, 1]
    assert outbox.count(session.replica) == ITEMS + 1, "every change that waits is known by its history"
    session.close()


def test_a_replica_that_a_server_has_filled_is_saved_without_its_first_page(world: World, tmp_path: Path) -> None:
    """Its tables do not begin where those of a new replica do."""
    settings = world.place(tmp_path / "place", ("replica",), url=nobody_there())
    filled(settings, 30)
    content = settings.replica.read_bytes()
    settings.replica.write_bytes(b"\xa5" * 4096 + content[4096:])
    session = Session(settings)
    assert titles(session) >= {f"Item {n}" for n in range(30)} | {"The portal", "Mend the parser"}
    assert call(session, "query_vendor_status", name="Alder")["metadata"]["extractor_version"] == "1.2.0"
    session.close()


def test_vendors_are_found_by_name_when_not_even_the_project_can_be_read(tmp_path: Path, world: World) -> None:
    settings = world.place(tmp_path / "place", ("replica",))._replace(database_url=None, project=None)
    settings.replica.unlink()
    session = Session(settings)
    call(session, "create_vendor", name="Fir", operational=False)
    item = call(session, "create_work_item", item_type="task", title="x")
    call(session, "record_deployment", metadata={"pr_number": 3}, work_item_ids=[item["id"]])
    session.close()
    checkpointed(settings.replica)
    destroy(settings.replica, *pages_of(settings.replica, "replica"))
    session = Session(settings)
    assert call(session, "query_vendor_status", name="Fir")["operational"] is False
    [deployment] = call(session, "list_deployments")["items"]
    assert [one["id"] for one in deployment["related_work_items"]] == [item["id"]]
    session.close()


def test_what_waited_reaches_the_server_once(world: World, tmp_path: Path, database_url: str) -> None:
    settings = world.place(tmp_path / "place", ("replica",), url=database_url)
    settings.replica.unlink()
    online = Session(settings)
    vendor = call(online, "create_vendor", name="Fir")
    assert online.link is not None
    assert online.link.sync(30) is not None
    online.close()
    offline = settings._replace(database_url=nobody_there())
    session = Session(offline)
    changed = call(session, "update_vendor_status", name="Fir", version=vendor["version"], operational=False)
    call(session, "create_work_item", item_type="task", title="made on the train")
    session.close()
    filled(offline, 60)
    destroy(settings.replica, *pages_of(settings.replica, "work_items")[:1])

    session = Session(offline)
    assert "made on the train" in titles(session), "it is made again from the change that waits"
    words = session.take_announcement()
    assert words is not None
    assert "62 changes among them that the server had not answered yet" in words
    assert call(session, "query_vendor_status", name="Fir")["version"] == changed["version"]
    session.close()

    session = Session(settings)
    assert session.link is not None
    assert session.link.sync(30) is not None
    assert outbox.is_empty(session.replica)
    assert call(session, "list_conflicts")["total_count"] == 0
    assert titles(session) >= {"made on the train", "Item 0", "Item 59"}
    session.close()
    with psycopg.connect(database_url) as server:
        assert server.execute("SELECT count(*) FROM localfirst.work_items").fetchone() == (61,)
        query = "SELECT operational, version FROM localfirst.vendor_extractors WHERE name = 'Fir'"
        assert server.execute(query).fetchone() == (False, changed["version"])


def test_changes_that_had_been_sent_are_recognised(world: World, tmp_path: Path, database_url: str) -> None:
    """The outbox still has them when the damage comes: their verdicts were on the way."""
    settings = world.place(tmp_path / "place", ("replica",), url=database_url)
    settings.replica.unlink()
    before = settings.replica.with_name("before")
    session = Session(settings._replace(database_url=nobody_there()))
    call(session, "create_work_item", item_type="task", title="sent, not acknowledged")
    session.close()
    checkpointed(settings.replica)
    before.write_bytes(settings.replica.read_bytes())
    session = Session(settings)
    assert session.link is not None
    assert session.link.sync(30) is not None
    session.close()
    settings.replica.write_bytes(before.read_bytes())
    destroy(settings.replica, *pages_of(settings.replica, "conflicts"))
    session = Session(settings)
    session.rebuild()
    assert session.link is not None
    assert session.link.sync(30) is not None
    assert outbox.is_empty(session.replica)
    session.close()
    with psycopg.connect(database_url) as server:
        assert server.execute("SELECT count(*), max(version) FROM localfirst.work_items").fetchone() == (1, 1)
        assert server.execute("SELECT count(*) FROM localfirst.conflicts").fetchone() == (0,)


def test_changes_are_found_although_the_outbox_is_lost(world: World, tmp_path: Path, database_url: str) -> None:
    settings = world.place(tmp_path / "place", ("replica",), url=database_url)
    settings.replica.unlink()
    session = Session(settings)
    assert session.link is not None
    first = call(session, "create_work_item", item_type="task", title="known to both")
    assert session.link.sync(30) is not None
    session.close()
    session = Session(settings._replace(database_url=nobody_there()))
    call(session, "update_work_item", id=first["id"], version=1, status="completed")
    call(session, "create_work_item", item_type="task", title="known here alone")
    session.close()
    checkpointed(settings.replica)
    destroy(settings.replica, *pages_of(settings.replica, "outbox"))
    session = Session(settings)
    assert "(in outbox)" in str(session.take_announcement())
    assert session.link is not None
    assert session.link.sync(30) is not None
    assert call(session, "list_conflicts")["total_count"] == 0
    session.close()
    with psycopg.connect(database_url) as server:
        found = server.execute("SELECT title, status, version FROM localfirst.work_items ORDER BY title").fetchall()
    assert found == [("known here alone", "active", 1), ("known to both", "completed", 2)]


def test_a_rebuilt_replica_is_filled_by_the_server_before_it_answers(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("postgresql", "replica"))
    settings.replica.write_bytes(b"this is no database " * 500)
    with Reader(world, settings) as reader:
        for tool, answer in reader.answers().items():
            assert (answer["data_source"], answer["warnings"]) == ("postgresql", []), tool
    set_aside(settings)


def test_two_processes_that_meet_the_damage_rebuild_it_once(alone: Settings) -> None:
    filled(alone)
    leaves = pages_of(alone.replica, "work_items")
    destroy(alone.replica, leaves[-1])  # where the newest are, which a list shows first
    found: list[set[str]] = []

    def work() -> None:
        session = Session(alone)
        call(session, "list_work_items", limit=100)  # another thread may write by now: pages would shift
        found.append({str(title) for (title,) in session.replica.execute("SELECT title FROM work_items")})
        call(session, "create_work_item", item_type="task", title=threading.current_thread().name)
        session.close()

    threads = [threading.Thread(target=work, name=f"made by {n}") for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(names >= {f"Item {n}" for n in range(ITEMS)} for names in found)
    assert len(found) == len(threads)
    set_aside(alone)
    session = Session(alone)
    assert titles(session) >= {f"made by {n}" for n in range(3)} | {f"Item {n}" for n in range(ITEMS)}
    session.close()


def test_a_loss_without_a_server_is_reported_by_every_session_until_somebody_writes(alone: Settings) -> None:
    filled(alone, 5)
    alone.replica.write_bytes(b"nothing is left of it " * 1000)
    announced = []
    for _ in range(3):
        session = Session(alone)
        announced.append(str(session.take_announcement()))
        session.close()
    assert "nothing in it could be read" in announced[0]
    for words in announced:
        assert "is empty, but there was one before" in words
        assert ".corrupt-" in words
    session = Session(alone)
    call(session, "create_work_item", item_type="task", title="A new beginning")
    session.close()
    session = Session(alone)
    assert session.take_announcement() is None
    session.close()


def test_an_empty_replica_points_to_the_copy_beside_it(alone: Settings) -> None:
    filled(alone, 5)
    session = Session(alone)
    copy = alone.replica.with_name(f"{alone.replica.name}.backup-2026")
    back_up(session.replica, copy)
    session.close()
    for file in alone.replica.parent.glob(f"{alone.replica.name}*"):
        if file != copy:
            file.unlink()
    session = Session(alone)
    assert f"`localfirst restore {copy}` puts the latest copy back" in str(session.take_announcement())
    session.close()


def test_another_projects_damaged_replica_gives_nothing_away(alone: Settings) -> None:
    filled(alone, 5)
    other = alone._replace(project="somebody/else")
    content = alone.replica.read_bytes()
    alone.replica.write_bytes(b"\0" * 100 + content[100:])
    session = Session(other)
    assert titles(session) == set()
    with pytest.raises(NotFoundError):
        call(session, "query_vendor_status", name="Alder")
    words = session.take_announcement()
    assert words is not None
    assert "another project's" in words
    session.close()
