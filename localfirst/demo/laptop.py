"""One laptop of the demo: a folder, a replica, a cable, and a real MCP server that a real MCP client talks to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Self

import apsw
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from localfirst.code_index.worker import lease
from localfirst.demo.cable import Cable
from localfirst.demo.daemon import Daemon

PROJECT = "demo/insurance-commissions"


class ToolError(Exception):
    """A tool answered with an error: the contract's `{error, message, details}`."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__(content["message"])
        self.content = content


class Laptop:
    """Use it as an asynchronous context: it starts its MCP server, and stops it."""

    def __init__(self, name: str, folder: Path, server_socket: Path, database: str, daemon: Daemon | None = None) -> None:
        """With a `daemon` it has that one's address and token, and none of PostgreSQL's."""
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
        }
        if daemon is None:
            self.environment["LOCALFIRST_DATABASE_URL"] = f"postgresql://postgres@/{database}?host={folder}"
        else:
            self.environment |= {"LOCALFIRST_SERVER_URL": daemon.url, "LOCALFIRST_SERVER_TOKEN": daemon.token}
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
        """Stops the server and the index worker, and pulls the cable."""
        await self._stack.aclose()
        await self._end_worker()
        await self.cable.cut()

    async def index(self, folder: str) -> dict[str, Any]:
        """Indexes a folder of the laptop, and waits until that is done. Raises ToolError."""
        job = await self.call("start_indexing_background", repo_path=str(self.folder / folder))
        while (state := await self.call("get_indexing_status", job_id=job["job_id"]))["status"] in ("pending", "running"):
            await asyncio.sleep(0.05)
        if state["status"] != "completed":
            raise ToolError({"error": state["error_type"], "message": state["error_message"], "details": {}})
        return state

    async def _end_worker(self) -> None:
        """It would end by itself in a few seconds, but the files are about to be taken away."""
        if not lease.is_held(self.replica):
            return
        connection = apsw.Connection(os.fspath(self.replica), flags=apsw.SQLITE_OPEN_READONLY)
        for (pid,) in connection.execute("SELECT pid FROM index_worker"):
            with suppress(ProcessLookupError):
                os.kill(int(str(pid)), signal.SIGTERM)
        connection.close()
        while lease.is_held(self.replica):
            await asyncio.sleep(0.05)

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """One tool call. Raises ToolError."""
        answer = await self._client.call_tool(tool, arguments)
        content: dict[str, Any] = answer.structured_content or {}
        if answer.is_error:
            raise ToolError(content)
        return content
