"""`localfirst init` and `localfirst doctor`."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import apsw
import pytest

from cli.shell import Shell


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_init_creates_a_private_replica_and_nothing_in_the_project(shell: Shell) -> None:
    reported = shell.ok("init").out
    assert "The replica is ready." in reported
    assert str(shell.replica) in reported
    assert list(shell.project.iterdir()) == []
    assert _mode(shell.replica) == 0o600
    assert _mode(shell.replica.parent) == 0o700
    assert "was there already" in shell.ok("init").out


def test_init_shows_how_to_connect_a_client(shell: Shell) -> None:
    reported = shell.ok("init").out
    settings = json.loads(reported[reported.index("{") : reported.rindex("}") + 1])
    server = settings["mcpServers"]["localfirst"]
    assert server["args"][-1] == "mcp"
    assert subprocess.run([server["command"], *server["args"][:-1], "--version"], check=True, capture_output=True).stdout


def test_init_repeats_the_shells_settings_for_the_client_without_their_secrets(shell: Shell) -> None:
    assert (
        "`env` beside `cwd`"
        in Shell(shell.directory / "plain", {"LOCALFIRST_REPLICA": "", "LOCALFIRST_CLIENT": ""}).ok("init").err
    )
    shell.more |= {
        "LOCALFIRST_DATABASE_URL": "postgresql://ann:se@cret@127.0.0.1:1/board?sslpassword=cret2",
        "LOCALFIRST_EMBEDDING_TOKEN": "cret3",
        "LOCALFIRST_PROJECT": "team/board",
        "LOCALFIRST_NONSENSE": "x",
    }
    done = shell.ok("init")
    snippet = json.loads(done.out[done.out.index("{") : done.out.rindex("}") + 1])
    assert snippet["mcpServers"]["localfirst"]["env"] == {
        "LOCALFIRST_CLIENT": "ann",
        "LOCALFIRST_DATABASE_URL": "postgresql://ann:<PASSWORD>@127.0.0.1:1/board?sslpassword=<PASSWORD>",
        "LOCALFIRST_EMBEDDING_TOKEN": "<TOKEN>",
        "LOCALFIRST_PROJECT": "team/board",
        "LOCALFIRST_REPLICA": str(shell.replica),
    }
    assert "Fill in <PASSWORD> and <TOKEN> yourself" in done.err
    assert "cret" not in done.out + done.err


def test_init_never_shows_the_servers_password(shell: Shell) -> None:
    shell.more |= {"LOCALFIRST_DATABASE_URL": "postgresql://ann:secret@127.0.0.1:1/board", "LOCALFIRST_PROJECT": "team/board"}
    done = shell.ok("init")
    assert "127.0.0.1:1/board" in done.out
    assert "secret" not in done.out + done.err


def test_init_writes_the_projects_name_where_asked_to(shell: Shell) -> None:
    (shell.project / ".localfirst.toml").write_text("client = 'ann'\n")
    assert shell.json("init", "--project", "team/board")["project"] == "team/board"
    assert (shell.project / ".localfirst.toml").read_text() == "project = \"team/board\"\nclient = 'ann'\n"
    shell.ok("init", "--project", "team/board")
    # The replica's file is named too, and is the first project's.
    assert shell.error("init", "--project", "other")["error"] == "InvalidStateError"
    assert (shell.project / ".localfirst.toml").read_text() == "project = \"team/board\"\nclient = 'ann'\n"


def test_files_of_the_program_are_private(shell: Shell) -> None:
    shell.item("Task")
    shell.more["LOCALFIRST_LOG_LEVEL"] = "DEBUG"
    shell.more |= {"LOCALFIRST_DATABASE_URL": "postgresql://127.0.0.1:1/board", "LOCALFIRST_PROJECT": "team/board"}
    shell.ok("sync", "--status")
    logs = list((shell.directory / "home").rglob("localfirst.log"))
    assert len(logs) == 1
    for file in [*shell.replica.parent.iterdir(), *logs]:
        assert _mode(file) & 0o077 == 0, file


def test_a_healthy_project_passes(shell: Shell) -> None:
    shell.item("Task")
    done = shell.ok("doctor")
    assert "✗" not in done.out
    assert "✓ replica" in done.out
    assert shell.json("doctor")["healthy"] is True


def test_the_doctor_creates_nothing(shell: Shell) -> None:
    assert "localfirst init" in shell.ok("doctor").out
    assert not shell.replica.exists()


def test_a_damaged_replica_is_reported_of_and_left_alone(shell: Shell) -> None:
    shell.replica.parent.mkdir()
    shell.replica.write_bytes(b"this is no database" * 1000)
    done = shell.run("doctor")
    assert done.status == 1
    assert "✗ replica" in done.out
    assert [file.name for file in shell.replica.parent.iterdir()] == [shell.replica.name]


def test_a_replica_of_a_newer_program_is_reported_of(shell: Shell) -> None:
    shell.ok("init")
    connection = apsw.Connection(str(shell.replica))
    connection.pragma("user_version", 999)
    connection.close()
    done = shell.run("doctor")
    assert done.status == 1
    assert "upgrade" in done.out


def test_a_search_index_that_differs_is_reported_of(shell: Shell) -> None:
    shell.item("Task")
    connection = apsw.Connection(str(shell.replica))
    connection.execute("DELETE FROM work_items_text")
    connection.close()
    done = shell.run("doctor")
    assert done.status == 1
    assert "full-text" in done.out


def test_a_replica_that_others_can_read_is_reported_of(shell: Shell) -> None:
    shell.ok("init")
    shell.replica.chmod(0o644)
    done = shell.ok("doctor")
    assert f"chmod 600 {shell.replica}" in done.out


@pytest.mark.parametrize("folder", ["Dropbox", "OneDrive - Work", "Google Drive", "Mobile Documents"])
def test_a_replica_in_a_cloud_folder_is_warned_about(shell: Shell, folder: str) -> None:
    shell.more["LOCALFIRST_REPLICA"] = str(shell.directory / folder / "replica.sqlite3")
    shell.ok("init")
    checks = shell.json("doctor")["checks"]
    assert any(check["level"] == "warning" and "LOCALFIRST_REPLICA" in check["words"] for check in checks)


def test_a_server_that_does_not_answer_is_reported_of_in_words(shell: Shell) -> None:
    shell.more |= {"LOCALFIRST_DATABASE_URL": "postgresql://ann:secret@127.0.0.1:1/board", "LOCALFIRST_PROJECT": "team/board"}
    shell.item("Task")
    done = shell.run("doctor")
    assert done.status == 1
    assert "✗ server     127.0.0.1:1/board cannot be used: Nothing answers" in done.out
    assert "! sync       1 change is kept here until the server answers" in done.out
    assert "secret" not in done.out


def test_a_server_without_a_name_for_the_project_is_reported_of(shell: Shell) -> None:
    shell.more["LOCALFIRST_DATABASE_URL"] = "postgresql://127.0.0.1:1/board"
    shell.ok("init")
    done = shell.run("doctor")
    assert done.status == 1
    assert "✗ project" in done.out


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_settings_with_a_password_that_others_can_read_are_reported_of(shell: Shell) -> None:
    file = shell.project / ".localfirst.toml"
    file.write_text('database_url = "postgresql://ann:secret@127.0.0.1:1/board"\nproject = "team/board"\n')
    file.chmod(0o644)
    done = shell.run("doctor")
    assert "chmod 600" in done.out
    assert "secret" not in done.out
