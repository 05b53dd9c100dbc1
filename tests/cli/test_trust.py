"""`localfirst trust`, and what a hostile checkout's settings come to in every command."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from cli.shell import Shell

HOSTILE = """
project = "github.com/acme/secret"
database_url = "postgresql://ann:ma%2Frker@127.0.0.1:{port}/db"
replica = "board.db"
markdown = "../outside.md"
client = "mallory"
embedding = "openai:m"
embedding_url = "http://127.0.0.1:{port}/v1"
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, {"LOCALFIRST_REPLICA": "", "LOCALFIRST_CLIENT": ""})


def write(shell: Shell, content: str) -> Path:
    (file := shell.project / ".localfirst.toml").write_text(content)
    return file


def test_a_file_counts_once_it_is_allowed_and_no_more_when_it_was_changed(shell: Shell) -> None:
    file = write(shell, 'client = "ann"\n')
    assert shell.json("item", "create", "x")["updated_by"] != "ann"
    allowed = shell.json("trust")
    assert allowed["allowed"] is True
    assert [(one["name"], one["counts"]) for one in allowed["settings"]] == [("client", True)]
    assert shell.json("item", "create", "y")["updated_by"] == "ann"
    file.write_text('client = "ann"\narchiving = "no"\n')
    assert shell.json("item", "create", "z")["updated_by"] != "ann"
    shell.ok("trust")
    assert shell.json("trust", "--revoke")["allowed"] is False
    assert shell.json("item", "create", "z")["updated_by"] != "ann"


def test_show_says_what_it_would_set_and_allows_nothing(shell: Shell) -> None:
    write(shell, HOSTILE.format(port=1))
    done = shell.ok("trust", "--show")
    for words in ("database_url", "127.0.0.1", "mallory", "no file of a checkout may say it", "it leads out of the project"):
        assert words in done.out
    assert "rker" not in done.out + done.err
    displayed = shell.json("trust", "--show")
    assert displayed["allowed"] is False
    assert {one["name"] for one in displayed["settings"] if one["counts"]} == {"project"}
    assert {one["name"] for one in displayed["settings"] if not one["would_count"]} == {"replica", "markdown"}
    assert {(one["name"], one["origin"]) for one in displayed["in_force"]} == {("project", "file that was not allowed")}


def test_without_a_file_there_is_nothing_to_allow(shell: Shell) -> None:
    assert shell.error("trust")["error"] == "NotFoundError"
    assert shell.json("trust", "--show")["file"] is None
    assert shell.json("trust", "--revoke")["allowed"] is False


def test_what_steers_a_terminal_is_displayed_not_obeyed(shell: Shell) -> None:
    write(shell, 'markdown = "a\\u001b[2Jb.md"\n')
    assert "\x1b" not in shell.ok("trust", "--show").out


def test_no_command_connects_to_where_a_checkout_says_or_writes_outside(shell: Shell) -> None:
    came = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            try:
                listener.accept()[0].close()
            except OSError:
                return
            came.set()

        threading.Thread(target=take, daemon=True).start()
        write(shell, HOSTILE.format(port=listener.getsockname()[1]))
        shell.more["PGPASSWORD"] = "ambient"
        shell.ok("item", "create", "x")
        for command in (
            ("status",), ("item", "list"), ("vendor", "list"), ("config", "show"), ("sync", "--status"), ("doctor",), ("init",),
            ("export", "-o", "out.json"), ("index", "."), ("search", "x"), ("jobs",), ("trust", "--show"),
            ("conflicts", "list"),
        ):  # fmt: skip
            done = shell.run(*command)
            assert "rker" not in done.out + done.err
        assert shell.run("sync").status == 1
        assert not came.is_set()
    assert not (shell.directory / "outside.md").exists()
    assert not (shell.project / "board.db").exists()
    assert shell.json("sync", "--status")["untrusted_settings"] == [
        "client", "database_url", "embedding", "embedding_url", "markdown", "replica",
    ]  # fmt: skip
    doctor = shell.json("doctor")["checks"]
    assert any(check["subject"] == "settings" and "database_url" in check["words"] for check in doctor)


def test_a_project_that_only_a_file_names_is_sent_to_no_server_before_the_file_is_allowed(
    shell: Shell, database_url: str
) -> None:
    write(shell, 'project = "team/board"\n')
    shell.ok("item", "create", "x")
    shell.more["LOCALFIRST_DATABASE_URL"] = database_url
    assert [item["title"] for item in shell.json("item", "list")["items"]] == ["x"], "what is here stays in sight"
    refused = shell.error("sync")
    assert refused["error"] == "UnavailableError"
    assert "localfirst trust" in refused["message"]
    assert shell.json("sync", "--status")["pending_mutations"] == 1
    shell.ok("trust")
    assert shell.json("sync")["pushed"] == 1
    assert [item["title"] for item in shell.json("item", "list")["items"]] == ["x"]


def test_init_with_a_name_allows_what_it_writes_and_nothing_else(shell: Shell) -> None:
    shell.more["LOCALFIRST_DATABASE_URL"] = "postgresql://127.0.0.1:1/board"
    assert shell.json("init", "--project", "team/board")["project"] == "team/board"
    assert shell.json("trust", "--show")["allowed"] is True
    write(shell, 'client = "mallory"\n')
    assert shell.error("init", "--project", "team/board")["error"] == "InvalidStateError"
    assert shell.json("trust", "--show")["allowed"] is False
    write(shell, 'archiving = "no"\n')
    assert shell.json("init", "--project", "team/board")["project"] == "team/board"


@pytest.mark.parametrize("level", ["loud", "", " debug ", "10"])
def test_a_level_of_the_log_that_is_none_is_no_reason_to_fail(shell: Shell, level: str) -> None:
    shell.more["LOCALFIRST_LOG_LEVEL"] = level
    shell.ok("item", "create", "x")
    reported = [check["words"] for check in shell.json("doctor")["checks"] if "LOCALFIRST_LOG_LEVEL" in check["words"]]
    assert bool(reported) == (level in ("loud", "10"))


def test_a_token_in_the_users_own_file_that_others_can_read_is_reported_of(shell: Shell) -> None:
    (folder := shell.directory / "home" / "config" / "localfirst").mkdir(parents=True)
    (folder / "config.toml").write_text('embedding_token = "hush"\n')
    (folder / "config.toml").chmod(0o644)
    done = shell.ok("doctor")
    assert "embedding_token" in done.out
    assert "hush" not in done.out
