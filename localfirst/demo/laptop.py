"""One laptop of the demo: a folder, a replica, a cable, and a real MCP server that a real MCP client talks to."""

from __future__ import annotations

import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from localfirst.demo.cable import Cable

PROJECT = "demo/insurance-commissions"


class ToolError(Exception):
    """A tool answered with an error: the contract's `{error, message, details}`."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__(content["message"])
        self.content = content


class Laptop:
    """Use it as an asynchronous context: it starts its MCP server, and stops it."""

    def __init__(self, name: str, folder: Path, server_socket: Path, database: str) -> None:
        self.name = name
        self.folder = folder
        folder.mkdir()
        self.cable = Cable(folder, server_socket)
        self.replica = folder / "replica.sqlite3"
        self.environment = {
            **os.environ,
            "LOCALFIRST_PROJECT": PROJECT,
            "LOCALFIRST_REPLICA": str(self.replica),
            "LOCALFIRST_CLIENT": f"agent on {name}",
            "LOCALFIRST_DATABASE_URL": f"postgresql://postgres@/{database}?host={folder}",
        }
        self._stack = AsyncExitStack()
        self._client: Client

    async def __aenter__(self) -> Self:
        """Plugs the cable in and starts the server."""
        await self.cable.plug_in()
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "localfirst", "mcp"], env=self.environment, cwd=self.folder
        )
        self._client = await self._stack.enter_async_context(Client(stdio_client(server)))
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Stops the server and pulls the cable."""
        await self._stack.aclose()
        await self.cable.cut()

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """One tool call. Raises ToolError."""
        answer = await self._client.call_tool(tool, arguments)
        content: dict[str, Any] = answer.structured_content or {}
        if answer.is_error:
            raise ToolError(content)
        return content
