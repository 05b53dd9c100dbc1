"""`localfirst restore`: puts a copy in the replica's place, and keeps what stood there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from localfirst import settings, terminal
from localfirst.cli import options, wording
from localfirst.cli.command import print_json
from localfirst.log import log_to_file
from localfirst.replica.backup import restore as put_back


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A copy that `localfirst backup` made.")],
    even_if_unsent: Annotated[
        bool, typer.Option("--even-if-unsent", help="Also where the present replica has changes that were not sent.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Put a copy back; the present replica is renamed and kept, and what others did since comes with the next sync."""
    log_to_file()
    loaded = settings.load()
    # Where there is no server, nothing is ever sent: the file that is set aside keeps it all.
    is_allowed = even_if_unsent or not loaded.has_server
    done = put_back(file.absolute(), loaded.replica, project=loaded.project, even_if_unsent=is_allowed)
    if as_json:
        print_json({
            "success": True, "warnings": [], "replica": done.replica, "set_aside": done.set_aside,
            "work_items": done.copy.work_items, "unsent_changes": done.copy.unsent_changes,
            "odd_rows": done.copy.odd_rows,
        })  # fmt: skip
        return
    terminal.say(f"Restored {wording.count(done.copy.work_items, 'work item')} to {done.replica}.")
    if done.copy.unsent_changes and loaded.has_server:
        terminal.say(f"{wording.count(done.copy.unsent_changes, 'change')} in the copy will be sent, unless the server has it.")
    if done.copy.odd_rows:
        terminal.say(f"It holds rows that no tool would have written; they are kept: {'; '.join(done.copy.odd_rows[:5])}.")
    if done.set_aside:
        terminal.say(f"What stood there before is kept as {done.set_aside}.")


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("restore")(restore)
