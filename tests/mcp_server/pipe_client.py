"""A client that is nothing but pipes: it sees the very lines the server writes."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SERVER = Path(__file__).with_name("served.py")
ROOT = Path(__file__).parents[2]
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "pipe", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join(str(ROOT / part) for part in (".", "schema", "sync"))
    return {**os.environ, "PYTHONPATH": path, **more}


def initialize(version: str = "2025-06-18") -> dict[str, Any]:
    client = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "pipe", "version": "1"}}
    return {"jsonrpc": "2.0", "id": "init", "method": "initialize", "params": client}


INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def call(number: int, tool: str, **arguments: Any) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": number,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments},
    }


class PipeClient:
    """One server process; `handshake` is done on entering unless `version` is None."""

    def __init__(
        self,
        version: str | None = "2025-06-18",
        *,
        stdin: Any = None,
        stdout: Any = None,
        program: Sequence[str] = (str(SERVER),),
        **env: str,
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *program],
            stdin=subprocess.PIPE if stdin is None else stdin,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environment(**env),
        )
        self._version = version
        self._buffer = b""
        self._number = 0

    def __enter__(self) -> Self:
        if self._version is not None:
            self.send(initialize(self._version))
            self.receive()
            self.send(INITIALIZED)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def send(self, message: Any) -> None:
        self.send_bytes(json.dumps(message).encode() + b"\n")

    def send_bytes(self, line: bytes) -> None:
        assert self.process.stdin is not None
        view = memoryview(line)
        while view:
            view = view[self.process.stdin.write(view) :]

    def receive_line(self, timeout_s: float = 20.0) -> bytes:
        assert self.process.stdout is not None
        limit = time.monotonic() + timeout_s
        chunks = [self._buffer]
        while b"\n" not in chunks[-1]:
            if not select.select([self.process.stdout], [], [], max(limit - time.monotonic(), 0))[0]:
                raise TimeoutError("the server did not answer")
            chunk = os.read(self.process.stdout.fileno(), 1 << 20)
            if not chunk:
                raise EOFError("the server closed its output")
            chunks.append(chunk)
        line, _, self._buffer = b"".join(chunks).partition(b"\n")
        return line

    def receive(self, timeout_s: float = 20.0) -> Any:
        return json.loads(self.receive_line(timeout_s))

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        self._number += 1
        self.send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        return self.receive()

    def call(self, tool: str, **arguments: Any) -> Any:
        """The `result` of a tool call."""
        return self.ask("tools/call", {"name": tool, "arguments": arguments})["result"]

    def close_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def ended(self, timeout_s: float = 20.0) -> tuple[int, str]:
        """Wait for the process; its exit status and what it wrote to standard error."""
        status = self.process.wait(timeout_s)
        assert self.process.stderr is not None
        return status, self.process.stderr.read().decode()
