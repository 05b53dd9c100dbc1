"""A command that has commands of its own, such as `localfirst item`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import typer

from localfirst.cli import options


def add_group(
    app: typer.Typer,
    name: str,
    words: str,
    commands: Mapping[str, Callable[..., None]],
    *,
    alone: Callable[..., None] | None = None,
) -> typer.Typer:
    """Adds the group to the program, and returns it; `words` is its help, in one sentence.

    Named alone, the group shows its help, or does what its command `alone` does, which takes `as_json` and needs nothing else.
    """
    group = typer.Typer(no_args_is_help=alone is None, invoke_without_command=alone is not None)
    if alone is not None:
        group.callback()(_callback(alone))
    for own_name, function in commands.items():
        group.command(own_name)(function)
    app.add_typer(group, name=name, help=words)
    return group


def _callback(alone: Callable[..., None]) -> Callable[..., None]:
    def callback(context: typer.Context, as_json: options.AsJson = False) -> None:
        if context.invoked_subcommand is None:
            alone(as_json=as_json)

    return callback
