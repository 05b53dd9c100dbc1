"""What the tools cost as the SDK's own client sees them, in a warm server, over data of the contract's size.

    .venv/bin/python tools/bench/tool_latency.py [--calls 300] [--server] [--legacy]

45 vendors, 1 200 work items in trees of five levels, 50 deployments. The tools are called in turn, ten calls at a time, with
a tool that does nothing on the same server, and with one that does nothing on the SDK's own server (`MCPServer` as it comes):
the ratios to these two floors count. Starts of both servers alternate. With `--server` a PostgreSQL runs beside it and reads
ask it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psutil
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from measure import figure, table
from place import own_folder, own_server

HERE = Path(__file__).parent
STARTS = 7
BLOCK = 10
"""Calls of one tool before the next one's turn."""

SDK_NOOP = "noop of the SDK's own server"
ASKED_NOOP = "noop, through the session logic"
"""With a progress token, which only the SDK's session logic knows about: what each call cost if none was like another."""
ITEM = {"item_type": "task", "metadata": {"priority": "high"}}


async def measure(calls: int, mode: dict[str, Any], environment: dict[str, str], folder: Path) -> list[tuple[str, ...]]:
    """The lines of the table."""
    server = StdioServerParameters(command=sys.executable, args=[str(HERE / "bench_server.py")], env=environment, cwd=folder)
    sdk_server = StdioServerParameters(command=sys.executable, args=[str(HERE / "mcp_noop.py"), "--serve", "MCPServer"])
    starts: dict[str, list[float]] = {"ours": [], "sdk": []}
    for _ in range(STARTS):
        starts["ours"].append(await _start(server, mode, "query_vendor_status", {"name": "vendor_1"}))
        starts["sdk"].append(await _start(sdk_server, mode, "noop", {}))
    async with Client(stdio_client(server), **mode) as client, Client(stdio_client(sdk_server), **mode) as sdk_client:
        await sdk_client.list_tools()

        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            answer = await client.call_tool(tool, arguments)
            assert not answer.is_error, answer.content
            return answer.structured_content or {}

        await client.list_tools()
        if "LOCALFIRST_DATABASE_URL" in environment:
            await call("sync_now")
        vendors = (await call("list_vendors"))["items"]
        roots = (await call("list_work_items", root_only=True))["items"]
        item = await call("create_work_item", title="Measured", **ITEM)
        versions = {"item": item["version"]}
        deployment = {"pr_number": 1, "pr_title": "Measured", "commit_hash": "a" * 40}

        async def update() -> None:
            answer = await call("update_work_item", id=item["id"], version=versions["item"], title=f"At {time.time_ns()}")
            versions["item"] = answer["version"]

        actions: dict[str, Callable[[], Awaitable[Any]]] = {
            SDK_NOOP: lambda: sdk_client.call_tool("noop", {}),
            ASKED_NOOP: lambda: client.call_tool("noop", {}, progress_callback=_no_progress),
            "noop": lambda: call("noop"),
            "query_vendor_status": lambda: call("query_vendor_status", name="vendor_7"),
            "update_work_item": update,
            "query_work_item, 5 levels": lambda: call("query_work_item", id=roots[0]["id"]),
            "list_work_items, 50 items": lambda: call("list_work_items"),
            "generate_full_status": lambda: call("generate_full_status"),
            "record_deployment, 3 + 3 links": lambda: call(
                "record_deployment", metadata=deployment, vendor_ids=[v["id"] for v in vendors[:3]],
                work_item_ids=[r["id"] for r in roots[:3]],
            ),
            "search_work_items": lambda: call("search_work_items", query="speed up the retry queue"),
        }  # fmt: skip
        samples: dict[str, list[float]] = {name: [] for name in actions}
        for number in range(calls // BLOCK + 1):
            for name, action in actions.items():
                for _ in range(BLOCK):
                    started = time.perf_counter()
                    await action()
                    if number:  # the first block warms up
                        samples[name].append(time.perf_counter() - started)
        process = next(p for p in psutil.Process().children() if "bench_server.py" in " ".join(p.cmdline()))
        memory = process.memory_info().rss / 2**20
    floor, sdk_floor = figure(samples["noop"]).median, figure(samples[SDK_NOOP]).median
    rows: list[tuple[str, ...]] = []
    for name, seconds in samples.items():
        median = figure(seconds).median
        rows.append((name, str(figure(seconds, 1e3)), f"{median / floor:.2f}", f"{median / sdk_floor:.2f}"))
    ours, sdk = figure(starts["ours"], 1e3), figure(starts["sdk"], 1e3)
    rows.append(("start to first answer, SDK's own server", str(sdk), "", "1.00"))
    rows.append(("start to first answer", str(ours), "", f"{ours.median / sdk.median:.2f}"))
    rows.append(("memory afterwards, MiB", f"{memory:,.0f}", "", ""))
    return rows


async def _no_progress(progress: float, total: float | None, message: str | None) -> None:
    """A tool that does nothing reports nothing."""


async def _start(server: StdioServerParameters, mode: dict[str, Any], tool: str, arguments: dict[str, Any]) -> float:
    """Seconds from the start of a server's process to the answer to its first tool call."""
    began = time.perf_counter()
    async with Client(stdio_client(server), **mode) as client:
        await client.call_tool(tool, arguments)
        return time.perf_counter() - began


def main() -> None:
    """Seeds, measures, prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--server", action="store_true")
    parser.add_argument("--legacy", action="store_true")
    arguments = parser.parse_args()
    with own_folder() as folder:
        environment = {**os.environ, "LOCALFIRST_REPLICA": str(folder.resolve() / "r.sqlite3"), "LOCALFIRST_PROJECT": "bench"}
        environment.pop("LOCALFIRST_DATABASE_URL", None)
        subprocess.run([sys.executable, str(HERE.parent / "seed.py")], env=environment, cwd=folder, check=True)
        with own_server() if arguments.server else nullcontext(None) as url:
            if url:
                environment["LOCALFIRST_DATABASE_URL"] = url
            mode = {"mode": "legacy"} if arguments.legacy else {}
            rows = asyncio.run(measure(arguments.calls, mode, environment, folder))
        title = f"Tools over stdio, milliseconds, {'with PostgreSQL' if arguments.server else 'replica alone'}"
        print(table(title, ("tool", "median (spread)", "ratio to noop", "to the SDK's"), rows))


if __name__ == "__main__":
    main()
