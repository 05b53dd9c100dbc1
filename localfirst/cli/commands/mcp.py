"""`localfirst mcp`: the MCP server. Without further arguments the program takes a shorter way to it (`localfirst.__main__`)."""

from __future__ import annotations

import os
from typing import Annotated

import typer


def mcp(
    root: Annotated[
        str | None, typer.Option("--root", metavar="DIR", help="The directory whose project it is; also LOCALFIRST_ROOT.")
    ] = None,
    tools: Annotated[
        str | None,
        typer.Option(
            "--tools", metavar="NAMES", help="all, core, or names of tools and groups with commas; also LOCALFIRST_TOOLS."
        ),
    ] = None,
) -> None:
    """Serve this directory's project to an MCP client over standard input and output."""
    if root is not None:
        os.environ["LOCALFIRST_ROOT"] = root  # the session is opened later, and more than once
    if tools is not None:
        os.environ["LOCALFIRST_TOOLS"] = tools
    from localfirst.mcp_server.main import main

    main()


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("mcp")(mcp)
