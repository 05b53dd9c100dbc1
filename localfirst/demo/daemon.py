"""A `localfirst serve` of the demo, as a process of its own, and a token for it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

END_S = 20.0


class Daemon(NamedTuple):
    """Where it is reached, and by which token."""

    url: str
    token: str


@asynccontextmanager
async def running_daemon(folder: Path, database_url: str, project: str) -> AsyncIterator[Daemon]:
    """Starts it beside PostgreSQL, and drains it at the end."""
    environment = {**os.environ, "LOCALFIRST_DATABASE_URL": database_url}
    made = await asyncio.create_subprocess_exec(
        *_command("token", "create", "laptop C", "--project", project, "--expires", "1h"),
        env=environment, cwd=folder, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await made.communicate()
    process = await asyncio.create_subprocess_exec(
        *_command("serve", "--port", "0"), env=environment, cwd=folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = await process.stdout.readline()
        yield Daemon(json.loads(line)["url"], json.loads(out)["token"])
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), END_S)


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "localfirst", *arguments, "--json"]
