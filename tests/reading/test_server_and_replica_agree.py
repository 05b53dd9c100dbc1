"""PostgreSQL and the replica answer every tool alike on the same data, and the order of the two can be turned round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from reading.world import Reader, World, call, nobody_there

ABOUT_THE_SOURCE = {"data_source", "warnings", "cache_age_minutes", "root"}


def content(answers: dict[str, Any]) -> dict[str, Any]:
    """What the answers say of the project."""
    return {tool: {k: v for k, v in answer.items() if k not in ABOUT_THE_SOURCE} for tool, answer in answers.items()}


def everything(reader: Reader) -> dict[str, Any]:
    """Every reading tool, with its arguments turned this way and that."""
    world = reader.world
    more = {
        "query_deployment": reader.ask("query_deployment", id=world.deployment),
        "tree": reader.ask("query_work_item", id=world.parent, max_depth=1),
        "completed": reader.ask(
            "list_work_items", status="completed", root_only=True, include_deleted=True, include_archived=True
        ),
        "broken": reader.ask("list_vendors", status="broken"),
        "urgent": reader.ask("list_enhancements", priority="high"),
        "history of a vendor": reader.ask(
            "get_history", entity="vendor", id=reader.ask("query_vendor_status", name=world.vendor)["id"]
        ),
        "conflicts": reader.ask("list_conflicts"),
        "configuration": reader.ask("get_project_configuration"),
    }
    for name in ("database_healthy", "last_health_check_at"):  # they speak of the server
        del more["configuration"][name]
    return reader.answers() | more


def test_every_tool_answers_alike_from_both(world: World, tmp_path: Path) -> None:
    with Reader(world, world.place(tmp_path / "server", ("postgresql",))) as reader:
        from_server = everything(reader)
    with Reader(world, world.place(tmp_path / "replica", ("replica",))) as reader:
        from_replica = everything(reader)
    assert {answer["data_source"] for answer in from_server.values()} == {"postgresql"}
    assert {answer["data_source"] for answer in from_replica.values()} == {"sqlite_cache"}
    assert content(from_server) == content(from_replica)


def changed_elsewhere(url: str) -> None:
    with psycopg.connect(url) as server:
        server.execute("UPDATE localfirst.vendor_extractors SET operational = NOT operational WHERE name = 'Fir'")


@pytest.fixture
def filled(world: World, tmp_path: Path, database_url: str) -> Any:
    """The settings of a place whose replica has caught up with a server of its own."""
    settings = world.place(tmp_path / "place", ("replica",), url=database_url)
    settings.replica.unlink()
    with Reader(world, settings) as reader:
        call(reader.session, "create_vendor", name="Fir")
        assert reader.session.link is not None
        assert reader.session.link.sync(30) is not None
    return settings


def test_read_from_replica_answers_from_the_replica_first(world: World, filled: Any) -> None:
    with Reader(world, filled._replace(read_from="replica")) as reader:
        answer = reader.ask("query_vendor_status", name="Fir")
        assert answer["data_source"] == "sqlite_cache"
        assert answer["warnings"] == []
        assert 0 <= answer["cache_age_minutes"] < 5


def test_read_from_replica_is_kept_fresh_by_the_sync_loop(world: World, filled: Any) -> None:
    with Reader(world, filled._replace(read_from="replica")) as reader:
        assert reader.ask("query_vendor_status", name="Fir")["operational"] is True
        changed_elsewhere(filled.database_url)
        assert reader.session.link is not None
        assert reader.session.link.sync(30) is not None
        answer = reader.ask("query_vendor_status", name="Fir")
        assert (answer["operational"], answer["data_source"], answer["version"]) == (False, "sqlite_cache", 2)


def test_read_from_replica_asks_the_server_for_what_it_lacks(world: World, filled: Any) -> None:
    filled.replica.unlink()
    with Reader(world, filled._replace(read_from="replica")) as reader:
        assert reader.ask("list_vendors")["total_count"] == 1, "an empty replica is filled before it answers"
        with psycopg.connect(filled.database_url) as server:
            server.execute("INSERT INTO localfirst.vendor_extractors (name) VALUES ('Gum')")
        assert reader.ask("query_vendor_status", name="Gum")["version"] == 1


def test_read_from_replica_says_when_the_server_is_away(world: World, filled: Any) -> None:
    with Reader(world, filled._replace(read_from="replica", database_url=nobody_there())) as reader:
        assert reader.session.link is not None
        assert not reader.session.link.is_online()
        answer = reader.ask("query_vendor_status", name="Fir")
        assert answer["warnings"] == ["database_unavailable", "using_fallback_cache"]


def test_read_from_replica_answers_from_the_server_when_the_replica_is_away(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("postgresql",))._replace(read_from="replica")
    with Reader(world, settings) as reader:
        assert {answer["data_source"] for answer in reader.answers().values()} == {"postgresql"}


def test_a_row_with_waiting_changes_is_read_from_the_replica(world: World, filled: Any) -> None:
    with psycopg.connect(filled.database_url) as server, Reader(world, filled) as reader:
        before = reader.ask("query_vendor_status", name="Fir")
        # While somebody holds the row, the change cannot go out; the server itself answers.
        server.execute("SELECT 1 FROM localfirst.vendor_extractors WHERE name = 'Fir' FOR UPDATE")
        reader.ask("update_vendor_status", name="Fir", version=before["version"], operational=False)
        answer = reader.ask("query_vendor_status", name="Fir")
        assert (answer["operational"], answer["data_source"]) == (False, "sqlite_cache")
        assert answer["warnings"] == ["pending_local_changes"]
        assert reader.ask("list_vendors")["warnings"] == ["pending_local_changes"]
        assert reader.ask("get_project_configuration")["data_source"] == "postgresql"
