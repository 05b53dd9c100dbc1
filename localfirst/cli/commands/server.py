"""`localfirst server`: what an administrator does in PostgreSQL for everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from localfirst_schema.errors import ValidationError
from localfirst_schema.values import check_text

from localfirst import settings, terminal
from localfirst.cli import options, wording
from localfirst.cli.command import print_json
from localfirst.cli.group import add_group
from localfirst.log import log_to_file

if TYPE_CHECKING:
    from localfirst_sync.postgres.connection import Connection
    from localfirst_sync.postgres.rights import Grade


def migrate(as_json: options.AsJson = False) -> None:
    """Bring the schema up to date, and its owner and everybody's rights into order."""
    from localfirst_sync.postgres import migrate as migration
    from localfirst_sync.postgres import rights

    with _server() as connection:
        applied = migration.migrate(connection)
        rights.secure(connection)
        owner = rights.standing(connection).owner
    assert owner is not None
    if as_json:
        print_json({"success": True, "warnings": [], "applied": applied, "owner": owner.name})
        return
    terminal.say(f"{wording.count(applied, 'migration')} carried out." if applied else "The schema is up to date.")
    if owner.can_log_in or owner.is_superuser:
        terminal.note(
            f"The schema belongs to {owner.name}. `localfirst server migrate` by a role that may create roles gives it to"
            f" {rights.OWNER}, which cannot log in."
        )
    else:
        terminal.say(f"The schema belongs to {owner.name}.")


def grant(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="A role of PostgreSQL that is there.")],
    read_only: Annotated[bool, typer.Option("--read-only", help="It reads, and no more.")] = False,
    application: Annotated[
        bool, typer.Option("--application", help="It reads, and writes rows by SQL; it does not synchronise a replica.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Give a role the rights of a laptop, or fewer; what it had beyond that is taken away."""
    from localfirst_sync.postgres import rights

    if read_only and application:
        raise ValidationError("options", "give one of --read-only and --application, not both")
    grade: Grade = "reader" if read_only else "application" if application else "laptop"
    with _server() as connection:
        left = rights.grant(connection, role, grade)
    if as_json:
        print_json({"success": not left, "warnings": [], "role": role, "grade": grade, "left_to_grant": left})
    else:
        what = {"reader": "reads", "application": "reads and writes rows by SQL", "laptop": "synchronises replicas"}[grade]
        terminal.say(f"{role} {what}, in tables of later versions too.")
        for statement in left:
            terminal.note(f"The database's owner has to run: {statement}")
    if left:
        raise typer.Exit(1)


def create_role(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the new role is called.")],
    project: Annotated[list[str], typer.Option("--project", metavar="P", help="A project that it is for. Repeatable.")],
    read_only: Annotated[bool, typer.Option("--read-only", help="It reads, and no more.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Make a login role that sees and writes these projects alone, and print its address with the password this once."""
    from localfirst_sync.postgres import migrate as migration
    from localfirst_sync.postgres import restricted

    for one in project:
        if not 1 <= len(one) <= 200:
            raise ValidationError("--project", "must have 1 to 200 characters")
        check_text("--project", one)
    with _server() as connection:
        migration.migrate(connection)
        names = list(dict.fromkeys(project))
        made = restricted.create(connection, _url(), name, names, is_reader=read_only)
    if as_json:
        print_json({
            "success": True, "warnings": [], "role": made.role, "database_url": made.database_url,
            "projects": made.projects, "left_to_grant": made.left_to_grant,
        })  # fmt: skip
        return
    terminal.say(made.database_url)
    terminal.note(f"{made.role} {'reads' if read_only else 'reads and writes'} {', '.join(made.projects)}, and nothing else.")
    for statement in made.left_to_grant:
        terminal.note(f"The database's owner has to run: {statement}")


def rename_project(
    old: Annotated[str, typer.Argument(metavar="OLD", help="What the project is called now.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="What it is called from now on.")],
    as_json: options.AsJson = False,
) -> None:
    """Give a project another name; its id and rows stay, and laptops learn the name by themselves."""
    from localfirst_sync.postgres import migrate as migration
    from localfirst_sync.postgres import rename

    with _server() as connection:
        migration.migrate(connection)
        done = rename.rename(connection, old, new)
    if as_json:
        print_json({"success": True, "warnings": [], "project_id": done.id, "old": done.old, "project": done.new})
    elif done.old == done.new:
        terminal.say(f"The project is called {done.new} already.")
    else:
        terminal.say(f"The project {done.old} is called {done.new} now.")


def delete_project(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the project is called on the server.")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete it without the question.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where its rows are written before (else beside you).")
    ] = None,
    no_export: Annotated[bool, typer.Option("--no-export", help="Write nothing before.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Delete a project from the server, with its history and its code; laptops keep what they have, and send it no more."""
    from localfirst.cli.commands.project_deletion import delete

    if no_export and output is not None:
        raise ValidationError("options", "give one of --output and --no-export, not both")
    with _server() as connection:
        delete(connection, name, is_agreed=yes, output=output, exports=not no_export, as_json=as_json)


@contextmanager
def _server() -> Iterator[Connection]:
    from localfirst_sync.postgres.connection import close_quietly, connect

    log_to_file()
    connection = connect(_url())
    try:
        yield connection
    finally:
        close_quietly(connection)


def _url() -> str:
    url = settings.load_of_server().database_url
    if url is None:
        raise ValidationError("LOCALFIRST_DATABASE_URL", "names no server; set it to the connection string of an administrator")
    return url


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    commands: dict[str, Callable[..., None]] = {
        "migrate": migrate,
        "grant": grant,
        "rename-project": rename_project,
        "delete-project": delete_project,
    }
    group = add_group(app, "server", "Set PostgreSQL up: its schema, who may do what, and its projects.", commands)
    add_group(group, "role", "Login roles for some projects alone.", {"create": create_role})
