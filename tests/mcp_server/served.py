"""A server of a few small operations, run as a program by the tests of this directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from localfirst_schema import types
from localfirst_schema.errors import DuplicateError, VersionMismatchError
from pydantic import BaseModel, ConfigDict, Field

from localfirst.mcp_server.process import run
from localfirst.operations.operation import Operation


class Arguments(types.Arguments):
    model_config = ConfigDict(strict=False)


class Nothing(Arguments):
    """Takes nothing."""


class Typed(Arguments):
    title: str = Field(max_length=5)
    limit: int = Field(default=50, ge=1, le=100)
    owner: UUID | None = None


class Text(Arguments):
    text: str


class Seconds(Arguments):
    seconds: float = 0.0


class Result(BaseModel):
    success: bool
    warnings: list[str]


class EchoResult(Result):
    text: str


class ListResult(Result):
    items: list[dict[str, Any]]
    total_count: int


class NameResult(Result):
    client_name: str | None


class Session:
    """Stands for the real session: announces once, and notes its closing where the test can see it."""

    def __init__(self) -> None:
        self.client_name: str | None = None
        self._announcement = os.environ.get("TEST_ANNOUNCEMENT")

    def take_place(self) -> dict[str, Any]:
        return {}

    def take_announcement(self) -> str | None:
        text, self._announcement = self._announcement, None
        return text

    def close(self) -> None:
        if note := os.environ.get("TEST_CLOSED"):
            Path(note).write_text("closed")


ITEM = {
    "id": "6b1f9d0e-8a3c-4d57-9c55-0f7f2a1b3c4d",
    "version": 3,
    "item_type": "task",
    "title": 'A title with "quotes", ünïcode ✓ and a \\ backslash',
    "status": "active",
    "parent_id": None,
    "metadata": {"estimated_hours": 1.5, "priority": "high", "tags": ["a", "b"]},
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
}


def ok(**fields: Any) -> dict[str, Any]:
    return {"success": True, "warnings": [], **fields}


def noop(_: Any, __: Any) -> dict[str, Any]:
    return ok()


def listed(_: Any, __: Any) -> dict[str, Any]:
    return ok(items=[ITEM] * 50, total_count=50)


def echo(_: Any, arguments: Any) -> dict[str, Any]:
    return ok(text=arguments.text)


def typed(_: Any, arguments: Any) -> dict[str, Any]:
    return ok(text=json.dumps([arguments.title, arguments.limit, str(arguments.owner)]))


def stray(_: Any, __: Any) -> dict[str, Any]:
    print("a stray print", flush=True)
    os.write(1, b"a stray write\n")
    subprocess.run([sys.executable, "-c", "import sys; print('a child'); sys.stdin.read()"], check=True)
    return ok()


def mismatch(_: Any, __: Any) -> dict[str, Any]:
    raise VersionMismatchError("work_item", "x", 1, 2, "somebody")


def duplicate(_: Any, __: Any) -> dict[str, Any]:
    raise DuplicateError("It exists already; use it.", id=UUID(int=1))


def crash(_: Any, __: Any) -> dict[str, Any]:
    raise RuntimeError("the secret inner text")


def wait(_: Any, arguments: Any) -> dict[str, Any]:
    time.sleep(arguments.seconds)
    return ok()


def hang(_: Any, __: Any) -> dict[str, Any]:
    threading.Thread(target=time.sleep, args=[600]).start()
    time.sleep(600)
    return ok()


def name(session: Any, __: Any) -> dict[str, Any]:
    return ok(client_name=session.client_name)


def operation(tool: Any, arguments: type[Arguments] = Nothing, result: type[BaseModel] = Result, **more: Any) -> Operation:
    return Operation(
        name=more.pop("name", tool.__name__),
        title=tool.__name__.title(),
        description=f"The tool {tool.__name__}.",
        arguments=arguments,
        result=result,
        run=tool,
        effect=more.pop("effect", "read"),
        **more,
    )


OPERATIONS = [
    operation(noop),
    operation(listed, result=ListResult),
    operation(echo, Text, EchoResult, effect="create"),
    operation(typed, Typed, EchoResult, effect="update", idempotent=True),
    operation(stray, effect="destroy"),
    operation(mismatch),
    operation(duplicate),
    operation(crash),
    operation(wait, Seconds, name="wait_in_thread"),
    operation(wait, Seconds, name="wait_on_loop"),
    operation(hang, name="hang_in_thread"),
    operation(name, result=NameResult),
]

if __name__ == "__main__":
    if os.environ.get("TEST_SDK_TRANSPORT"):
        # As on a system whose event loop cannot read the standard input.
        from localfirst.mcp_server import server

        server.watchable = lambda descriptor: False  # type: ignore[attr-defined]  # in place of what the module imports
    if os.environ.get("TEST_TELL_SESSION_LOGIC"):
        # A word for each message that is on its way to the session logic.
        from localfirst.mcp_server import transport, wire

        decode = wire.decode

        def reported(line: bytes | bytearray) -> Any:
            print("for the session logic", file=sys.stderr, flush=True)
            return decode(line)

        transport.decode = reported  # type: ignore[attr-defined]  # in place of what the module imports
    run(Session, OPERATIONS, blocking=frozenset({"wait_in_thread", "hang_in_thread"}))
