"""`localfirst login`: keeps the token for a daemon in a private file of the user's."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from localfirst_schema.errors import ValidationError

from localfirst import terminal
from localfirst.cli import options
from localfirst.cli.command import print_json
from localfirst.log import log_to_file


def login(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where the daemon is: the value of LOCALFIRST_SERVER_URL.")],
    as_json: options.AsJson = False,
) -> None:
    """Keep the token for a server; it is asked for, or read from standard input, and tried."""
    from localfirst_sync.http.address import parse
    from localfirst_sync.http.line import Line
    from localfirst_sync.http.messages import TokenSeen
    from localfirst_sync.token import parse as parse_token

    from localfirst.settings.login import keep_token

    log_to_file()
    address = parse(url)
    given = _given()
    if parse_token(given) is None:
        raise ValidationError("token", "must have the form lf_ID_SECRET, as `localfirst token create` shows it")
    line = Line(address, given)
    try:
        seen = line.ask("GET", "/v1/token").message(TokenSeen)
    finally:
        line.close()
    keep_token(url, given)
    if as_json:
        found = {"id": seen.id, "name": seen.name, "projects": list(seen.projects), "access": seen.access}
        print_json({"success": True, "warnings": [], "url": str(address), **found})
        return
    may = "reads" if seen.access == "read" else "reads and writes"
    terminal.say(f"Logged in to {address} as {seen.name}: the token {may} {', '.join(seen.projects)}.")
    terminal.note(f"Set LOCALFIRST_SERVER_URL={address} for the projects that are there.")


def _given() -> str:
    if sys.stdin is not None and sys.stdin.isatty():
        return str(typer.prompt("Token", hide_input=True)).strip()
    return "" if sys.stdin is None else sys.stdin.readline(1000).strip()


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("login")(login)
