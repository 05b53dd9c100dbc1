"""`localfirst migrate`: a legacy `.project_status.md`, brought into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from localfirst.cli import options


def migrate(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="PATH", help="The status file; needed unless --report is given.", show_default=False),
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option("--prompts", metavar="DIR", help="The folder of session prompts in files of their own.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything except writing.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Show the last migration's report; change nothing.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Bring a .project_status.md into the project's store: all of it, or nothing."""
    from localfirst.migration import program

    if path is None and not report:
        # Not the checkout's by itself: a file that a person names may be a link, one that a checkout has may lead anywhere.
        raise typer.BadParameter("name the status file, such as .project_status.md.", param_hint="PATH")
    if report:
        status = program.show_earlier(path, prompts, as_json=as_json, indent=0)
    else:
        assert path is not None
        status = program.bring_in(path, prompts, dry_run=dry_run, as_json=as_json, indent=0)
    raise typer.Exit(status)


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("migrate")(migrate)
