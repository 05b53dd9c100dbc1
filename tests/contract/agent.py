"""An agent: the SDK's own client on one server process, called from plain (not asynchronous) tests.

The client checks every result against the output schema that the tool gave, so each call that returns at all has
passed that check. `call` also holds every result to what the contract says of all results.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.types import CallToolResult, ClientNotification, Implementation, TextContent, Tool

from contract.laptop import PROGRAM, Laptop

WARNINGS = {
    "database_unavailable",
    "using_fallback_cache",
    "using_git_history_fallback",
    "using_markdown_fallback",
    "stale_cache",
    "pending_local_changes",
    "conflict_pending",
    "follow_up_failed",
    "claimed_by_other",
    "remote_changed",
    "untrusted_settings",
    "read_only",
    "set_aside",
}
ERRORS = {
    "ValidationError",
    "NotFoundError",
    "VersionMismatchError",
    "CycleError",
    "DuplicateError",
    "InvalidStateError",
    "UnavailableError",
}

Answer = dict[str, Any]


class Refusal(Exception):
    """A tool error: `kind` is its contract name."""

    def __init__(self, answer: Answer, text: str) -> None:
        super().__init__(f"{answer['error']}: {text} {answer['details']}")
        self.kind: str = answer["error"]
        self.details: Answer = answer["details"]
        self.text = text


def text_of(result: CallToolResult) -> str:
    assert len(result.content) == 1, "one text, no more"
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def checked(result: CallToolResult) -> Answer:
    """The answer, or the refusal raised, after the checks that hold for every result."""
    answer, text = result.structured_content, text_of(result)
    assert isinstance(answer, dict), f"no structured content beside: {text}"
    if result.is_error:
        assert set(answer) >= {"error", "message", "details"}, answer
        assert answer["error"] in ERRORS, answer
        assert isinstance(answer["details"], dict), answer
        assert text.strip() == text != "", "the text of an error says what to do next"
        assert "\n" not in text, f"one sentence was promised: {text!r}"
        assert "Traceback" not in text
        raise Refusal(answer, text)
    assert json.loads(text) == answer, "the text is the same JSON"
    assert answer["success"] is True
    assert set(answer["warnings"]) <= WARNINGS
    return answer


class Agent:
    """One client with one server process; several may work on one laptop."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self._portal = portal
        self.client = client

    def call(self, tool: str, /, **arguments: Any) -> Answer:
        return checked(self.raw(tool, **arguments))

    def raw(self, tool: str, /, **arguments: Any) -> CallToolResult:
        result: CallToolResult = self._portal.call(self.client.call_tool, tool, arguments)
        return result

    def call_anew(self, number: int, tool: str, /, **arguments: Any) -> Answer:
        """The same with an envelope that the server has not seen yet: the call goes through the SDK's session logic."""
        meta: Any = {"example.org/call": number}  # the SDK's type has the protocol's own keys alone
        call: Callable[[], Awaitable[CallToolResult]] = partial(self.client.call_tool, tool, arguments, meta=meta)
        return checked(self._portal.call(call))

    def refused(self, tool: str, /, **arguments: Any) -> Refusal:
        try:
            answer = self.call(tool, **arguments)
        except Refusal as refusal:
            return refusal
        raise AssertionError(f"{tool}({arguments!r:.300}) should have been refused, and answered {answer!r:.300}")

    def invalid(self, field: str, tool: str, /, **arguments: Any) -> Refusal:
        """Refused as a `ValidationError` whose details name the field and the constraint."""
        refusal = self.refused(tool, **arguments)
        assert refusal.kind == "ValidationError", refusal
        assert field in str(refusal.details["field"]), refusal
        assert refusal.details["constraint"], refusal
        return refusal

    def create(self, title: str, /, item_type: str = "task", detail: str = "full", **arguments: Any) -> Answer:
        """A new item, with every field: tests look at all of them. (What is lean is tested in `test_lean_rows`.)"""
        return self.call("create_work_item", item_type=item_type, title=title, detail=detail, **arguments)

    def update(self, item: Answer, /, detail: str = "full", **arguments: Any) -> Answer:
        return self.call("update_work_item", id=item["id"], version=item["version"], detail=detail, **arguments)

    def read(self, item: Answer, /, **arguments: Any) -> Answer:
        return self.call("query_work_item", id=item["id"], **arguments)

    def tell(self, notification: ClientNotification) -> None:
        """What a client says of itself."""
        self._portal.call(self.client.session.send_notification, notification)

    def on_loop(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """What the SDK's client says to anything that is no call of a tool."""
        return self._portal.call(function, *arguments)

    def tools(self) -> dict[str, Tool]:
        return {tool.name: tool for tool in self._portal.call(self.client.list_tools).tools}


@contextmanager
def working(
    laptop: Laptop,
    name: str = "tester",
    *,
    mode: str = "auto",
    cwd: Path | None = None,
    program: Sequence[str] = (str(PROGRAM), "mcp"),
    **more: str,
) -> Iterator[Agent]:
    """An agent on this laptop, with a server process of its own that ends with it."""
    environment = {key: value for key, value in {**laptop.environment, **more}.items() if value}
    parameters = StdioServerParameters(
        command=program[0], args=list(program[1:]), env=environment, cwd=str(cwd or laptop.project)
    )
    client = Client(
        stdio_client(parameters),
        mode=mode,
        client_info=Implementation(name=name, version="1"),
        read_timeout_seconds=60,
    )
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(client):
        yield Agent(portal, client)


@contextmanager
def starting() -> Iterator[Callable[..., Agent]]:
    """Starts agents on whatever laptop is named, as `working` does; they stop with the block."""
    with ExitStack() as stack:

        def started(laptop: Laptop, name: str = "tester", **how: Any) -> Agent:
            return stack.enter_context(working(laptop, name, **how))

        yield started
