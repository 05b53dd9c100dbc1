"""`localfirst trust`: whether the settings file that came with a checkout counts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from localfirst_schema.errors import NotFoundError, ValidationError

from localfirst import settings, terminal
from localfirst.cli import options
from localfirst.cli.command import Result, print_json
from localfirst.log import log_to_file
from localfirst.settings import describe, trust
from localfirst.settings.load import Sources, directory, read_sources


def trust_file(
    show: Annotated[bool, typer.Option("--show", help="Only show what the file would set, and what is in force.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take it back: the file counts no more.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Allow this project's .localfirst.toml to set what it says, as long as it stays as it is now."""
    if show and revoke:
        raise ValidationError("--show", "cannot be combined with --revoke")
    log_to_file()
    sources = _sources()
    if revoke:
        trust.revoke(sources.root)
    elif not show:
        if sources.checkout is None:
            raise NotFoundError(f"there is no {settings.FILE_NAME} in {sources.root}: nothing is to be allowed.", entity="file")
        trust.allow(sources.root, sources.checkout.content)
    now = sources if show else _sources()
    result = _result(now)
    if as_json:
        print_json(result)
    else:
        _show(result)


def _sources() -> Sources:
    return read_sources(directory(None, os.environ), os.environ)


def _result(sources: Sources) -> Result:
    return {
        "success": True,
        "warnings": [],
        "root": str(sources.root),
        "file": str(sources.root / settings.FILE_NAME) if sources.checkout is not None else None,
        "allowed": sources.checkout is not None and trust.is_allowed(sources.root, sources.checkout.content),
        "settings": [one._asdict() for one in describe.in_file(sources)],
        "in_force": [one._asdict() for one in describe.in_force(sources)],
    }


def _show(result: Result) -> None:
    if result["file"] is None:
        terminal.say(f"There is no {settings.FILE_NAME} in {result['root']}.")
    else:
        is_allowed = "is allowed as it stands" if result["allowed"] else "is not allowed: only what can do no harm counts"
        terminal.say(f"{Path(result['file']).name} in {result['root']} {is_allowed}.", "bold")
        columns = [
            terminal.Column("setting", "id"),
            terminal.Column("value"),
            terminal.Column("counts", "word"),
            terminal.Column("why not"),
        ]
        rows = [(one["name"], one["value"], "yes" if one["counts"] else "no", one["why"] or "") for one in result["settings"]]
        if rows:
            terminal.table(columns, rows)
    if result["in_force"]:
        terminal.heading("In force")
        columns = [terminal.Column("setting", "id"), terminal.Column("value"), terminal.Column("from", "faint")]
        terminal.table(columns, [(one["name"], one["value"], one["origin"]) for one in result["in_force"]])
    if any(one["would_count"] and not one["counts"] for one in result["settings"]):
        terminal.note("`localfirst trust` allows the file as it is now; after any change of it you are asked again.")


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("trust")(trust_file)
