"""`localfirst token`: who may reach the server through `localfirst serve`, made where PostgreSQL is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from localfirst_schema.errors import ValidationError
from localfirst_schema.values import check_text

from localfirst import settings, terminal
from localfirst.cli import options
from localfirst.cli.command import print_json
from localfirst.cli.group import add_group
from localfirst.log import log_to_file
from localfirst.terminal import Column

if TYPE_CHECKING:
    from localfirst_sync.postgres.connection import Connection
    from localfirst_sync.postgres.tokens import Made, Token

TokenId = Annotated[str, typer.Argument(metavar="ID", help="The token's id, as `localfirst token list` shows it.")]


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is: it stands in the history.")],
    project: Annotated[
        list[str],
        typer.Option("--project", metavar="P", help="A project that it is for; it need not be there yet. Repeatable."),
    ],
    read_only: Annotated[bool, typer.Option("--read-only", help="It reads, and no more.")] = False,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="SPAN", help="When it ends, 90d, 12h, 30m or 45s from now. (default: never)"),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Make a token, which is printed this once: of its secret only a hash is kept."""
    from localfirst_sync import token as token_form
    from localfirst_sync.postgres import tokens

    _check("NAME", name, 100)
    for one in project:
        _check("--project", one, 200)
    span = None
    if expires is not None and (span := token_form.span(expires)) is None:
        raise ValidationError("--expires", "must be a number with s, m, h or d, such as 90d")
    with _server() as connection:
        made = tokens.create(connection, name, list(dict.fromkeys(project)), "read" if read_only else "write", span)
    _show_made(made, as_json=as_json)


def listed(as_json: options.AsJson = False) -> None:
    """List all tokens; never their secrets."""
    from localfirst_sync.postgres import tokens

    with _server() as connection:
        found = tokens.listed(connection)
    if as_json:
        print_json({"success": True, "warnings": [], "tokens": [_displayed(token) for token in found]})
        return
    columns = [Column("Id", "id"), Column("Name", "text"), Column("Projects", "text"), Column("Access", "word"),
               Column("Expires", "faint"), Column("Last used", "faint"), Column("Revoked", "faint")]  # fmt: skip
    rows = [
        (one.id, one.name, ", ".join(one.projects), one.access, one.expires_at, one.last_used_at, one.revoked_at)
        for one in found
    ]
    terminal.table(columns, rows)


def revoke(token_id: TokenId, as_json: options.AsJson = False) -> None:
    """End a token: nobody gets anything with it from now on."""
    from localfirst_sync.postgres import tokens

    with _server() as connection:
        ended = tokens.revoke(connection, token_id)
    if as_json:
        print_json({"success": True, "warnings": [], **_displayed(ended)})
    else:
        terminal.say(f"The token {ended.id} ({ended.name}) is revoked.")


def rotate(token_id: TokenId, as_json: options.AsJson = False) -> None:
    """Make another token in the place of one, which goes on for an hour."""
    from localfirst_sync.postgres import tokens

    with _server() as connection:
        made = tokens.rotate(connection, token_id)
    _show_made(made, as_json=as_json)


def _show_made(made: Made, *, as_json: bool) -> None:
    if as_json:
        displayed = _displayed(made.token)
        kept = ("id", "name", "projects", "access", "expires_at")
        print_json({"success": True, "warnings": [], "token": made.secret} | {name: displayed[name] for name in kept})
        return
    terminal.say(made.secret)
    terminal.note(f"Keep it: it is not printed again. On the laptop: localfirst login URL. Its id is {made.token.id}.")


def _displayed(token: Token) -> dict[str, Any]:
    return token._asdict()


def _check(field: str, text: str, longest: int) -> None:
    if not 1 <= len(text) <= longest:
        raise ValidationError(field, f"must have 1 to {longest} characters")
    check_text(field, text)


@contextmanager
def _server() -> Iterator[Connection]:
    from localfirst_sync.postgres import migrate
    from localfirst_sync.postgres.connection import close_quietly, connect

    log_to_file()
    url = settings.load_of_server().database_url
    if url is None:
        raise ValidationError("LOCALFIRST_DATABASE_URL", "names no PostgreSQL; tokens are made where it is")
    connection = connect(url)
    try:
        migrate.migrate(connection)
        yield connection
    finally:
        close_quietly(connection)


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    commands: dict[str, Callable[..., None]] = {"create": create, "list": listed, "revoke": revoke, "rotate": rotate}
    add_group(app, "token", "Tokens for laptops that reach the server through `localfirst serve`.", commands)
