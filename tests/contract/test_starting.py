"""Starting the server: settings, files, who writes, and going away with the client."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from mcp.types import CallToolResult, TextContent

from contract.agent import Agent, working
from contract.conftest import Start
from contract.laptop import PROGRAM, Laptop
from contract.wire import Wire


def _text(result: CallToolResult) -> str:
    """All that a result says in words."""
    return " ".join(part.text for part in result.content if isinstance(part, TextContent))


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def replicas(laptop: Laptop) -> set[Path]:
    """Files of SQLite's format in the user's data directory, which are nowhere named in the settings."""
    return {path for path in laptop.data.rglob("*") if path.is_file() and path.read_bytes()[:15] == b"SQLite format 3"}


@pytest.fixture
def plain(tmp_path: Path) -> Laptop:
    """A laptop on which nothing was set."""
    return Laptop(tmp_path, {"LOCALFIRST_REPLICA": ""})


def git(directory: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", directory, *arguments], check=True, capture_output=True)


def titles(agent: Agent) -> set[str]:
    return {item["title"] for item in agent.call("list_work_items")["items"]}


def test_the_replica_is_where_the_setting_says(start: Start, laptop: Laptop) -> None:
    start().create("x")
    assert laptop.replica.read_bytes()[:15] == b"SQLite format 3"


def test_the_replica_and_its_directory_are_private(start: Start, laptop: Laptop) -> None:
    before = os.umask(0)
    try:
        agent = start()
        agent.create("x")
    finally:
        os.umask(before)
    assert mode(laptop.replica.parent) == "0o700"
    files = list(laptop.replica.parent.iterdir())
    assert laptop.replica in files
    for path in files:
        assert mode(path) == "0o600", path


def test_everything_written_to_the_home_is_private(plain: Laptop) -> None:
    before = os.umask(0)
    try:
        with working(plain) as agent:
            agent.create("x")
    finally:
        os.umask(before)
    ours = [path for path in plain.home.rglob("*") if "localfirst" in str(path.relative_to(plain.home))]
    assert ours
    for path in ours:
        assert mode(path) == ("0o700" if path.is_dir() else "0o600"), path


def test_by_default_the_replica_is_in_the_users_data_directory_one_per_project(plain: Laptop) -> None:
    (other := plain.directory / "other").mkdir()
    with working(plain) as agent:
        agent.create("here")
    assert len(replicas(plain)) == 1
    with working(plain, cwd=other) as agent:
        assert titles(agent) == set()
    assert len(replicas(plain)) == 2
    with working(plain) as agent:
        assert titles(agent) == {"here"}
    assert list(plain.project.iterdir()) == [], "the project's own directory is left alone"


def test_the_project_is_the_enclosing_git_work_tree(plain: Laptop) -> None:
    git(plain.project, "init", "-q")
    (inner := plain.project / "a" / "b").mkdir(parents=True)
    with working(plain) as agent:
        agent.create("at the root")
    with working(plain, cwd=inner) as agent:
        assert titles(agent) == {"at the root"}
    assert len(replicas(plain)) == 1


def test_a_directory_with_spaces_and_accents_is_a_project_as_any_other(plain: Laptop) -> None:
    (odd := plain.directory / "mes études 東京 %20 #").mkdir()
    with working(plain, cwd=odd) as agent:
        agent.create("x")
    with working(plain, cwd=odd) as agent:
        assert titles(agent) == {"x"}


def test_a_symbolic_link_leads_to_the_same_project(plain: Laptop) -> None:
    (link := plain.directory / "link").symlink_to(plain.project)
    with working(plain) as agent:
        agent.create("x")
    with working(plain, cwd=link) as agent:
        assert titles(agent) == {"x"}


def test_a_password_in_the_git_remote_is_written_nowhere(plain: Laptop) -> None:
    git(plain.project, "init", "-q")
    git(plain.project, "remote", "add", "origin", "https://someone:sesame-open@example.org/owner/name.git")
    with working(plain) as agent:
        agent.create("x")
        answers = [agent.call(tool) for tool in ("get_project_configuration", "sync_status", "generate_full_status")]
    assert "sesame" not in json.dumps(answers)
    for path in plain.home.rglob("*"):
        assert "sesame" not in str(path)
        assert not path.is_file() or b"sesame" not in path.read_bytes(), path


def test_an_applications_own_database_url_is_none_of_ours(laptop: Laptop) -> None:
    with working(laptop, DATABASE_URL="postgresql://nobody:secret@127.0.0.1:1/nowhere") as agent:
        assert agent.create("x")["warnings"] == []
        answer = agent.call("list_work_items")
        assert (answer["data_source"], answer["warnings"]) == ("sqlite_cache", [])
        assert agent.call("sync_status")["server"] is None


def test_the_mcp_clients_name_is_the_author(start: Start) -> None:
    assert start("claude é").create("x")["created_by"] == "claude é"


def test_a_configured_name_is_the_author_before_the_mcp_clients(start: Start) -> None:
    agent = start("client", LOCALFIRST_CLIENT="configured")
    assert agent.create("x")["created_by"] == "configured"
    assert agent.create("y", created_by="said")["created_by"] == "said"


def test_a_clients_name_of_any_length_can_write(start: Start) -> None:
    item = start("n" * 300).create("x")
    assert len(item["created_by"]) <= 100


def test_what_was_written_is_there_after_a_restart(laptop: Laptop) -> None:
    with working(laptop) as agent:
        item = agent.update(agent.create("x", metadata={"a": 1}), title="y")
        vendor = agent.call("create_vendor", name="v")
    with working(laptop) as agent:
        kept = agent.read(item)
        assert (kept["title"], kept["version"], kept["metadata"]) == ("y", 2, {"a": 1})
        assert agent.call("query_vendor_status", name="v")["id"] == vendor["id"]
        assert [item["title"] for item in agent.call("search_work_items", query="y")["items"]] == ["y"]
        assert agent.update(kept, title="z")["version"] == 3


def test_a_replica_that_cannot_be_read_is_put_aside_and_rebuilt(laptop: Laptop) -> None:
    laptop.replica.parent.mkdir()
    laptop.replica.write_bytes(b"this is no database " * 500)
    with working(laptop) as agent:
        assert agent.create("x")["version"] == 1
        assert titles(agent) == {"x"}
    (aside,) = laptop.replica.parent.glob(f"{laptop.replica.name}.corrupt-*")
    assert aside.read_bytes() == b"this is no database " * 500


def test_a_replica_damaged_in_its_middle_is_put_aside_and_rebuilt(laptop: Laptop) -> None:
    with working(laptop) as agent:
        for number in range(50):
            agent.create(f"item {number}", metadata={"filler": "x" * 2000})
    content = bytearray(laptop.replica.read_bytes())
    content[100 : len(content)] = b"\xa5" * (len(content) - 100)
    laptop.replica.write_bytes(content)
    with working(laptop) as agent:
        assert agent.create("after")["version"] == 1
        assert "after" in titles(agent)
    assert len(list(laptop.replica.parent.glob(f"{laptop.replica.name}.corrupt-*"))) >= 1


def test_an_empty_file_becomes_a_private_replica(laptop: Laptop) -> None:
    laptop.replica.parent.mkdir()
    laptop.replica.touch(0o644)
    with working(laptop) as agent:
        agent.create("x")
        assert titles(agent) == {"x"}
    assert mode(laptop.replica) == "0o600"


def test_another_applications_database_is_left_alone(laptop: Laptop) -> None:
    laptop.replica.parent.mkdir()
    with closing(sqlite3.connect(laptop.replica)) as database, database:
        database.execute("CREATE TABLE precious (x)")
    with working(laptop) as agent:
        agent.refused("create_work_item", item_type="task", title="x")
    with closing(sqlite3.connect(laptop.replica)) as database:
        assert database.execute("SELECT name FROM sqlite_schema").fetchall() == [("precious",)]


def test_a_replica_belongs_to_one_project(laptop: Laptop) -> None:
    with working(laptop, LOCALFIRST_PROJECT="example.org/owner/one") as agent:
        agent.create("of one")
    with working(laptop, LOCALFIRST_PROJECT="example.org/owner/two") as agent:
        refusal = agent.refused("create_work_item", item_type="task", title="of two")
        assert refusal.kind == "InvalidStateError"
        assert "example.org/owner/one" in refusal.text
    with working(laptop, LOCALFIRST_PROJECT="example.org/owner/one") as agent:
        assert titles(agent) == {"of one"}


@pytest.mark.parametrize("style", ["LOCALFIRST_{}", "{}"])
def test_settings_stand_in_the_projects_file(plain: Laptop, style: str) -> None:
    name = style.format("CLIENT" if "LOCALFIRST" in style else "client")
    (plain.project / ".localfirst.toml").write_text(f"{name} = 'filed'\n")
    subprocess.run([PROGRAM, "trust"], cwd=plain.project, env=plain.environment, check=True, capture_output=True)
    with working(plain) as agent:
        assert agent.create("x")["created_by"] == "filed"
    with working(plain, LOCALFIRST_CLIENT="environment") as agent:
        assert agent.create("y")["created_by"] == "environment", "the environment comes first"


@pytest.mark.parametrize("style", ["LOCALFIRST_{}", "{}"])
def test_settings_stand_in_the_users_own_file(plain: Laptop, style: str) -> None:
    place = plain.directory / "elsewhere" / "r.db"
    names = [style.format(name if "LOCALFIRST" in style else name.lower()) for name in ("REPLICA", "CLIENT")]
    (folder := plain.home / "config" / "localfirst").mkdir(parents=True)
    (folder / "config.toml").write_text(f"{names[0]} = {json.dumps(str(place))}\n{names[1]} = 'own'\n")
    with working(plain) as agent:
        assert agent.create("x")["created_by"] == "own"
    assert place.is_file()


def test_what_a_checkout_says_and_may_not_is_reported_once_and_by_the_status(plain: Laptop) -> None:
    (plain.project / ".localfirst.toml").write_text("replica = 'board.db'\nclient = 'mallory'\narchiving = 'no'\n")
    with working(plain) as agent:
        first = agent.raw("create_work_item", item_type="task", title="x")
        assert first.structured_content["updated_by"] != "mallory"
        assert first.structured_content["warnings"] == ["untrusted_settings"]
        assert "client, replica" in _text(first)
        second = agent.raw("list_work_items")
        assert second.structured_content["warnings"] == []
        assert "client, replica" not in _text(second)
        status = agent.call("sync_status")
        assert status["untrusted_settings"] == ["client", "replica"]
        assert status["warnings"] == ["untrusted_settings"]
    assert [path.name for path in plain.project.iterdir()] == [".localfirst.toml"]


@pytest.mark.parametrize("content", ["colour = 'red'", "replica = [", "replica = 5", "\0"])
def test_a_wrong_settings_file_is_named_and_obeyed_in_no_part(plain: Laptop, content: str) -> None:
    (plain.project / ".localfirst.toml").write_text(content)
    with working(plain) as agent:
        refusal = agent.refused("create_work_item", item_type="task", title="x")
        assert refusal.kind == "ValidationError"
        assert ".localfirst.toml" in refusal.text
    assert replicas(plain) == set()


def test_a_write_after_the_replica_was_taken_away_is_kept_or_refused(laptop: Laptop) -> None:
    with working(laptop) as agent:
        agent.create("before")
        for path in laptop.replica.parent.iterdir():
            path.unlink()
        result = agent.raw("create_work_item", item_type="task", title="after")
    with working(laptop) as agent:
        assert result.is_error or "after" in titles(agent)


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18"])
def test_earlier_versions_of_the_protocol_are_agreed_to(laptop: Laptop, version: str) -> None:
    with Wire(laptop) as wire:
        hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "w", "version": "1"}}
        assert wire.request("initialize", hello)["result"]["protocolVersion"] == version


def test_nothing_but_protocol_is_printed(laptop: Laptop) -> None:
    with Wire(laptop) as wire:
        wire.request("tools/list", {})
        wire.call("create_work_item", item_type="task", title="a\u2028c", metadata={"description": "a\nb\u2028c\u0085d"})
        wire.call("create_work_item", item_type="epic", title="")
        wire.call("list_work_items")
        wire.call("sync_now")
        status, rest = wire.end()
        assert (status, rest) == (0, b"")
        for line in wire.lines:
            assert json.loads(line)["jsonrpc"] == "2.0"


def test_the_server_goes_when_its_client_does(laptop: Laptop) -> None:
    with Wire(laptop) as wire:
        wire.call("create_work_item", item_type="task", title="x")
        assert wire.end() == (0, b"")
        assert wire.process.stderr is not None
        assert b"Traceback" not in wire.process.stderr.read()


def test_a_client_that_leaves_without_a_word_ends_the_server_as_well(laptop: Laptop) -> None:
    wire = Wire(laptop)
    try:
        assert wire.end() == (0, b"")
    finally:
        wire.__exit__(None, None, None)


def test_a_terminated_server_ends(laptop: Laptop) -> None:
    with Wire(laptop) as wire:
        wire.call("create_work_item", item_type="task", title="x")
        wire.process.terminate()
        wire.process.wait(10)
    with working(laptop) as agent:
        assert titles(agent) == {"x"}
