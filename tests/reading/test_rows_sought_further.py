"""While a configured server is away, what one layer lacks is sought in the next; deleted rows are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from localfirst_schema.errors import NotFoundError, UnavailableError

from localfirst.client.session import Session
from reading.world import STATUS_FILE, Reader, World, git, nobody_there


def test_a_new_replica_without_a_server_answers_from_git(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("replica", "git"))
    settings.replica.unlink()
    with Reader(world, settings) as reader:
        for tool, answer in reader.answers().items():
            assert answer["data_source"] == "git_history", tool
            assert answer["warnings"] == ["database_unavailable", "using_git_history_fallback"], tool
        assert isinstance(reader.session, Session), "the replica is there, and lacks everything"


def test_each_row_comes_from_the_first_layer_that_has_it(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("replica", "git"))
    committed = settings.markdown
    committed.write_text(world.text.replace("- Birch: broken", "- Birch: broken\n- Cedar: operational"))
    git(settings.root, "add", STATUS_FILE)
    git(settings.root, "commit", "-q", "-m", "Cedar")
    committed.write_text("## Vendors\n- Birch: operational\n- Douglas: broken\n")
    with Reader(world, settings) as reader:
        sources = {
            name: reader.ask("query_vendor_status", name=name)["data_source"] for name in ("Alder", "Birch", "Cedar", "Douglas")
        }
        with pytest.raises(NotFoundError):
            reader.ask("query_vendor_status", name="Elm")
    assert sources == {
        "Alder": "sqlite_cache", "Birch": "sqlite_cache", "Cedar": "git_history", "Douglas": "markdown_file",
    }  # fmt: skip


def test_what_is_deleted_is_not_sought_further(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("replica", "git", "markdown"))
    with Reader(world, settings) as reader:
        session = reader.session
        session.replica.execute("UPDATE vendor_extractors SET deleted_at = updated_at")
        with pytest.raises(NotFoundError):
            reader.ask("query_vendor_status", name="Alder")
        assert reader.ask("list_vendors")["items"] == []
        assert reader.ask("list_vendors")["data_source"] == "sqlite_cache"


def test_a_list_that_the_replica_has_something_of_is_the_replicas(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("replica", "git", "markdown"))
    settings.markdown.write_text(world.text.replace("- Alder: operational", "- Alder: broken"))
    with Reader(world, settings) as reader:
        answer = reader.ask("list_work_items", item_type="research")
    assert (answer["items"], answer["data_source"]) == ([], "sqlite_cache")


def test_what_a_reachable_server_says_is_final(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("postgresql", "replica"))
    settings.markdown.write_text("## Vendors\n- Douglas: broken\n")
    with Reader(world, settings) as reader, pytest.raises(NotFoundError):
        reader.ask("query_vendor_status", name="Douglas")


def test_without_a_server_the_replica_is_final(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("replica", "markdown"))._replace(database_url=None)
    settings.markdown.write_text("## Vendors\n- Douglas: broken\n")
    with Reader(world, settings) as reader:
        assert reader.ask("list_vendors")["warnings"] == []
        with pytest.raises(NotFoundError):
            reader.ask("query_vendor_status", name="Douglas")


def test_a_status_file_that_changes_is_read_again(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("markdown",))
    with Reader(world, settings) as reader:
        assert reader.ask("query_vendor_status", name="Alder")["operational"] is True
        settings.markdown.write_text(world.text.replace("- Alder: operational", "- Alder: broken"))
        assert reader.ask("query_vendor_status", name="Alder")["operational"] is False
        settings.markdown.write_text("## Vendors (1 total)\n- Birch: operational\n")
        with pytest.raises(NotFoundError):
            reader.ask("query_vendor_status", name="Alder")
        settings.markdown.unlink()
        with pytest.raises(UnavailableError, match="cannot be said whether this exists"):
            reader.ask("query_vendor_status", name="Alder")


def test_text_layers_keep_versions_and_invent_no_history(world: World, tmp_path: Path) -> None:
    with Reader(world, world.place(tmp_path / "place", ("markdown",))) as reader:
        item = reader.ask("query_work_item", id=world.item)
        assert (item["version"], item["parent_id"], item["metadata"]["estimated_hours"]) == (2, world.parent, 3)
        assert [other["id"] for other in item["parent_chain"]] == [world.parent]
        assert reader.ask("get_history", entity="work_item", id=world.item)["changes"] == []
        titles = {one["title"] for one in reader.ask("list_work_items")["items"]}
        assert titles == {"The portal", "Mend the parser", "Write the tests", "A morning"}


def test_a_change_of_a_row_that_only_git_knows_is_kept(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("replica", "git"), url=nobody_there())
    settings.replica.unlink()
    with Reader(world, settings) as reader:
        version = reader.ask("query_work_item", id=world.item)["version"]
        kept = reader.ask("update_work_item", id=world.item, version=version, status="completed")
    assert (kept["partial"], kept["pending_sync"], kept["version"]) == (True, True, 3)
