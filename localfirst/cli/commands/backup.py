"""`localfirst backup`: a copy of the replica, made while everybody works."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from localfirst_schema import timestamps

from localfirst import terminal
from localfirst.cli import options, wording
from localfirst.cli.command import Result, command
from localfirst.replica.backup import back_up


def backup(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to write it; without this, beside the replica.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Copy the replica: every row with its history, unsent changes, the code index."""
    with command(as_json=as_json) as this:
        replica = this.session.settings.replica
        target = file or replica.with_name(f"{replica.name}.backup-{timestamps.now().replace(':', '')}")
        copy = back_up(this.session.replica, target.absolute())
        result = {"success": True, "warnings": [], **msgspec.to_builtins(copy)}
        this.answer(result, partial(_reported, has_server=this.session.link is not None))


def _reported(copy: Result, *, has_server: bool) -> None:
    held = [wording.count(copy["work_items"], "work item")]
    if copy["unsent_changes"] and has_server:
        held.append(wording.count(copy["unsent_changes"], "unsent change"))
    if copy["open_conflicts"]:
        held.append(wording.count(copy["open_conflicts"], "open conflict"))
    terminal.say(f"Copied to {copy['path']} ({copy['size'] / 1e6:.1f} MB: {', '.join(held)}).")
    terminal.say("`localfirst restore FILE` puts it back.")


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("backup")(backup)
