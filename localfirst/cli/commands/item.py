"""`localfirst item`: work items."""

from __future__ import annotations

import typer

from localfirst.cli.commands import item_changing, item_linking, item_reading, item_talking
from localfirst.cli.group import add_group


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    commands = item_reading.COMMANDS | item_changing.COMMANDS | item_linking.COMMANDS | item_talking.COMMANDS
    add_group(app, "item", "Projects, sessions, tasks and research: create, change, find and link them.", commands)
