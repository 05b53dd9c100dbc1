"""`localfirst prime`: what there is to know at the beginning."""

from __future__ import annotations

from typing import Annotated

import typer

from localfirst import terminal
from localfirst.cli import options
from localfirst.cli.command import Result, command, given
from localfirst.terminal import Column


def prime(
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="What changed since this time (RFC 3339).")
    ] = None,
    max_chars: Annotated[int, typer.Option("--max-chars", metavar="N", help="The length of the JSON.")] = 2000,
    as_json: options.AsJson = False,
) -> None:
    """Show what you hold, what others do, what is ready, and what has changed."""
    with command(as_json=as_json) as this:
        this.answer(this.run("prime", max_chars=max_chars, **given(since=since)), _view)


def _view(result: Result) -> None:
    terminal.fields(
        (
            ("project", result["project"]),
            ("root", result["root"]),
            ("online", result["online"]),
            ("waiting to be sent", result["pending_mutations"] or None),
            ("open conflicts", result["conflicts"] or None),
        )
    )
    for heading, name, more in (
        ("Yours", "claims", "claimed_until"),
        ("Lost", "lost_claims", "claimed_by"),
        ("Others work on", "others", "claimed_by"),
        ("Ready", "ready", "priority"),
        ("Changed", "changes", "what"),
    ):
        if rows := result[name]:
            terminal.heading(heading)
            terminal.table((Column("ref", "id"), Column("title"), Column(more.replace("_", " "), "faint")), _rows(rows, more))


def _rows(rows: list[Result], more: str) -> list[tuple[object, ...]]:
    return [(row["ref"], row["title"], row.get(more)) for row in rows]


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("prime")(prime)
