"""`localfirst backup` and `restore`."""

from __future__ import annotations

import stat
from pathlib import Path

from cli.conftest import NewLaptop
from cli.shell import Shell


def test_a_copy_is_private_checked_and_says_what_it_holds(shell: Shell) -> None:
    shell.item("One")
    reported = shell.json("backup", "copy.sqlite3")
    copy = Path(reported["path"])
    assert copy == shell.project / "copy.sqlite3"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert (reported["work_items"], reported["unsent_changes"]) == (1, 1)
    assert [file.name for file in shell.project.iterdir()] == ["copy.sqlite3"]
    assert "is there already" in shell.run("backup", "copy.sqlite3").err


def test_without_a_name_the_copy_stands_beside_the_replica(shell: Shell) -> None:
    shell.item("One")
    assert "`localfirst restore FILE` puts it back" in shell.ok("backup").out
    assert len(list(shell.replica.parent.glob("replica.sqlite3.backup-*"))) == 1


def test_a_restore_brings_the_old_state_and_keeps_the_present_one(shell: Shell) -> None:
    kept = shell.item("Kept")
    shell.ok("backup", "copy.sqlite3")
    shell.ok("item", "update", kept, "--title", "Spoilt")
    reported = shell.json("restore", "copy.sqlite3")
    assert [item["title"] for item in shell.json("item", "list")["items"]] == ["Kept"]
    shell.ok("restore", reported["set_aside"])
    assert [item["title"] for item in shell.json("item", "list")["items"]] == ["Spoilt"]


def test_what_a_server_has_not_seen_is_not_put_aside_unasked(laptop: NewLaptop) -> None:
    ann = laptop("ann")
    item = ann.item("Sent")
    ann.ok("sync")
    ann.ok("backup", "copy.sqlite3")
    away = Shell(ann.directory, {**ann.more, "LOCALFIRST_DATABASE_URL": "postgresql://127.0.0.1:1/board"})
    away.ok("item", "update", item, "--title", "Unsent")
    refused = away.error("restore", "copy.sqlite3")
    assert refused["error"] == "InvalidStateError"
    assert refused["details"]["unsent_changes"] == 1
    assert [found["title"] for found in away.json("item", "list")["items"]] == ["Unsent"]
    away.ok("restore", "copy.sqlite3", "--even-if-unsent")
    assert [found["title"] for found in away.json("item", "list")["items"]] == ["Sent"]


def test_what_is_no_copy_of_this_project_is_refused(shell: Shell, tmp_path: Path) -> None:
    shell.item("Kept")
    assert shell.error("restore", "nothing.sqlite3")["error"] == "NotFoundError"
    (shell.project / "text.sqlite3").write_text("not a database " * 100)
    assert shell.error("restore", "text.sqlite3")["error"] == "ValidationError"
    other = Shell(tmp_path / "other", {"LOCALFIRST_PROJECT": "another"})
    other.item("Other")
    foreign = other.json("backup")["path"]
    named = Shell(shell.directory, {"LOCALFIRST_PROJECT": "this/one"})
    named.ok("item", "list")
    assert "another" in named.run("restore", foreign).err
    assert [item["title"] for item in shell.json("item", "list")["items"]] == ["Kept"]


def test_a_replica_that_is_in_use_is_not_replaced(shell: Shell) -> None:
    shell.item("Kept")
    shell.ok("backup", "copy.sqlite3")
    server = shell.start("mcp", stdin=-1)
    try:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(
            '{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18",'
            ' "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}\n'
            '{"jsonrpc": "2.0", "method": "notifications/initialized"}\n'
            '{"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_work_items", "arguments": {}}}\n'
        )
        server.stdin.flush()
        assert server.stdout.readline()
        assert "Kept" in server.stdout.readline()
        assert "other programs have the replica open" in shell.run("restore", "copy.sqlite3").err
    finally:
        server.communicate()
    shell.ok("restore", "copy.sqlite3")


def test_a_restored_replica_loses_nothing_that_was_sent_since(laptop: NewLaptop) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    item = ann.item("First")
    ann.ok("sync")
    ann.ok("backup", "copy.sqlite3")
    ann.ok("item", "update", item, "--title", "Second")
    ann.item("Since")
    ann.ok("sync")
    bob.item("Bob's")
    ann.ok("restore", "copy.sqlite3")
    ann.item("After")
    ann.ok("sync")
    for one in (ann, bob):
        titles = sorted(found["title"] for found in one.json("item", "list")["items"])
        assert titles == ["After", "Bob's", "Second", "Since"]
    assert ann.json("conflicts", "list")["conflicts"] == []
    assert ann.json("sync", "--status")["pending_mutations"] == 0


def test_a_folder_that_is_not_there_is_not_made(shell: Shell) -> None:
    shell.item("One")
    refused = shell.error("backup", "nowhere/copy.sqlite3")
    assert (refused["error"], refused["details"]["field"]) == ("ValidationError", "file")
    assert "does not exist: make it first" in refused["message"]
    assert list(shell.project.iterdir()) == []


def test_the_replica_is_not_taken_for_a_copy_of_itself(shell: Shell) -> None:
    shell.item("One")
    (shell.project / "link.sqlite3").symlink_to(shell.replica)
    for given in (str(shell.replica), "link.sqlite3"):
        assert "is the replica itself" in shell.error("restore", given)["message"]
    assert [file.name for file in shell.replica.parent.iterdir() if ".before-restore" in file.name] == []


def test_a_name_that_is_too_long_is_reported_in_words(shell: Shell) -> None:
    shell.item("One")
    long = "x" * 300
    for command in (("backup", long), ("restore", long), ("export", "-o", long), ("index", long)):
        done = shell.run(*command)
        assert done.status != 0
        assert "longer than the system allows" in done.err, command
        assert "Errno" not in done.err


def test_nothing_stays_of_the_lock_of_a_rebuild_or_a_restore(shell: Shell) -> None:
    shell.item("One")
    shell.ok("backup", "copy.sqlite3")
    shell.ok("restore", "copy.sqlite3")
    shell.replica.write_bytes(b"damaged " * 1000)
    assert "was damaged" in shell.ok("item", "list").err + shell.ok("doctor").out
    assert [file.name for file in shell.replica.parent.iterdir() if file.name.endswith(".rebuild")] == []
