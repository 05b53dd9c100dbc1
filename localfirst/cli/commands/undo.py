"""`localfirst undo`: the last act of the command line is taken back.

What counts is the last command that changed something, by the same user (or LOCALFIRST_CLIENT), on this replica. What an agent
did is taken back by that agent's own session.
"""

from __future__ import annotations

import typer
from localfirst_schema.entities import ENTITY

from localfirst import terminal
from localfirst.cli import options, wording
from localfirst.cli.command import Command, Result, command, given

_VERBS = {"deleted": "Deleted", "undeleted": "Brought back", "changed": "Set back"}


def undo(by: options.By = None, as_json: options.AsJson = False) -> None:
    """Take back what your last command changed; once more does it again."""
    with command(as_json=as_json) as this:
        this.answer(this.run("undo", **given(updated_by=by)), lambda result: _view(this, result))


def _view(this: Command, result: Result) -> None:
    for change in result["undone"]:
        what = f"{change['entity'].replace('_', ' ')} {this.short(ENTITY[change['entity']], change['id'])}"
        title = f" “{change['title']}”" if change["title"] else ""
        fields = f": {', '.join(change['fields'])}" if change["what"] == "changed" and change["fields"] else ""
        terminal.say(f"{_VERBS[change['what']]} {what}{title} (version {change['version']}){fields}.")
    if (more := result["undone_count"] - len(result["undone"])) > 0:
        terminal.note(f"And {wording.count(more, 'more change')}.")


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("undo")(undo)
