"""A server process at the end of two pipes: for bytes that no client library would send, and for sudden deaths."""

from __future__ import annotations

import json
import select
import subprocess
import time
from itertools import count
from types import TracebackType
from typing import Any, Self

from contract.laptop import PROGRAM, Laptop

PATIENCE_S = 60.0
HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "wire", "version": "1"},
}


class Wire:
    """Every line that the server prints is kept in `lines`; all of them must be protocol."""

    def __init__(self, laptop: Laptop, **more: str) -> None:
        environment = {key: value for key, value in {**laptop.environment, **more}.items() if value}
        self.process = subprocess.Popen(
            [PROGRAM, "mcp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=laptop.project,
            bufsize=0,
        )
        self.lines: list[str] = []
        self._unread = b""
        self._numbers = count(1)

    def __enter__(self) -> Self:
        self.request("initialize", HELLO)
        self.send('{"jsonrpc": "2.0", "method": "notifications/initialized"}')
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def send(self, line: str | bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write((line if isinstance(line, bytes) else line.encode()) + b"\n")

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return self.request_text(method, json.dumps(params))

    def request_text(self, method: str, params: str) -> dict[str, Any]:
        """The reply to a request whose parameters are sent as they stand."""
        number = next(self._numbers)
        self.send(f'{{"jsonrpc": "2.0", "id": {number}, "method": "{method}", "params": {params}}}')
        return self.reply(number)

    def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        result: dict[str, Any] = self.request("tools/call", {"name": tool, "arguments": arguments})["result"]
        return result

    def call_text(self, tool: str, arguments: str) -> dict[str, Any]:
        return self.request_text("tools/call", f'{{"name": "{tool}", "arguments": {arguments}}}')

    def reply(self, number: int) -> dict[str, Any]:
        """The answer to this request, or one to nobody; notifications before it are passed over."""
        while "id" not in (message := self.message()):
            pass
        assert message["id"] in (number, None), message
        return message

    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.line())
        assert message["jsonrpc"] == "2.0"
        return message

    def line(self) -> str:
        deadline = time.monotonic() + PATIENCE_S
        assert self.process.stdout is not None
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the server did not answer in time"
            piece = self.process.stdout.read(1 << 16)
            assert piece, f"the server is gone: {self.process.wait()}"
            self._unread += piece
        line, self._unread = self._unread.split(b"\n", 1)
        self.lines.append(line.decode())
        return self.lines[-1]

    def end(self) -> tuple[int, bytes]:
        """Closes the server's input as a client does that has finished; its exit status and its last words."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        status = self.process.wait(PATIENCE_S)
        return status, self._unread + self.process.stdout.read()
