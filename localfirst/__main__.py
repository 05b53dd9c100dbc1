"""The program `localfirst`. `localfirst mcp` takes a short way in: a person waits for an MCP server to start."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command that the arguments name."""
    if sys.argv[1:] == ["mcp"]:
        from localfirst.mcp_server.main import main as serve

        serve()
    from localfirst.cli.app import run

    run()


if __name__ == "__main__":
    main()
