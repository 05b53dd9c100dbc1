"""The tools as a client sees them, in the newest protocol and in the one most clients still speak."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import jsonschema
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from mcp.types import TextContent, Tool
from mcp_types import Implementation

from mcp_server.pipe_client import ENVELOPE, SERVER, PipeClient, call, environment

MODES = ["legacy", "auto", "2026-07-28"]
each_mode = pytest.mark.parametrize("mode", MODES)


@asynccontextmanager
async def connected(mode: str, **env: str) -> AsyncIterator[Client]:
    server = StdioServerParameters(command=sys.executable, args=[str(SERVER)], env=environment(**env))
    async with Client(stdio_client(server), mode=mode, client_info=Implementation(name="an-agent", version="1")) as client:
        yield client


def talk(mode: str, conversation: Callable[[Client], Awaitable[None]], **env: str) -> None:
    async def main() -> None:
        with anyio.fail_after(30):
            async with connected(mode, **env) as client:
                await conversation(client)

    anyio.run(main)


def hints_of(tool: Tool) -> tuple[bool | None, ...]:
    """What a tool says of its effect: reads only, destroys, idempotent, open world."""
    hints = tool.annotations
    assert hints is not None
    return hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint


def refused(result: Any) -> dict[str, Any]:
    """The error of a tool result, which has the contract's form."""
    assert result.is_error
    assert set(result.structured_content) == {"error", "message", "details"}
    assert [one.text for one in result.content] == [result.structured_content["message"]]
    return dict(result.structured_content)


@each_mode
def test_a_result_is_structured_content_and_the_same_json_as_compact_text(mode: str) -> None:
    async def conversation(client: Client) -> None:
        result = await client.call_tool("listed", {})
        assert not result.is_error
        assert result.structured_content["total_count"] == len(result.structured_content["items"]) == 50
        [content] = result.content
        assert isinstance(content, TextContent)
        assert json.loads(content.text) == result.structured_content
        assert content.text.startswith('{"success":true,"warnings":[],"items":[{"id":')

    talk(mode, conversation)


@each_mode
def test_each_tool_has_schemas_and_annotations(mode: str) -> None:
    async def conversation(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        typed = tools["typed"]
        assert (typed.title, typed.description) == ("Typed", "The tool typed.")
        assert typed.input_schema["required"] == ["title"]
        assert typed.input_schema["properties"]["limit"] == {
            "type": "integer",
            "maximum": 100,
            "default": 50,
        }
        assert typed.output_schema is not None
        names = typed.output_schema["properties"]
        assert list(names) == ["success", "warnings", "text"]
        hints = {name: hints_of(tools[name]) for name in ("noop", "echo", "typed", "stray")}
        assert hints == {
            "noop": (True, False, True, False),
            "echo": (False, False, False, False),
            "typed": (False, False, True, False),
            "stray": (False, True, False, False),
        }
        assert tools["noop"].input_schema == {"type": "object", "properties": {}}

    talk(mode, conversation)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_server_introduces_itself(mode: str) -> None:
    async def conversation(client: Client) -> None:
        assert client.server_info is not None
        assert client.server_info.name == "localfirst"
        assert client.server_info.version
        assert "version mismatch" in (client.instructions or "")

    talk(mode, conversation)


@each_mode
def test_missing_unknown_and_ill_typed_arguments_are_validation_errors(mode: str) -> None:
    async def conversation(client: Client) -> None:
        error = refused(await client.call_tool("typed", {}))
        assert error["error"] == "ValidationError"
        assert error["details"] == {"field": "title", "constraint": "is required"}
        assert error["message"] == "title is required: correct this and call typed again."

        error = refused(await client.call_tool("typed", {"title": "t", "limmit": 3}))
        assert error["details"]["field"] == "limmit"
        assert "it takes title, limit, owner" in error["message"]

        error = refused(await client.call_tool("typed", {"title": 5}))
        assert error["details"] == {"field": "title", "constraint": "must be a valid string"}

        error = refused(await client.call_tool("typed", {"title": "t", "limit": 101}))
        assert error["details"] == {"field": "limit", "constraint": "must be less than or equal to 100"}

        error = refused(await client.call_tool("typed", {"title": "a secret", "limit": "x", "owner": "y", "z": 1}))
        assert [one["field"] for one in error["details"]["errors"]] == ["title", "limit", "owner", "z"]
        assert error["details"]["field"] == "title"
        assert "secret" not in json.dumps(error)

    talk(mode, conversation)


@each_mode
def test_an_unknown_tool_is_a_protocol_error_with_the_contracts_form_as_data(mode: str) -> None:
    async def conversation(client: Client) -> None:
        with pytest.raises(MCPError, match="Unknown tool: no_such_tool") as caught:
            await client.call_tool("no_such_tool", {})
        assert caught.value.error.code == -32602
        assert caught.value.error.data["error"] == "ValidationError"

    talk(mode, conversation)


@each_mode
def test_an_operations_error_keeps_its_name_sentence_and_details(mode: str) -> None:
    async def conversation(client: Client) -> None:
        error = refused(await client.call_tool("mismatch", {}))
        assert error["error"] == "VersionMismatchError"
        assert "version mismatch" in error["message"]
        assert error["details"]["actual_version"] == 2

        error = refused(await client.call_tool("duplicate", {}))
        assert error["details"] == {"id": "00000000-0000-0000-0000-000000000001"}

    talk(mode, conversation)


@each_mode
def test_the_client_is_known_by_its_name(mode: str) -> None:
    async def conversation(client: Client) -> None:
        assert (await client.call_tool("name", {})).structured_content["client_name"] == "an-agent"

    talk(mode, conversation)


@each_mode
def test_the_announcement_comes_once_in_the_first_success(mode: str) -> None:
    async def conversation(client: Client) -> None:
        refused(await client.call_tool("crash", {}))
        first = await client.call_tool("noop", {})
        announced = {"success": True, "warnings": [], "announcement": "Two conflicts await you."}
        text = first.content[0]
        assert isinstance(text, TextContent)
        assert first.structured_content == json.loads(text.text) == announced
        assert (await client.call_tool("noop", {})).structured_content == {"success": True, "warnings": []}

    talk(mode, conversation, TEST_ANNOUNCEMENT="Two conflicts await you.")


@each_mode
def test_a_blocking_operation_holds_up_nobody(mode: str) -> None:
    async def conversation(client: Client) -> None:
        order: list[str] = []

        async def one(tool: str, **arguments: Any) -> None:
            await client.call_tool(tool, arguments)
            order.append(tool)

        async with anyio.create_task_group() as group:
            group.start_soon(lambda: one("wait_in_thread", seconds=1.0))
            await anyio.sleep(0.1)
            group.start_soon(lambda: one("noop"))
        assert order == ["noop", "wait_in_thread"]

    talk(mode, conversation)


def test_an_unforeseen_exception_is_reported_to_the_log_and_not_to_the_client() -> None:
    with PipeClient() as client:
        result = client.call("crash")
        assert result["isError"] is True
        assert result["structuredContent"]["error"] == "UnavailableError"
        assert result["structuredContent"]["details"] == {"cause": "internal"}
        assert "internal error" in result["content"][0]["text"]
        assert "secret" not in json.dumps(result)
        assert client.call("noop")["isError"] is False
        client.close_input()
        _, errors = client.ended()
    assert "the secret inner text" in errors
    assert "Traceback" in errors


def test_a_cancelled_call_is_not_answered_and_the_next_one_is() -> None:
    with PipeClient() as client:
        client.send(call(1, "wait_in_thread", seconds=0.3))
        client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
        client.send(call(2, "wait_in_thread", seconds=0.5))
        assert client.receive()["id"] == 2


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_every_older_protocol_version_gets_the_text(version: str) -> None:
    with PipeClient(version) as client:
        assert client.call("noop")["content"][0]["text"] == '{"success":true,"warnings":[]}'
        assert client.call("typed")["content"][0]["text"].startswith("title is required")


def test_the_newest_protocol_works_without_a_handshake() -> None:
    with PipeClient(None) as client:
        answer = client.ask("tools/call", {"name": "name", "arguments": {}, "_meta": ENVELOPE})
        assert answer["result"]["structuredContent"]["client_name"] == "pipe"
        assert answer["result"]["resultType"] == "complete"
        assert answer["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "localfirst"
        nameless = {key: value for key, value in ENVELOPE.items() if not key.endswith("clientInfo")}
        answer = client.ask("tools/call", {"name": "name", "arguments": {}, "_meta": nameless})
        assert answer["result"]["structuredContent"]["client_name"] is None


@each_mode
def test_an_error_agrees_with_the_output_schema_too(mode: str) -> None:
    """Some clients validate the structured content of errors as well, and show nothing of one that does not agree."""

    async def conversation(client: Client) -> None:
        schemas = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
        answer = await client.call_tool("noop", {"unknown": 1})
        assert answer.is_error
        assert schemas["noop"] is not None
        jsonschema.validate(answer.structured_content, schemas["noop"])

    talk(mode, conversation)
