"""`localfirst undo`: the last act of this user's commands on this replica, each of which is a process of its own."""

from __future__ import annotations

from dataclasses import replace

from contract.agent import working
from contract.laptop import Laptop

from cli.conftest import NewLaptop
from cli.shell import Shell


def test_the_last_command_is_taken_back_and_once_more_done_again(shell: Shell) -> None:
    first, second = shell.item("First"), shell.item("Second")
    shell.ok("item", "update", second, "--status", "blocked", "-m", "priority=high")
    done = shell.ok("undo")
    assert "Set back work item" in done.out
    assert "“Second” (version 3): status, metadata" in done.out
    displayed = shell.json("item", "show", second)
    assert (displayed["status"], displayed["metadata"]) == ("active", {})
    assert shell.json("undo")["undone"][0]["version"] == 4
    assert shell.json("item", "show", second)["status"] == "blocked"
    assert shell.json("item", "show", first)["version"] == 1


def test_reading_and_failing_in_between_change_nothing_about_it(shell: Shell) -> None:
    item = shell.item("One")
    shell.ok("item", "list")
    assert shell.run("item", "update", item, "--version", "9", "--title", "late").status == 1
    assert "Deleted work item" in shell.ok("undo").out


def test_there_may_be_nothing_to_take_back(shell: Shell) -> None:
    assert shell.error("undo")["error"] == "InvalidStateError"
    done = shell.run("undo")
    assert (done.status, "nothing to take back" in done.err) == (1, True)


def test_it_is_that_of_the_same_user_and_not_an_agents(shell: Shell) -> None:
    mine = shell.item("Mine")
    other = replace(shell, more={"LOCALFIRST_CLIENT": "bob"})
    theirs = other.item("Theirs")
    laptop = Laptop(shell.directory, {"LOCALFIRST_REPLICA": str(shell.replica), "LOCALFIRST_CLIENT": "ann"})
    with working(laptop, cwd=shell.project) as agent:
        agents = agent.create("The agent's")["id"]
        assert agent.call("undo")["undone"][0]["id"] == agents
        agent.call("undo")
    assert shell.json("undo")["undone"][0]["id"] == mine
    assert other.json("undo")["undone"][0]["id"] == theirs
    assert shell.json("item", "show", agents)["deleted_at"] is None


def test_what_another_laptop_has_changed_since_is_a_mismatch(laptop: NewLaptop) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    item = ann.item("Shared")
    ann.ok("item", "update", item, "--title", "Ann's")
    bob.ok("sync")
    bob.ok("item", "update", item, "--status", "blocked")
    ann.ok("sync")
    error = ann.error("undo")
    assert (error["error"], error["details"]["updated_by"]) == ("VersionMismatchError", "bob")
    bob.ok("undo")
    bob.ok("undo")
    ann.ok("sync")
    assert (ann.json("item", "show", item)["title"], ann.json("item", "show", item)["version"]) == ("Ann's", 5)
