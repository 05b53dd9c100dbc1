"""What indexing jobs cost those who ask, and those who do something else meanwhile, as the SDK's own client sees it.

    .venv/bin/python tools/bench/jobs.py [--files 3000] [--lines 600000] [--repository DIR ...]

A server over a project of the contract's size (45 vendors, 1 200 work items, 50 deployments). Calls are made in turn, first
with nothing else going on, then while three jobs run, each beside a tool that does nothing: the ratio between the two times is
the jobs' doing, and the ratio to the tool that does nothing the tool's own. Repositories are generated, or those given.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from measure import Figure, figure, table

HERE = Path(__file__).parent
REPOSITORIES = 3
QUIET_CALLS = 300
CREATIONS = 20
FINAL = ("completed", "failed", "cancelled")

Call = Callable[..., Awaitable[dict[str, Any]]]
Samples = dict[str, list[float]]


async def measure(environment: dict[str, str], folder: Path, roots: Sequence[Path]) -> list[tuple[str, ...]]:
    """The lines of the table."""
    server = StdioServerParameters(command=sys.executable, args=[str(HERE / "bench_server.py")], env=environment, cwd=folder)
    async with Client(stdio_client(server)) as client:
        await client.list_tools()

        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            answer = await client.call_tool(tool, arguments)
            assert not answer.is_error, answer.content
            return answer.structured_content or {}

        creation = await _creations(call, roots[0])
        item = await call("create_work_item", item_type="task", title="Measured")
        done = (await call("list_indexing_jobs", limit=1))["jobs"][0]["job_id"]
        actions = _actions(call, item, [done])
        quiet: Samples = {name: [] for name in actions}
        for _ in range(QUIET_CALLS):
            await _round(actions, quiet)

        jobs = [(await call("start_indexing_background", repo_path=str(root)))["job_id"] for root in roots]
        while not all(one["files_indexed"] for one in (await call("list_indexing_jobs", limit=len(jobs)))["jobs"]):
            await asyncio.sleep(0.1)
        actions = _actions(call, item, jobs)
        busy: Samples = {name: [] for name in actions}
        began = time.monotonic()
        while len((await call("list_indexing_jobs", status="running"))["jobs"]) == len(jobs):
            await _round(actions, busy)
        lasted = time.monotonic() - began
        for job in jobs:
            status = await call("get_indexing_status", job_id=job)
            assert status["status"] != "failed", status
            if status["status"] not in FINAL:
                await call("cancel_indexing_background", job_id=job)
    rows: list[tuple[str, ...]] = [("start_indexing_background", "", str(figure(creation, 1e3)), "", "")]
    rows += [_row(name, figure(quiet[name], 1e3), figure(busy[name], 1e3), figure(busy["noop"], 1e3)) for name in actions]
    rows.append(("rounds of calls, seconds in which three jobs ran", "", f"{len(busy['noop'])}, {lasted:.0f}", "", ""))
    return rows


def _row(name: str, quiet: Figure, busy: Figure, noop: Figure) -> tuple[str, ...]:
    return name, str(quiet), str(busy), f"{busy.median / quiet.median:.2f}", f"{busy.median / noop.median:.2f}"


async def _creations(call: Call, root: Path) -> list[float]:
    """Seconds of each creation of a job for a large repository; each is cancelled at once."""
    samples = []
    for _ in range(CREATIONS):
        began = time.perf_counter()
        job = await call("start_indexing_background", repo_path=str(root))
        samples.append(time.perf_counter() - began)
        await call("cancel_indexing_background", job_id=job["job_id"])
    return samples


def _actions(call: Call, item: dict[str, Any], jobs: Sequence[str]) -> dict[str, Callable[[], Awaitable[Any]]]:
    turn = iter(range(10**9))

    async def update() -> None:
        answer = await call("update_work_item", id=item["id"], version=item["version"], title=f"At {time.time_ns()}")
        item["version"] = answer["version"]

    return {
        "noop": lambda: call("noop"),
        "get_indexing_status": lambda: call("get_indexing_status", job_id=jobs[next(turn) % len(jobs)]),
        "update_work_item": update,
        "query_vendor_status": lambda: call("query_vendor_status", name="vendor_7"),
    }


async def _round(actions: dict[str, Callable[[], Awaitable[Any]]], samples: Samples) -> None:
    for name, action in actions.items():
        began = time.perf_counter()
        await action()
        samples[name].append(time.perf_counter() - began)
        await asyncio.sleep(0.005)


def main() -> None:
    """Seeds, generates, measures, prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--lines", type=int, default=600_000)
    parser.add_argument("--repository", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name).resolve()
        environment = {**os.environ, "LOCALFIRST_REPLICA": str(folder / "r.sqlite3"), "LOCALFIRST_PROJECT": "bench"}
        environment.pop("LOCALFIRST_DATABASE_URL", None)
        subprocess.run([sys.executable, str(HERE.parent / "seed.py")], env=environment, cwd=folder, check=True)
        roots = [path.resolve() for path in arguments.repository]
        for number in range(len(roots), REPOSITORIES):
            roots.append(folder / f"repository-{number}")
            size = ["--files", str(arguments.files), "--lines", str(arguments.lines), "--seed", str(number + 1)]
            subprocess.run([sys.executable, str(HERE.parent / "generate_repository.py"), *size, str(roots[-1])], check=True)
        try:
            rows = asyncio.run(measure(environment, folder, roots))
        finally:
            _wait_for_the_worker(folder / "r.sqlite3")
    headings = ("tool", "alone: median (spread)", "three jobs running", "ratio", "ratio to noop, both meanwhile")
    print(table("Indexing jobs over stdio, milliseconds", headings, rows))


def _wait_for_the_worker(replica: Path) -> None:
    from localfirst.code_index.jobs import table
    from localfirst.code_index.jobs.states import JobState
    from localfirst.code_index.jobs.transition import move
    from localfirst.code_index.worker import lease
    from localfirst.replica.connection import connect

    connection = connect(replica)
    for job in table.active(connection):
        move(connection, job.job_id, JobState.CANCELLED)
    connection.close()
    while lease.is_held(replica):
        time.sleep(0.2)


if __name__ == "__main__":
    main()
