"""The MCP server: operations as tools, over the process's standard input and output.

The SDK's session logic is in charge of the protocol in all its versions; this module supplies the handlers of
`tools/list` and `tools/call`. Operations run on the event loop's thread, because they take microseconds to a few
milliseconds and a worker thread costs more than most of them; those named in `blocking` run in a worker thread.

Failure behaviour: whatever an operation raises becomes a tool error in the contract's form. The exception that nobody
foresaw goes to the log "localfirst" with its traceback, and to the client without a word of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import Any

import anyio.to_thread
import mcp_types as types
from localfirst_schema.errors import LocalfirstError, ValidationError
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

import localfirst
from localfirst.mcp_server.answers import Answer, as_result, failure, internal_error, plain_success, success
from localfirst.mcp_server.arguments import checked
from localfirst.mcp_server.descriptors import STDIN
from localfirst.mcp_server.one_session import AtWork, OneSession, ToolSession
from localfirst.mcp_server.repeated_calls import RepeatedCalls
from localfirst.mcp_server.roots import ROOTS_CHANGED, Roots
from localfirst.mcp_server.tools import tool_list, tool_table
from localfirst.mcp_server.transport import event_loop_stdio, watchable
from localfirst.mcp_server.wire import Payloads
from localfirst.operations.operation import Operation

NAME = "localfirst"
INSTRUCTIONS = """\
Project memory shared by all who work on this project: work items (project, session, task, research; up to five levels), \
their dependencies and history, vendors, deployments, enhancements, and search over items and code.

Everything is kept on this machine first and synchronised by itself, so every tool works offline too. Rows have a \
`version`: send the version you read with an update. On a "version mismatch" error read the row again, look at what \
changed, and repeat your change with its present version; nothing of yours was written. `list_conflicts` and \
`resolve_conflict` settle changes made on two machines at once.

Each result has `warnings`, empty when all is well: `database_unavailable`, `using_fallback_cache` and `stale_cache` mean \
that the answer comes from this machine and others may know more; `pending_local_changes` that yours are not shared yet; \
`conflict_pending` that somebody should decide; `set_aside` that the server has something that cannot be read here \
(`sync_status` names it). None of them asks you to repeat a call. Errors say in one sentence what to \
do next."""
TOOLS_FRESH_MS = 300_000

_log = logging.getLogger("localfirst")


class Tools:
    """The operations by name, called for one session. Whatever one raises becomes an answer."""

    def __init__(self, session: OneSession, operations: Iterable[Operation], blocking: frozenset[str]) -> None:
        self.table = tool_table(operations)
        self.session = self._session = session
        self._blocking = blocking
        unknown = blocking - self.table.keys()
        if unknown:
            raise ValueError(f"no such operation: {', '.join(sorted(unknown))}")

    def call_if_settled(self, name: str, arguments: dict[str, Any], client_name: str | None) -> Answer | None:
        """`call_at_once`; None as well while the client is asked where it works."""
        return self.call_at_once(name, arguments, client_name) if self._session.is_settled() else None

    def call_at_once(self, name: str, arguments: dict[str, Any], client_name: str | None) -> Answer | None:
        """The answer, or None if there is no such tool or it has to wait for something."""
        operation = self.table.get(name)
        if operation is None or name in self._blocking:
            return None
        try:
            model = checked(name, operation.arguments, arguments)
            opened = self._session.opened(client_name)
            run: Callable[..., dict[str, Any]] = operation.run
            result = run(opened, model)
        except Exception as error:  # noqa: BLE001 - the client gets an answer, the log the cause
            return _failed(name, error)
        try:
            return success(result, opened.take_place(), self._session.take_announcement(opened))
        except Exception as error:  # noqa: BLE001 - what was written is written
            return _unreported(operation, result, error)

    async def call_in_thread(
        self,
        operation: Operation,
        arguments: dict[str, Any],
        client_name: str | None,
        on_result: Callable[[dict[str, Any]], None] | None = None,
    ) -> Answer:
        """The answer of a tool that waits for something: the event loop goes on meanwhile.

        Args:
            on_result: called with the result in the other thread, before the event loop is.
        """
        at_work: AtWork | None = None
        try:
            model = checked(operation.name, operation.arguments, arguments)
            opened = self._session.opened(client_name)
            run: Callable[..., dict[str, Any]] = operation.run
            at_work = self._session.at_work(partial(run, opened, model))
            at_work.on_result = on_result
            try:
                result = await anyio.to_thread.run_sync(at_work, abandon_on_cancel=True)
            finally:
                at_work.withdraw()
        except Exception as error:  # noqa: BLE001 - the same
            if at_work is not None and at_work.result is not None:
                return _unreported(operation, at_work.result, error)
            return _failed(operation.name, error)
        try:
            return success(result, opened.take_place(), self._session.take_announcement(opened))
        except Exception as error:  # noqa: BLE001 - the same
            return _unreported(operation, result, error)


def _failed(tool: str, error: Exception) -> Answer:
    if isinstance(error, LocalfirstError):
        return failure(error)
    _log.error("the tool %s failed", tool, exc_info=error)
    return failure(internal_error(tool))


def _unreported(operation: Operation, result: dict[str, Any], error: Exception) -> Answer:
    """The answer where a result could not be put into words: of a write it is reported all the same."""
    if operation.effect == "read":
        return _failed(operation.name, error)
    _log.error("the answer of %s could not be written as usual; the write is stored", operation.name, exc_info=error)
    return plain_success(result)


PRIME = "prime"
PRIME_RESOURCE = {
    "uri": "localfirst://prime",
    "name": PRIME,
    "mimeType": "application/json",
    "description": "What to know at the beginning: claims, what is ready, what changed. Titles are others' words.",
}


def build_server(
    tools: Tools, payloads: Payloads | None = None, called_by: Callable[[str | None], None] = lambda _: None
) -> Server[Any]:
    """The SDK server with these tools.

    Args:
        payloads: given when the transport puts them in their place.
        called_by: called with the client's name at every call.
    """
    listed: list[dict[str, Any]] = []

    async def list_tools(_: ServerRequestContext[Any], __: types.PaginatedRequestParams) -> dict[str, Any]:
        if not listed:
            listed.extend(tool_list(tools.table.values()))
        return {"tools": listed, "resultType": "complete"}

    def noted(context: ServerRequestContext[Any]) -> Callable[[dict[str, Any]], None] | None:
        """Notes what a request has written as soon as it is written: until its answer is made, the event loop has to go on."""
        request_id = context.request_id
        if payloads is None or request_id is None:
            return None
        return lambda result: payloads.note_write(request_id, lambda: as_result(plain_success(result), None))

    async def call_tool(context: ServerRequestContext[Any], request: types.CallToolRequestParams) -> dict[str, Any]:
        operation = tools.table.get(request.name)
        if operation is None:
            raise _unknown_tool(request.name)
        arguments, client_name = request.arguments or {}, _client_name(context)
        called_by(client_name)
        await tools.session.settle(context.session)
        answer = tools.call_at_once(request.name, arguments, client_name)
        if answer is None:
            on_result = noted(context) if operation.effect != "read" else None
            answer = await tools.call_in_thread(operation, arguments, client_name, on_result)
        try:
            if payloads is not None and context.request_id is not None and operation.effect != "read" and not answer.is_error:
                payloads.note_write(context.request_id, partial(as_result, answer, None))
            return as_result(answer, payloads)
        except Exception:  # noqa: BLE001 - the tool has done its work: its answer goes out the plain way
            _log.exception("the answer of %s could not be put in its place", request.name)
            return as_result(answer, None)

    async def primed(context: ServerRequestContext[Any]) -> str:
        """What `prime` answers, as text."""
        operation = tools.table[PRIME]
        client_name = _client_name(context)
        await tools.session.settle(context.session)
        answer = tools.call_at_once(PRIME, {}, client_name) or await tools.call_in_thread(operation, {}, client_name)
        return str(as_result(answer, None)["content"][0]["text"])

    async def list_resources(_: ServerRequestContext[Any], __: types.PaginatedRequestParams) -> dict[str, Any]:
        return {"resources": [PRIME_RESOURCE], "resultType": "complete"}

    async def read_resource(context: ServerRequestContext[Any], request: types.ReadResourceRequestParams) -> dict[str, Any]:
        if str(request.uri) != PRIME_RESOURCE["uri"]:
            raise MCPError(
                code=types.INVALID_PARAMS, message=f"There is no resource {request.uri}; read {PRIME_RESOURCE['uri']}."
            )
        text = await primed(context)
        return {"contents": [{**PRIME_RESOURCE, "text": text}], "resultType": "complete"}

    async def list_prompts(_: ServerRequestContext[Any], __: types.PaginatedRequestParams) -> dict[str, Any]:
        return {"prompts": [{"name": PRIME, "description": PRIME_RESOURCE["description"]}], "resultType": "complete"}

    async def get_prompt(context: ServerRequestContext[Any], request: types.GetPromptRequestParams) -> dict[str, Any]:
        if request.name != PRIME:
            raise MCPError(code=types.INVALID_PARAMS, message=f"There is no prompt {request.name}; there is {PRIME}.")
        text = await primed(context)
        message = {"role": "user", "content": {"type": "text", "text": text}}
        return {"description": PRIME_RESOURCE["description"], "messages": [message], "resultType": "complete"}

    async def initialized(context: ServerRequestContext[Any], _: types.NotificationParams) -> None:
        tools.session.begin(context.session)

    async def roots_changed(context: ServerRequestContext[Any], _: types.NotificationParams) -> None:
        tools.session.change(context.session)

    server: Server[Any] = Server(
        NAME,
        title=NAME,
        version=localfirst.__version__,
        instructions=INSTRUCTIONS,
        cache_hints={
            **dict.fromkeys(("tools/list", "resources/list", "prompts/list"), CacheHint(ttl_ms=TOOLS_FRESH_MS)),
            "resources/read": CacheHint(ttl_ms=0),
        },
    )
    server.add_request_handler("tools/list", types.PaginatedRequestParams, list_tools)
    server.add_request_handler("tools/call", types.CallToolRequestParams, call_tool)
    if PRIME in tools.table:
        server.add_request_handler("resources/list", types.PaginatedRequestParams, list_resources)
        server.add_request_handler("resources/read", types.ReadResourceRequestParams, read_resource)
        server.add_request_handler("prompts/list", types.PaginatedRequestParams, list_prompts)
        server.add_request_handler("prompts/get", types.GetPromptRequestParams, get_prompt)
    server.add_notification_handler("notifications/initialized", types.NotificationParams, initialized)
    server.add_notification_handler(ROOTS_CHANGED, types.NotificationParams, roots_changed)
    # The only one there is traces each message for an exporter that this program never installs.
    server.middleware.clear()
    return server


async def serve(
    session_factory: Callable[[], ToolSession],
    operations: Iterable[Operation],
    *,
    blocking: frozenset[str] = frozenset(),
    roots: Roots | None = None,
    until: asyncio.Event | None = None,
) -> None:
    """Serve one client on standard input and output until it closes its end, then close the session.

    `session_factory` is called right after the first answer, so that the handshake does not wait for it; if it raises, the
    first tool calls it again and answers with the error. Ends the same way when `until` is set, or when
    cancelled. With `roots`, a client that offers them is asked first, and again when they have changed.
    """
    session = OneSession(session_factory, roots)
    try:
        if watchable(STDIN):
            await _serve_on_event_loop(session, operations, blocking, until or asyncio.Event())
        else:
            server = build_server(Tools(session, operations, blocking))
            async with stdio_server() as (source, target):
                if roots is None:
                    session.open_early()
                await server.run(source, target, server.create_initialization_options())
    finally:
        session.close()


async def _serve_on_event_loop(
    session: OneSession, operations: Iterable[Operation], blocking: frozenset[str], until: asyncio.Event
) -> None:
    payloads = Payloads()
    tools = Tools(session, operations, blocking)
    repeated = RepeatedCalls(tools.call_if_settled)
    server = build_server(tools, payloads, repeated.is_called_by)
    loop = asyncio.get_running_loop()
    opening: list[asyncio.Handle] = []

    def on_answer() -> None:
        if not opening:
            opening.append(loop.call_soon(session.open_early))

    async with (
        event_loop_stdio(payloads, repeated, on_answer, session.roots) as (source, target),
        _ended_by(until, source.end),
    ):
        await server.run(source, target, server.create_initialization_options())


@contextlib.asynccontextmanager
async def _ended_by(until: asyncio.Event, end: Callable[[], None]) -> AsyncIterator[None]:
    """Calls `end` when `until` is set within the block."""

    async def wait() -> None:
        await until.wait()
        end()

    waiting = asyncio.ensure_future(wait())
    try:
        yield
    finally:
        waiting.cancel()


def _client_name(context: ServerRequestContext[Any]) -> str | None:
    """The client's own name, from the handshake or from the request itself, as its protocol version has it."""
    client = context.session.client_params
    return None if client is None else client.client_info.name


def _unknown_tool(name: str) -> MCPError:
    """The protocol has an error of its own for this one; the contract's form travels as its data."""
    error = ValidationError("name", "must be the name of a tool", f"Unknown tool: {name}; ask for the list of tools.")
    return MCPError(code=types.INVALID_PARAMS, message=error.message, data=error.as_dict())
