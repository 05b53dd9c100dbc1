"""What a person does every day, in one short command each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cli.shell import Shell

Row = dict[str, object]


def add(shell: Shell, *words: str) -> str:
    """The new item's ref."""
    return str(shell.json("add", *words)["ref"])


def titles(shell: Shell, *words: str) -> list[object]:
    """What such a list has."""
    return [one["title"] for one in shell.json(*words)["items"]]


def test_a_title_needs_no_quotes(shell: Shell) -> None:
    item = shell.json("add", "Write", "the", "parser", "-p", "high", "-l", "core", "-l", "beta", "-d", "It reads *all* of it.")
    assert (item["title"], item["item_type"]) == ("Write the parser", "task")
    metadata = shell.json("show", item["ref"])["metadata"]
    assert (metadata["priority"], sorted(metadata["labels"])) == ("high", ["beta", "core"])
    assert metadata["description"] == "It reads *all* of it."


def test_what_waits_is_not_ready_until_the_other_is_done(shell: Shell) -> None:
    first = add(shell, "First")
    second = add(shell, "Second", "--dep", first)
    assert titles(shell, "ready") == ["First"]
    out = shell.ok("done", first).out
    assert f"Completed task {first} “First”" in out
    assert f"Now ready: {second} “Second”" in out
    assert titles(shell, "ready") == ["Second"]


def test_several_are_done_at_once_children_first(shell: Shell) -> None:
    parent = add(shell, "Parent")
    child = add(shell, "Child", "--parent", parent)
    result = shell.json("done", parent, child)
    assert [one["title"] for one in result["items"]] == ["Child", "Parent"]
    assert result["unblocked"] == []


def test_of_several_one_that_is_unknown_stops_all_before_any_is_changed(shell: Shell) -> None:
    first = add(shell, "First")
    refused = shell.run("done", first, "zzzzzz")
    assert (refused.status, "zzzzzz" in refused.err) == (1, True)
    assert shell.json("show", first)["status"] == "active"


def test_where_one_of_several_cannot_be_done_those_before_it_are_named(shell: Shell) -> None:
    first, parent = add(shell, "First"), add(shell, "Parent")
    add(shell, "Child", "--parent", parent)
    refused = shell.run("done", first, parent)
    assert (refused.status, f"Done before that: {first}." in refused.err) == (1, True)
    assert shell.json("show", first)["status"] == "completed"


def test_start_takes_items_on(shell: Shell) -> None:
    refs = [add(shell, "One"), add(shell, "Two")]
    started = shell.json("start", *refs, "--by", "ann")["items"]
    assert [str(one["claimed_by"]).split("/")[0] for one in started] == ["ann", "ann"]


def test_the_tree_leaves_out_what_is_done_unless_asked_for(shell: Shell) -> None:
    parent = add(shell, "Parent")
    add(shell, "Open", "--parent", parent)
    shell.ok("done", add(shell, "Finished", "--parent", parent))
    assert [child["title"] for child in shell.json("tree")["items"][0]["children"]] == ["Open"]
    assert len(shell.json("tree", "--all")["items"][0]["children"]) == 2
    out = shell.ok("tree", parent).out
    assert "└─ " in out
    assert "Finished" in out


def test_nothing_is_a_tree_as_well(shell: Shell) -> None:
    assert "No work items" in shell.ok("tree").out
    assert shell.json("tree")["items"] == []


def editor(folder: Path, script: str) -> dict[str, str]:
    """An environment whose editor carries out this line of the shell on the file, `$1`."""
    program = folder / "editor.sh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    return {"EDITOR": str(program), "VISUAL": ""}


def test_title_and_description_are_edited(shell: Shell, tmp_path: Path) -> None:
    ref = add(shell, "Old title", "-d", "old words")
    shell.more |= editor(tmp_path, "printf 'New title\\n\\nnew\\nwords\\n' > \"$1\"")
    shell.ok("edit", ref)
    item = shell.json("show", ref)
    assert (item["title"], item["metadata"]["description"], item["version"]) == ("New title", "new\nwords", 2)


def test_an_edit_that_changes_nothing_writes_nothing(shell: Shell, tmp_path: Path) -> None:
    ref = add(shell, "Title")
    shell.more |= editor(tmp_path, "true")
    shell.ok("edit", ref)
    assert shell.json("show", ref)["version"] == 1


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 3", "ended with status 3"),
        (": > \"$1\"", "first line"),
        ("{localfirst} item update {ref} --title Theirs >&2; printf 'Mine\\n' > \"$1\"", "version mismatch"),
    ],
    ids=["the editor fails", "no title", "somebody else was faster"],
)  # fmt: skip
def test_an_edit_that_fails_changes_nothing_and_keeps_what_was_typed(
    shell: Shell, tmp_path: Path, script: str, words: str
) -> None:
    ref = add(shell, "Title")
    program = script.replace("{localfirst}", f"{sys.executable} -m localfirst").replace("{ref}", ref)
    shell.more |= editor(tmp_path, program) | {"TMPDIR": str(tmp_path)}
    failed = shell.run("edit", ref)
    assert (failed.status, words in failed.err) == (1, True), failed.err
    if script == "exit 3":
        assert "is kept in" not in failed.err, "nothing was typed"
    else:
        assert Path(failed.err.split("is kept in ")[1].split(".md")[0] + ".md").exists()
    assert shell.json("show", ref)["title"] in ("Title", "Theirs")
