"""A replica that meets another server than its own, in the whole program: a changed address, and a checkout that names one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from postgres import Server

from cli.shell import Shell

PROJECT = "github.com/acme/secret"
REMOTE = "git@github.com:acme/secret.git"


@pytest.fixture
def other_url(postgres_server: Server) -> Iterator[str]:
    """Another server, by its database and its identity, without anything of ours."""
    with postgres_server.database("template1") as url:
        yield url


def holds(url: str) -> list[str]:
    """What a server holds of the board: titles; nothing where nobody has made anything there."""
    with psycopg.connect(url) as server:
        if server.execute("SELECT to_regclass('localfirst.work_items') IS NULL").fetchone() == (True,):
            return []
        return [title for (title,) in server.execute("SELECT title FROM localfirst.work_items ORDER BY title")]


def clone(shell: Shell, name: str, remote: str) -> Shell:
    """Another directory of the same user, with a repository in it."""
    other = Shell(shell.directory, dict(shell.more))
    folder = shell.directory / name
    folder.mkdir()
    other.__class__ = type("ShellThere", (Shell,), {"project": property(lambda _: folder)})
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "remote", "add", "origin", remote], check=True)
    return other


def test_another_server_is_refused_in_words_and_taken_when_a_person_says_so(
    tmp_path: Path, database_url: str, other_url: str
) -> None:
    shell = Shell(tmp_path, {"LOCALFIRST_PROJECT": "team/moving", "LOCALFIRST_DATABASE_URL": database_url})
    shell.item("At the first")
    shell.ok("sync")
    shell.more["LOCALFIRST_DATABASE_URL"] = other_url
    shell.item("Meanwhile")
    refused = shell.error("sync")
    assert (refused["error"], refused["details"]["cause"]) == ("UnavailableError", "another_server")
    displayed = shell.ok("sync", "--status").out
    assert "cannot be used" in displayed
    assert "does not answer" not in displayed
    assert "adopt-server" in displayed
    assert "adopt-server" in shell.run("doctor").out
    assert holds(other_url) == []
    assert shell.json("sync", "--adopt-server")["pushed"] >= 0
    assert holds(other_url) == ["At the first", "Meanwhile"]
    assert holds(database_url) == ["At the first"]
    reported = shell.json("sync", "--status")
    assert (reported["online"], reported["pending_mutations"], reported["last_error"]) == (True, 0, None)
    doctor = shell.ok("doctor").out
    assert "another server was taken" in doctor, "nothing was restored: the words may not say that alone"
    shell.item("Afterwards")
    assert holds(other_url) == ["Afterwards", "At the first", "Meanwhile"]
    shell.more["LOCALFIRST_DATABASE_URL"] = database_url
    assert shell.error("sync")["details"]["cause"] == "another_server", "the first one is another server now"


def test_adopting_needs_a_server_and_is_no_question(tmp_path: Path, database_url: str) -> None:
    shell = Shell(tmp_path, {"LOCALFIRST_PROJECT": "team/moving"})
    assert "LOCALFIRST_DATABASE_URL" in shell.run("sync", "--adopt-server").err
    shell.more["LOCALFIRST_DATABASE_URL"] = database_url
    assert shell.run("sync", "--adopt-server", "--status").status == 1
    shell.item("Here")
    assert shell.json("sync", "--adopt-server")["success"] is True, "of the known server nothing changes"
    assert holds(database_url) == ["Here"]


@pytest.mark.parametrize("remote", ["https://evil.example/lookalike.git", REMOTE])
def test_a_checkout_cannot_send_a_board_to_its_own_server(
    remote: str, tmp_path: Path, database_url: str, other_url: str
) -> None:
    """It names a project of this user's, which has a server, and another server: not even when its file was allowed."""
    own = Shell(tmp_path, {"LOCALFIRST_REPLICA": "", "LOCALFIRST_DATABASE_URL": database_url})
    work = clone(own, "work", REMOTE)
    work.item("Secret")
    work.ok("sync")
    assert holds(database_url) == ["Secret"]

    hostile = clone(own, "hostile", remote)
    del hostile.more["LOCALFIRST_DATABASE_URL"]
    (hostile.project / ".localfirst.toml").write_text(f'project = "{PROJECT}"\ndatabase_url = "{other_url}"\n')
    commands = (("status",), ("item", "list"), ("sync", "--status"), ("item", "create", "Planted"), ("doctor",), ("export",))
    for command in commands:
        hostile.run(*command)
    assert hostile.error("sync")["error"] == "UnavailableError"
    assert holds(other_url) == []
    assert hostile.json("sync", "--status")["server"] is None

    hostile.ok("trust")
    for command in commands:
        hostile.run(*command)
    asked = hostile.error("sync")
    assert asked["details"]["cause"] == "another_server"
    assert "Nothing was sent or fetched" in asked["message"]
    assert holds(other_url) == []
    assert "Secret" in [item["title"] for item in hostile.json("item", "list")["items"]]

    hostile.ok("sync", "--adopt-server")
    assert "Secret" in holds(other_url), "now it is what the person has said, twice"
