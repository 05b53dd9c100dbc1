"""A command that has written: what fails afterwards is no failure of the command, but for output that nobody could read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cli.shell import Shell

BROKEN = {
    "what draws tables": "import rich.table\nrich.table.Table = None\nfrom localfirst import terminal\nterminal.out = None",
    "what names ids": "from localfirst.cli import ids\nids.shortest = None",
    "the end of the session": "from localfirst.client.session import Session\nSession.close = None",
    "what is still to be sent": "from localfirst.cli import command\ncommand._tell_unsent = None",
}
"""Parts of the program that are taken away: whoever calls them gets a TypeError."""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def run(shell: Shell, before: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = f"import sys\n{before}\nfrom localfirst.cli.app import run\nrun()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=shell.project,
        env=shell.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("json", [(), ("--json",)])
def test_a_write_that_could_not_be_displayed_is_done_and_no_failure(what: str, json: tuple[str, ...], shell: Shell) -> None:
    shell.ok("item", "list")
    done = run(shell, BROKEN[what], "item", "create", "Kept", *json)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done
    assert [item["title"] for item in shell.json("item", "list")["items"]] == ["Kept"]


def test_a_read_that_could_not_be_displayed_is_a_failure(shell: Shell) -> None:
    shell.item("Kept")
    assert run(shell, BROKEN["what draws tables"], "item", "list").returncode == 1
