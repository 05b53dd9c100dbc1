"""In an outage the status file holds what several processes wrote, and what was written before the outage was known."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cli.shell import Shell
from migration.project_on_disk import Project, call
from reading.world import nobody_there

from localfirst.client.session import Session
from localfirst.markdown.parse import parse

ROUNDS = int(os.environ.get("LOCALFIRST_TEST_ROUNDS", "40"))
"""1 000 for a thorough run; a few are enough to meet an older state of the store."""


def _writer(folder: str, url: str, name: str, rounds: str) -> None:
    """One process: at each line of its standard input it writes one item."""
    session = Session(Project(Path(folder)).settings()._replace(database_url=url))
    assert session.link is not None
    assert not session.link.is_online()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for turn in range(int(rounds)):
        sys.stdin.readline()
        written = call(session, "create_work_item", item_type="task", title=f"{name} {turn}")
        sys.stdout.write(f"{written['wrote_to_markdown']}\n")
        sys.stdout.flush()
    session.close()


def test_two_writers_at_one_moment_are_both_in_the_file(tmp_path: Path) -> None:
    project, url = Project(tmp_path / "project"), nobody_there()
    start = "import sys; from markdown.test_markdown_writers import _writer; _writer(*sys.argv[1:])"
    start = start.replace("from markdown.", f"sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}; from ")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", start, str(project.folder), url, name, str(ROUNDS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in ("ann", "bob")
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for turn in range(ROUNDS):
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        said = [writer.stdout.readline() for writer in writers if writer.stdout is not None]
        assert said == ["True\n", "True\n"]
        titles = {item.title for item in parse(project.file.read_text()).work_items}
        assert {f"ann {turn}", f"bob {turn}"} <= titles
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0


def test_what_a_command_wrote_before_it_knew_of_the_outage_is_in_the_file_by_its_end(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {"LOCALFIRST_DATABASE_URL": nobody_there()})
    shell.ok("item", "create", "Written in an outage")
    [item] = parse((shell.project / ".project_status.md").read_text()).work_items
    assert item.title == "Written in an outage"
