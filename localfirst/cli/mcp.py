"""`localfirst mcp`: the MCP server. Without further arguments the program takes a shorter way to it (`localfirst.__main__`)."""

from __future__ import annotations

import typer


def mcp() -> None:
    """Serve this directory's project to an MCP client over standard input and output."""
    from localfirst.mcp_server.main import main

    main()


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("mcp")(mcp)
