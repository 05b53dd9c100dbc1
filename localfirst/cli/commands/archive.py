"""`localfirst archive`: old work items leave the lists."""

from __future__ import annotations

from typing import Annotated

import typer

from localfirst import terminal
from localfirst.cli import options, wording
from localfirst.cli.command import Result, command, given


def archive(
    days: Annotated[
        int | None, typer.Option("--older-than-days", metavar="DAYS", help="Items created longer ago than this. (default: 365)")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Archive old work items: they leave the lists and stay readable."""
    with command(as_json=as_json) as this:
        this.answer(this.run("trigger_archiving", **given(older_than_days=days)), _archived)


def _archived(result: Result) -> None:
    number = result["archived_count"]
    terminal.say(f"Archived {wording.count(number, 'work item')}." if number else "Nothing is old enough to be archived.")


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("archive")(archive)
