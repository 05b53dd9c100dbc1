"""`localfirst config`: the project's configuration, which all who work on it share."""

from __future__ import annotations

from typing import Annotated

import typer
from localfirst_schema.entities import WORK_ITEM

from localfirst import terminal
from localfirst.cli import options, wording
from localfirst.cli.command import Result, cleared, command, given
from localfirst.cli.group import add_group


def show(as_json: options.AsJson = False) -> None:
    """Show the project's configuration."""
    with command(as_json=as_json) as this:
        this.answer(this.run("get_project_configuration"), _whole)


def set_(
    context: Annotated[
        str | None,
        typer.Option("--context", metavar="feature|maintenance|research", help="What the project is working on."),
    ] = None,
    session: Annotated[str | None, typer.Option("--session", metavar="ID", help="The current session item.")] = None,
    branch: Annotated[str | None, typer.Option("--branch", metavar="NAME", help="The git branch.")] = None,
    head: Annotated[str | None, typer.Option("--head", metavar="HASH", help="The git head, 40 hexadecimal digits.")] = None,
    budget: Annotated[
        int | None, typer.Option("--token-budget", metavar="N", help="The default token budget, 1000 to 1000000.")
    ] = None,
    clear: Annotated[
        list[str] | None, typer.Option("--clear", metavar="FIELD", help="Empty this field, for example git_branch. Repeatable.")
    ] = None,
    version: options.Version = None,
    by: options.By = None,
    as_json: options.AsJson = False,
) -> None:
    """Change the project's configuration."""
    with command(as_json=as_json) as this:
        changes = cleared(clear) | given(
            active_context_type=context,
            current_session_id=this.resolve(WORK_ITEM, session) if session is not None else None,
            git_branch=branch,
            git_head_commit=head,
            default_token_budget=budget,
            updated_by=by,
        )

        def present() -> int:
            return int(this.run("get_project_configuration")["version"])

        this.answer(this.run_on(version, present, "update_project_configuration", **changes), _whole)


def _whole(configuration: Result) -> None:
    healthy = {True: "healthy", False: "does not answer", None: None}[configuration["database_healthy"]]
    by = f" by {configuration['updated_by']}" if configuration["updated_by"] else ""
    terminal.fields(
        (
            ("context", configuration["active_context_type"]),
            ("current session", configuration["current_session_id"]),
            ("git branch", configuration["git_branch"]),
            ("git head", configuration["git_head_commit"]),
            ("token budget", f"{configuration['default_token_budget']:,}".replace(",", "\u202f")),
            ("version", configuration["version"]),
            ("updated", f"{wording.local_time(configuration['updated_at'])}{by}"),
            ("server", healthy),
        )
    )


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    words = "The project's configuration, which all who work on it share."
    add_group(app, "config", words, {"show": show, "set": set_}, alone=show)
