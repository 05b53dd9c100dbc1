"""`localfirst init`: begins a project's replica, and says how to connect an MCP client."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from localfirst import settings, terminal
from localfirst.cli import options
from localfirst.cli.command import Result, command
from localfirst.cli.settings_file import named, write_project
from localfirst.client.moving import move
from localfirst.settings.displayed import PASSWORD, TOKEN, displayed


def init(
    project: Annotated[
        str | None,
        typer.Option(
            "--project", metavar="NAME", help="Also write this name, shared by all who work on it, to .localfirst.toml."
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Create this directory's replica, and show how to connect an MCP client."""
    moved = None
    if project is not None:
        before = settings.load()
        named(before.root, project)  # what cannot be written there is said before anything is done
        moved = move(before, project)
        write_project(before.root, project)
    is_new = not settings.load().replica.exists()
    with command(as_json=as_json) as this:
        loaded = this.session.settings
        result: Result = {
            "success": True,
            "warnings": [],
            "created": is_new,
            "project": loaded.project,
            "project_id": this.session.project_id,
            "root": str(loaded.root),
            "replica": str(loaded.replica),
            "server": this.session.link.server() if this.session.link is not None else None,
            "mcp": client_settings(loaded.root, os.environ),
        } | ({"moved": moved.words} if moved is not None else {})
        this.answer(result, _welcome)


def client_settings(root: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """What an MCP client's settings have to say; with the settings that stand in this shell's environment alone.

    Secrets are left out of what is printed: `PASSWORD` and `TOKEN` stand in their places.
    """
    program = Path(sys.executable).with_name("localfirst")
    found = str(program) if program.exists() else shutil.which("localfirst")
    start = {"command": found, "args": ["mcp"]} if found else {"command": sys.executable, "args": ["-m", "localfirst", "mcp"]}
    names = {f"LOCALFIRST_{key.upper()}": key for key in settings.KEYS}
    given = {name: displayed(names[name], value) for name, value in sorted(environment.items()) if name in names and value}
    return {"mcpServers": {"localfirst": {**start, "cwd": str(root), **({"env": given} if given else {})}}}


def _welcome(result: Result) -> None:
    import json

    terminal.say("The replica is ready." if result["created"] else "The replica was there already.", "bold green")
    if "moved" in result:
        terminal.say(result["moved"])
    terminal.fields(
        (
            ("project", result["project"] or "local, without a name"),
            ("root", result["root"]),
            ("replica", result["replica"]),
            ("server", result["server"] or "none: everything stays on this machine"),
        )
    )
    if result["project"] is None:
        terminal.note(
            "To share the project, give it the same name everywhere: `localfirst init --project NAME`, or a git remote."
        )
    if result["server"] is None:
        terminal.note("To share it through PostgreSQL, set LOCALFIRST_DATABASE_URL.")
    terminal.heading("Connect an MCP client")
    snippet = json.dumps(result["mcp"], indent=2, ensure_ascii=False)
    terminal.say(snippet)
    if '"env"' in snippet:
        hint = "`env` repeats this shell's settings, since a client does not pass them on."
        secrets = [one for one in (PASSWORD, TOKEN) if one in snippet]
        terminal.note(hint + (f" Fill in {' and '.join(secrets)} yourself." if secrets else ""))
    else:
        terminal.note(
            "A client does not pass on what you set in a shell: settings like LOCALFIRST_DATABASE_URL belong into an `env`"
            f" beside `cwd`, or into your own {settings.own_file()}."
        )
    terminal.say("\nNext: `localfirst add …`, `localfirst status`, `localfirst doctor`.")


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("init")(init)
