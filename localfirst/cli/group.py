"""A command that has commands of its own, such as `localfirst item`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import typer


def add_group(app: typer.Typer, name: str, words: str, commands: Mapping[str, Callable[..., None]]) -> None:
    """Adds the group to the program; `words` is its help, in one sentence."""
    group = typer.Typer(no_args_is_help=True)
    for own_name, function in commands.items():
        group.command(own_name)(function)
    app.add_typer(group, name=name, help=words)
