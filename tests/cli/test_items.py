"""`localfirst item`, as a person uses it."""

from __future__ import annotations

import pytest

from cli.shell import Shell
from localfirst.replica.connection import connect


def test_an_item_is_created_and_displayed(shell: Shell) -> None:
    done = shell.ok("item", "create", "Checkout", "--type", "project", "-m", "description=The shop")
    assert "Created project" in done.out
    assert "“Checkout” (active, version 1)" in done.out
    listed = shell.ok("item", "list").out
    assert "Checkout" in listed
    assert "project" in listed


def test_json_is_the_operations_result_on_one_line(shell: Shell) -> None:
    item = shell.json("item", "create", "Task", "--branch", "main", "--pr", "3", "--by", "bob")
    assert item["success"] is True
    assert (item["item_type"], item["branch_name"], item["pr_number"], item["updated_by"]) == ("task", "main", 3, "bob")
    page = shell.json("item", "list", "--limit", "1")
    assert (page["total_count"], page["limit"], page["data_source"]) == (1, 1, "sqlite_cache")


def test_who_writes_is_the_configured_client_unless_said_otherwise(shell: Shell) -> None:
    item = shell.item("Task")
    assert shell.json("item", "show", item)["created_by"] == "ann"
    assert shell.json("item", "update", item, "--title", "T", "--by", "bob")["updated_by"] == "bob"


def test_an_item_is_displayed_with_what_is_above_and_below_it(shell: Shell) -> None:
    project = shell.item("Shop", "-t", "project")
    session = shell.item("Monday", "-t", "session", "--parent", project)
    shell.item("Fix the cart", "--parent", session)
    assert "Shop" in shell.ok("item", "show", session).out.splitlines()[0]
    tree = shell.ok("item", "show", project).out
    assert "└─ Monday" in tree
    assert "   └─ Fix the cart" in tree


@pytest.mark.parametrize("length", [9, 13, 20, 35])
def test_the_beginning_of_an_id_is_enough(shell: Shell, length: int) -> None:
    item = shell.json("item", "create", "One", "--id", "0190aaaa-0000-7000-8000-00000000abcd")["id"]
    shell.json("item", "create", "Two", "--id", "0190aaab-0000-7000-8000-00000000abcd")
    assert shell.json("item", "show", item[:length])["title"] == "One"
    assert shell.json("item", "show", item[:length].upper().replace("-", ""))["title"] == "One"


def test_a_beginning_of_several_ids_lists_them(shell: Shell) -> None:
    shell.item("One", "--id", "0190aaaa-0000-7000-8000-00000000abcd")
    shell.item("Two", "--id", "0190aaab-0000-7000-8000-00000000abcd")
    error = shell.error("item", "show", "0190aa")
    assert error["error"] == "ValidationError"
    assert [one["title"] for one in error["details"]["candidates"]] == ["One", "Two"]
    sentence = shell.run("item", "show", "0190aa").err
    one, two = (candidate["ref"] for candidate in error["details"]["candidates"])
    assert f"{one} (One), {two} (Two)" in sentence


def test_the_ids_in_a_list_are_long_enough_to_be_used(shell: Shell) -> None:
    titles = [f"Task {number}" for number in range(4)]
    for title in titles:
        shell.item(title)
    for line in shell.ok("item", "list").out.splitlines()[2:]:
        short, title = line.split()[0], line.partition("Task")[2].split()[0]
        assert shell.json("item", "show", short)["title"] == f"Task {title}"


@pytest.mark.parametrize(
    ("given", "name"), [("0190a", "ValidationError"), ("checkout", "ValidationError"), ("0190aa", "NotFoundError")]
)
def test_what_is_no_id_is_reported_apart_from_one_that_is_not_there(shell: Shell, given: str, name: str) -> None:
    assert shell.error("item", "show", given)["error"] == name


def test_metadata_is_given_as_an_object_and_key_by_key(shell: Shell) -> None:
    item = shell.item("Task", "--metadata", '{"priority":"low","team":"red"}', "-m", "priority=high", "-m", "estimated_hours=3")
    assert shell.json("item", "show", item)["metadata"] == {"priority": "high", "team": "red", "estimated_hours": 3}


def test_metadata_is_merged_and_null_removes(shell: Shell) -> None:
    item = shell.item("Task", "-m", "priority=high", "-m", "team=red")
    changed = shell.json("item", "update", item, "-m", "team=null", "-m", "note=a=b", "-m", 'flags={"x":[1]}')
    assert changed["metadata"] == {"priority": "high", "note": "a=b", "flags": {"x": [1]}}


@pytest.mark.parametrize("wrong", [("--metadata", "[1]"), ("--metadata", "{"), ("-m", "priority"), ("-m", "priority=soon")])
def test_metadata_that_makes_no_sense_is_refused(shell: Shell, wrong: tuple[str, str]) -> None:
    error = shell.error("item", "create", "Task", *wrong)
    assert error["error"] == "ValidationError"
    assert error["details"]["field"].startswith("metadata")
    assert shell.json("item", "list")["total_count"] == 0


def test_an_update_without_a_version_means_the_present_one(shell: Shell) -> None:
    item = shell.item("Task")
    shell.ok("item", "update", item, "--title", "Two")
    assert shell.json("item", "update", item, "--status", "completed")["version"] == 3


def test_an_update_of_a_stale_version_is_refused(shell: Shell) -> None:
    item = shell.item("Task")
    shell.ok("item", "update", item, "--title", "Two", "--by", "bob")
    error = shell.error("item", "update", item, "--title", "Mine", "--version", "1")
    assert error["error"] == "VersionMismatchError"
    assert (error["details"]["expected_version"], error["details"]["actual_version"]) == (1, 2)
    assert "version mismatch" in shell.run("item", "update", item, "--title", "Mine", "--version", "1").err


def test_people_who_change_one_item_at_once_all_have_their_say(shell: Shell) -> None:
    item = shell.item("Task")
    started = [shell.start("item", "update", item, "-m", f"k{number}={number}") for number in range(4)]
    assert [process.wait(60) for process in started] == [0] * 4
    for process in started:
        process.communicate()
    assert shell.json("item", "show", item)["metadata"] == {f"k{number}": number for number in range(4)}


def test_fields_are_cleared(shell: Shell) -> None:
    parent = shell.item("Above", "-t", "project")
    item = shell.item("Task", "--parent", parent, "--branch", "main")
    changed = shell.json("item", "update", item, "--clear", "branch_name", "--clear", "parent_id")
    assert {"branch_name", "parent_id"}.isdisjoint(changed)
    assert shell.json("item", "show", item)["depth"] == 0
    assert shell.error("item", "update", item, "--clear", "title")["details"]["field"] == "clear[0]"
    assert shell.error("item", "update", item, "--clear", "colour")["error"] == "ValidationError"


def test_a_deleted_item_comes_back(shell: Shell) -> None:
    item = shell.item("Task")
    shell.ok("item", "delete", item)
    assert shell.json("item", "list")["items"] == []
    assert "deleted" in shell.ok("item", "list", "--deleted").out
    assert shell.error("item", "update", item, "--title", "x")["error"] == "InvalidStateError"
    shell.ok("item", "undelete", item)
    assert shell.json("item", "list")["total_count"] == 1


def test_links_say_what_is_ready(shell: Shell) -> None:
    first, second = shell.item("First"), shell.item("Second")
    shell.ok("item", "link", second, first)
    assert [item["title"] for item in shell.json("item", "ready")["items"]] == ["First"]
    assert "waits for" in shell.ok("item", "show", second).out
    assert shell.error("item", "link", first, second)["error"] == "CycleError"
    shell.ok("item", "unlink", second, first)
    assert len(shell.json("item", "ready")["items"]) == 2


def test_of_two_claims_one_wins(shell: Shell) -> None:
    item = shell.item("Task")
    shell.ok("item", "claim", item, "--by", "ann")
    refused = shell.run("item", "claim", item, "--by", "bob")
    assert refused.status == 1
    assert "claimed by ann" in refused.err
    assert "`localfirst item ready`" in refused.err
    shell.ok("item", "release", item, "--by", "ann")
    shell.ok("item", "claim", item, "--by", "bob")


def test_comments_add_up(shell: Shell) -> None:
    item = shell.item("Task")
    shell.ok("item", "comment", item, "First", "--by", "bob")
    shell.ok("item", "comment", item, "-", typed="From a pipe\n")
    assert [one["body"] for one in shell.json("item", "comments", item)["items"]] == ["First", "From a pipe"]
    assert "bob" in shell.ok("item", "comments", item).out


def test_history_is_displayed_and_an_earlier_version_brought_back(shell: Shell) -> None:
    item = shell.item("Before")
    shell.ok("item", "update", item, "--title", "After", "--by", "bob")
    reported = shell.ok("item", "history", item).out
    assert any("bob" in line and "Before" in line and "After" in line for line in reported.splitlines())
    assert shell.json("item", "revert", item, "--to", "1")["title"] == "Before"
    assert [change["version"] for change in shell.json("item", "history", item)["changes"]] == [3, 2, 1]


def test_search_finds_words(shell: Shell) -> None:
    shell.item("Fix the shopping cart")
    shell.item("Write documentation")
    assert [item["title"] for item in shell.json("item", "search", "cart", "shopping")["items"]] == ["Fix the shopping cart"]
    assert "Nothing found" in shell.ok("item", "search", "zebra").out


def test_titles_of_others_cannot_steer_the_terminal(shell: Shell) -> None:
    title = "\x1b[2J[bold red]Danger[/] :smile:\x07"
    assert shell.error("item", "create", title)["error"] == "ValidationError"
    item = shell.item("x")
    replica = connect(shell.replica)
    replica.execute("UPDATE work_items SET title = ? WHERE id = ?", (title, item))  # of a server that took it once
    replica.close()
    displayed = shell.ok("item", "list").out
    assert "\x1b" not in displayed
    assert "[bold red]Danger[/] :smile:" in displayed


def test_the_fields_that_trackers_have_are_options(shell: Shell) -> None:
    first = shell.json(
        "item", "create", "First", "-p", "urgent", "-l", "a", "-l", "b", "--assignee", "ann", "--due", "2026-12-24"
    )
    shell.json("item", "create", "Second", "--dep", first["ref"], "--start", "2026-01-01", "-d", "It *waits*.")
    changed = shell.json("item", "update", first["ref"], "--add-label", "c", "--remove-label", "a", "-p", "low")["metadata"]
    assert (changed["labels"], changed["priority"], changed["due_on"]) == (["b", "c"], "low", "2026-12-24")
    for options in (("-l", "b"), ("--assignee", "ann"), ("-p", "low")):
        assert [one["title"] for one in shell.json("item", "list", *options)["items"]] == ["First"]
    shell.json("item", "claim", first["ref"], "--by", "bob")
    assert [one["title"] for one in shell.json("item", "list", "--claimed-by", "bob")["items"]] == ["First"]
    assert shell.json("item", "ready")["items"] == []
    assert [one["title"] for one in shell.json("item", "ready", "--claimed", "-l", "b")["items"]] == ["First"]
    assert shell.json("item", "list", "--since", "2100-01-01T00:00:00Z")["items"] == []
