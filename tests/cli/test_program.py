"""The program as a whole: help, misuse, failures, terminals."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from code_index.workers import no_worker_left

import localfirst
from cli.shell import PROGRAM, Shell
from localfirst.cli.app import COMMANDS, build


def _every_command() -> list[tuple[str, ...]]:
    import typer

    return list(_below((), typer.main.get_command(build(COMMANDS))))


def _below(path: tuple[str, ...], command: Any) -> Iterator[tuple[str, ...]]:
    if not hasattr(command, "commands"):
        yield path
        return
    for name, own in command.commands.items():
        yield from _below((*path, name), own)


def test_the_version_is_reported(shell: Shell) -> None:
    assert shell.ok("--version").out == f"localfirst {localfirst.__version__}\n"


def test_help_lists_the_commands_in_order(shell: Shell) -> None:
    reported = shell.ok("--help").out
    places = [re.search(rf"^│ {name} ", reported, re.MULTILINE) for name in COMMANDS]
    assert all(places)
    assert [place.start() for place in places if place] == sorted(place.start() for place in places if place)


def test_commands_of_later_times_do_not_exist(shell: Shell) -> None:
    for name in ("board",):
        assert shell.run(name).status == 2


def test_every_command_has_help_in_one_sentence_and_json() -> None:
    import typer

    program = typer.main.get_command(build(COMMANDS))
    for path in _every_command():
        command = program
        for name in path:
            command = command.commands[name]  # type: ignore[attr-defined]
        help_ = command.help or ""
        assert help_.endswith("."), path
        assert help_.count(". ") == 0, path
        options = [option for parameter in command.params for option in parameter.opts]
        assert "--json" in options or path == ("mcp",), path
        assert all(getattr(parameter, "help", "x") for parameter in command.params), path


@pytest.mark.parametrize(
    "wrong", [("item", "create"), ("item", "list", "--colour"), ("itm",), ("item", "frob"), ("item", "list", "--limit", "x")]
)
def test_misuse_is_reported_in_a_sentence_with_status_2(shell: Shell, wrong: tuple[str, ...]) -> None:
    done = shell.run(*wrong)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("Error: ")
    assert "--help" in done.err


def test_misuse_is_reported_to_a_program_as_json(shell: Shell) -> None:
    done = shell.run("item", "list", "--colour", "--json")
    assert (done.status, done.err) == (2, "")
    assert done.json["error"] == "ValidationError"


def test_a_misspelt_command_is_guessed(shell: Shell) -> None:
    assert "'item'" in shell.run("itm").err


def test_a_rule_that_is_broken_is_reported_without_json_on_standard_error(shell: Shell) -> None:
    done = shell.run("item", "create", "", "--type", "task")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("Error: title")
    assert "at least 1" in done.err
    assert done.err.count("\n") == 1


def test_settings_that_make_no_sense_are_reported(shell: Shell) -> None:
    (shell.project / ".localfirst.toml").write_text("colour = 'red'\n")
    assert "colour" in shell.run("item", "list").err


def test_an_error_that_nobody_foresaw_is_a_sentence_and_a_traceback_in_the_log(shell: Shell) -> None:
    shell.item("Task")
    # Text where the program has only ever written JSON.
    import apsw

    connection = apsw.Connection(str(shell.replica))
    connection.execute("UPDATE work_items SET metadata = 'not json'")
    connection.close()
    done = shell.run("item", "list")
    assert done.status == 1
    assert done.err.startswith("Error: localfirst met an error that it cannot explain; see the log at ")
    log = done.err.strip().rpartition(" at ")[2].rstrip(".")
    with open(log) as file:  # noqa: PTH123
        assert "Traceback" in file.read()
    assert shell.run("item", "list", "--json").json["error"] == "UnavailableError"


def test_a_replica_that_cannot_be_written_is_reported(shell: Shell) -> None:
    shell.more["LOCALFIRST_REPLICA"] = "/dev/null/replica.sqlite3"
    done = shell.run("item", "create", "Nowhere to go")
    assert done.status == 1
    assert "LOCALFIRST_REPLICA" in done.err
    assert "from the status file" in shell.ok("item", "list").err


def test_a_reader_that_goes_away_is_no_error(shell: Shell) -> None:
    for number in range(3):
        shell.item(f"Task {number}")
    reading, writing = os.pipe()
    os.close(reading)
    process = shell.start("export", stdout=writing)
    os.close(writing)
    assert process.communicate(timeout=60)[1] == ""


@pytest.mark.parametrize(
    "arguments", [("item", "list", "--json"), ("item", "list"), ("status",), ("item", "show", "nope", "--json"), ("--version",)]
)
def test_an_output_that_takes_nothing_is_named_in_one_sentence(shell: Shell, arguments: tuple[str, ...]) -> None:
    shell.item("Task")
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        process = shell.start(*arguments, stdout=full)
        said = process.communicate(timeout=60)[1]
    assert (said, process.returncode) == ("Error: standard output cannot be written: the disk is full.\n", 1)


def test_an_output_that_is_closed_is_named_before_anything_is_done(shell: Shell) -> None:
    for command in ("item list", "item list --json", "item create Task", "--version"):
        program = shlex.join(PROGRAM)
        closed = subprocess.run(
            ["sh", "-c", f"{program} {command} >&-"],
            cwd=shell.project, env=shell.environment(), stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        said = "Error: standard output is closed: let it lead to a terminal, a file or a program.\n"
        assert (closed.stderr, closed.returncode) == (said, 1)
    assert shell.json("item", "list")["total_count"] == 0


def test_a_current_directory_that_is_gone_is_said(shell: Shell) -> None:
    gone = shell.project / "gone"
    gone.mkdir()
    program = shlex.join(PROGRAM)
    done = subprocess.run(
        ["sh", "-c", f"rmdir {shlex.quote(str(gone))}; exec {program} item list"],
        cwd=gone, env=shell.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "Error: the current directory does not exist any more: change to one that is there.\n"


def _on_a_terminal(shell: Shell, *arguments: str) -> str:
    ours, theirs = pty.openpty()
    environment = {**shell.environment(), "TERM": "xterm-256color"}
    process = subprocess.Popen([*PROGRAM, *arguments], cwd=shell.project, env=environment, stdout=theirs, stderr=theirs)
    os.close(theirs)
    displayed = b""
    try:
        while piece := os.read(ours, 4096):
            displayed += piece
    except OSError:
        pass  # how Linux says that the other end is closed
    process.wait(60)
    os.close(ours)
    return displayed.decode()


def test_colours_are_for_terminals_and_not_for_those_who_want_none(shell: Shell) -> None:
    shell.item("Task")
    assert "\x1b[32mactive" in _on_a_terminal(shell, "item", "list")
    assert "\x1b" not in shell.ok("item", "list").out
    shell.more["NO_COLOR"] = "1"
    assert "\x1b[32m" not in _on_a_terminal(shell, "item", "list")


def test_a_character_that_the_terminal_does_not_know_is_no_error(shell: Shell) -> None:
    shell.item("Grüße ✓")
    shell.more["PYTHONIOENCODING"] = "ascii"
    assert "Gr" in shell.ok("item", "list").out
    assert shell.ok("item", "list", "--json").json["items"][0]["title"] == "Grüße ✓"


def test_a_group_that_has_one_thing_to_show_shows_it(shell: Shell) -> None:
    assert shell.ok("conflicts").out == shell.ok("conflicts", "list").out == "No conflicts are open.\n"
    assert shell.json("conflicts")["total_count"] == 0
    assert shell.ok("config").out == shell.ok("config", "show").out
    assert shell.json("config")["default_token_budget"] == 200_000
    assert shell.run("item").status == 2


def test_words_agree_with_their_numbers_and_sentences_begin_as_such(shell: Shell) -> None:
    shell.item("One")
    assert "1 work item," in shell.ok("doctor").out
    assert shell.ok("search", "anything").err == "Nothing is indexed here yet: `localfirst index PATH` does it.\n"


def test_an_index_is_forgotten_by_name_and_by_path(shell: Shell) -> None:
    (shell.project / "a.py").write_text("def parse_header(line):\n    return line\n")
    with no_worker_left(shell.replica):
        for given in ("project", "."):
            shell.ok("index")
            assert "parse_header" in shell.ok("search", "parse_header").out
            assert "Forgot the index of project" in shell.ok("index", "--forget", given).out
            assert shell.json("search", "parse_header")["results"] == []
        assert "nothing is indexed" in shell.run("index", "--forget", "project").err
        assert shell.error("index", ".", "--forget", "project")["details"]["field"] == "--forget"
