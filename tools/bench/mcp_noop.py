"""What a tool call costs over stdio: the SDK's own server beside this project's, in one run.

    python tools/bench/mcp_noop.py [--calls 1000] [--rounds 3] [--json]

Two tools, one that does nothing and one that returns a list of 50 items; two clients, a bare pipe and the SDK's; two
protocol eras. Both servers run alternately, round by round, so that a busy machine is as unfair to one as to the other.
The ratio counts: the figures are the machine's. Also measured: from the start of the process to the answer to `initialize`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

ITEM = {
    "id": "6b1f9d0e-8a3c-4d57-9c55-0f7f2a1b3c4d",
    "version": 3,
    "item_type": "task",
    "title": "Measure what a tool call costs over stdio",
    "status": "active",
    "parent_id": None,
    "path": "6b1f9d0e-8a3c-4d57-9c55-0f7f2a1b3c4d",
    "depth": 0,
    "branch_name": None,
    "commit_hash": None,
    "pr_number": None,
    "metadata": {"estimated_hours": 1.5, "priority": "high"},
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "created_by": "bench",
    "updated_by": "bench",
    "deleted_at": None,
    "archived_at": None,
}
ITEMS = [dict(ITEM, title=f"{ITEM['title']} {number}") for number in range(50)]
SERVERS = ("MCPServer", "localfirst")
TOOLS = ("noop", "list_50")
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}},
}

Samples = dict[tuple[str, str, str], list[float]]
"""Seconds of each call by client, tool and server."""


def serve_sdk() -> None:
    """`MCPServer` as it comes, with typed results as its documentation shows them."""
    from mcp.server import MCPServer
    from pydantic import BaseModel

    class Done(BaseModel):
        success: bool
        warnings: list[str]

    class Item(BaseModel):
        id: str
        version: int
        item_type: str
        title: str
        status: str
        parent_id: str | None
        path: str
        depth: int
        branch_name: str | None
        commit_hash: str | None
        pr_number: int | None
        metadata: dict[str, Any]
        created_at: str
        updated_at: str
        created_by: str
        updated_by: str
        deleted_at: str | None
        archived_at: str | None

    class Items(Done):
        items: list[Item]

    server = MCPServer("bench")

    async def noop() -> Done:
        return Done(success=True, warnings=[])

    async def list_50() -> Items:
        return Items(success=True, warnings=[], items=[Item.model_validate(item) for item in ITEMS])

    # The annotations name classes of this function, which the SDK cannot look up by name.
    noop.__annotations__["return"] = Done
    list_50.__annotations__["return"] = Items
    server.tool()(noop)
    server.tool()(list_50)
    server.run("stdio")


def serve_localfirst() -> None:
    """This project's server with the same two tools."""
    from localfirst_schema.types import Arguments
    from pydantic import BaseModel, ConfigDict

    from localfirst.mcp_server.process import run
    from localfirst.operations.operation import Operation

    class Nothing(Arguments):
        pass

    class Done(BaseModel):
        model_config = ConfigDict(defer_build=True)
        success: bool
        warnings: list[str]

    class Items(Done):
        items: list[dict[str, Any]]

    class Session:
        client_name: str | None = None

        def take_place(self) -> dict[str, Any]:
            return {}

        def take_announcement(self) -> str | None:
            return None

        def close(self) -> None:
            pass

    def noop(_: Any, __: Any) -> dict[str, Any]:
        return {"success": True, "warnings": []}

    def list_50(_: Any, __: Any) -> dict[str, Any]:
        return {"success": True, "warnings": [], "items": ITEMS}

    run(
        Session,
        [
            Operation("noop", "Nothing", "Does nothing.", Nothing, Done, noop, "read"),
            Operation("list_50", "List", "Lists 50 items.", Nothing, Items, list_50, "read"),
        ],
    )


class Pipe:
    """A client that is nothing but a pipe and `json`."""

    def __init__(self, server: str) -> None:
        self.process = subprocess.Popen(command(server), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._stdin = self.process.stdin
        self._stdout = self.process.stdout.fileno()

    def ask(self, message: dict[str, Any]) -> Any:
        self.tell(message)
        chunks = [os.read(self._stdout, 1 << 18)]
        while not chunks[-1].endswith(b"\n"):
            chunks.append(os.read(self._stdout, 1 << 18))
        return json.loads(b"".join(chunks))

    def tell(self, message: dict[str, Any]) -> None:
        self._stdin.write(json.dumps(message).encode() + b"\n")

    def close(self) -> None:
        self._stdin.close()
        self.process.wait(timeout=20)


def command(server: str) -> list[str]:
    return [sys.executable, str(Path(__file__).resolve()), "--serve", server]


def measure_pipe(server: str, era: str, calls: int, into: Samples) -> None:
    pipe = Pipe(server)
    meta: dict[str, Any] = {}
    if era == "2025":
        pipe.ask(INITIALIZE)
        pipe.tell({"jsonrpc": "2.0", "method": "notifications/initialized"})
    else:
        meta = {"_meta": ENVELOPE}
    for tool in TOOLS:
        message = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": tool, "arguments": {}, **meta}}
        times = into[f"pipe, {era}", tool, server]
        for number in range(-20, calls):
            began = time.perf_counter()
            answer = pipe.ask({**message, "id": number + 100})
            if number >= 0:
                times.append(time.perf_counter() - began)
        assert not answer["result"].get("isError"), answer
    pipe.close()


async def measure_sdk(server: str, era: str, calls: int, into: Samples) -> None:
    from mcp.client.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    program, *arguments = command(server)
    transport = stdio_client(StdioServerParameters(command=program, args=arguments, env=dict(os.environ)))
    async with Client(transport, mode="legacy" if era == "2025" else "auto") as client:
        for tool in TOOLS:
            times = into[f"SDK client, {era}", tool, server]
            for number in range(-20, calls):
                began = time.perf_counter()
                answer = await client.call_tool(tool, {})
                if number >= 0:
                    times.append(time.perf_counter() - began)
            assert not answer.is_error, answer


def measure_start(server: str, into: Samples) -> None:
    began = time.perf_counter()
    pipe = Pipe(server)
    pipe.ask(INITIALIZE)
    into["pipe", "start to initialize", server].append(time.perf_counter() - began)
    pipe.close()


def measure(calls: int, rounds: int) -> Samples:
    import anyio

    samples: Samples = defaultdict(list)
    for _ in range(rounds):
        for server in SERVERS:
            measure_start(server, samples)
        for era in ("2025", "2026"):
            for server in SERVERS:
                measure_pipe(server, era, calls, samples)
            for server in SERVERS:
                anyio.run(measure_sdk, server, era, max(calls // 4, 1), samples)
    return samples


def table(samples: Samples) -> list[dict[str, Any]]:
    """Median and 95th percentile in milliseconds, and how many times faster the second server is."""
    rows = []
    for client, tool in dict.fromkeys((client, tool) for client, tool, _ in samples):
        row: dict[str, Any] = {"client": client, "what": tool}
        for server in SERVERS:
            times = sorted(samples[client, tool, server])
            row[f"{server} median ms"] = round(statistics.median(times) * 1e3, 3)
            row[f"{server} p95 ms"] = round(times[int(len(times) * 0.95)] * 1e3, 3)
        row["ratio"] = round(row["MCPServer median ms"] / row["localfirst median ms"], 2)
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        (serve_sdk if options.serve == "MCPServer" else serve_localfirst)()
        return
    rows = table(measure(options.calls, options.rounds))
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + " --- |" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |")


if __name__ == "__main__":
    main()
