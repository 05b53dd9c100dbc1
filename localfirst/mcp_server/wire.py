"""JSON-RPC messages as lines of bytes, read and written in one pass.

The SDK's session logic shapes every answer twice through pydantic, which walks the whole result each time. A tool's
result is JSON already, so it does not take part: `Payloads` holds the encoded result under a token, the SDK shapes an
answer that carries only the token, and `encode` puts the bytes in its place.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import mcp_types as types
import msgspec
from pydantic import ValidationError

from localfirst.mcp_server.framing import has_id, outer_id

_encoder = msgspec.json.Encoder()

WRITTEN_MAX = 64
"""Calls that have written and wait for their answer to be shaped: mostly one."""


class Payload(NamedTuple):
    """One result's structured content in JSON, and the text beside it, as a JSON string."""

    structured: bytes
    text: bytes


class Payloads:
    """Encoded results on their way from the tool handler to the pipe.

    The way has no waiting point (the handler's return, the SDK's shaping and `encode` are one step of the event loop),
    so at most a few are held at any time.
    """

    def __init__(self) -> None:
        self._held: dict[str, Payload] = {}
        # Random, so that no text a tool returns can be mistaken for a token.
        self._prefix = f"localfirst-payload-{os.urandom(16).hex()}-"
        self._numbers = itertools.count()
        self._written: dict[int | str, Callable[[], dict[str, Any]]] = {}

    def note_write(self, request_id: int | str, result: Callable[[], dict[str, Any]]) -> None:
        """A request has written something: `result` makes its answer, should what lies between here and the pipe fail."""
        self._written[request_id] = result
        if len(self._written) > WRITTEN_MAX:  # of calls that were cancelled nobody takes it
            del self._written[next(iter(self._written))]

    def written(self, request_id: int | str) -> dict[str, Any] | None:
        """Once: the result of a request that has written something."""
        result = self._written.pop(request_id, None)
        return None if result is None else result()

    def hold(self, payload: Payload) -> str:
        """Keep `payload` until an answer whose first text is the returned token is written."""
        token = f"{self._prefix}{next(self._numbers)}"
        self._held[token] = payload
        return token

    def release(self, result: dict[str, Any]) -> None:
        """Put the held bytes, if there are any for it, in the place of the token in a tool's `result`."""
        if not self._held:
            return
        content = result.get("content")
        if not (isinstance(content, list) and content and isinstance(content[0], dict)):
            return
        payload = self._held.pop(content[0].get("text", ""), None)
        if payload is None:
            return
        content[0]["text"] = msgspec.Raw(payload.text)
        # Protocol versions before 2025-06-18 know no structured content.
        if "structuredContent" in result:
            result["structuredContent"] = msgspec.Raw(payload.structured)


def encode(message: types.JSONRPCMessage, payloads: Payloads) -> bytes:
    """The message as one line. The result of an answer is taken over by `payloads` and must not be used again."""
    if isinstance(message, types.JSONRPCResponse):
        payloads.release(message.result)
        answer = {"jsonrpc": "2.0", "id": message.id, "result": message.result}
        try:
            return one_line(_encoder.encode(answer))
        except (TypeError, ValueError):
            # Something that only pydantic can write; tool results never hold such a thing.
            pass
    try:
        return one_line(message.model_dump_json(by_alias=True, exclude_unset=True).encode())
    except ValueError:
        # A lone surrogate, which no encoding can write: as an escape, the way in which it came.
        return json.dumps(message.model_dump(by_alias=True, exclude_unset=True), default=str).encode() + b"\n"


def one_line(text: bytes) -> bytes:
    """JSON as a line, also for readers to whom U+0085, U+2028 and U+2029 end a line: these are written as escapes."""
    if not text.isascii():
        for separator, escape in _SEPARATORS:
            if separator in text:
                text = text.replace(separator, escape)
    return text + b"\n"


_SEPARATORS = tuple((chr(code).encode(), rb"\u%04x" % code) for code in (0x85, 0x2028, 0x2029))
"""In JSON they stand within strings alone, where each may be escaped."""


class Refused(Exception):
    """A line that is no message; `answer` is what its sender is answered, None where nobody waits for an answer."""

    def __init__(self, answer: types.JSONRPCError | None) -> None:
        super().__init__("a line that is no message")
        self.answer = answer


def decode(line: bytes | bytearray) -> types.JSONRPCMessage:
    """The message in `line`. Raises `Refused`.

    Lone surrogates and deep nesting, which the SDK's parser takes for broken JSON, are let through in the arguments of a tool:
    there they are refused with the name of the field. Elsewhere (an id, a method, a tool's name) they end here.
    """
    try:
        # Nearly every message is a request; trying the four kinds at once costs four times as much.
        request = types.JSONRPCRequest.model_validate_json(line, by_name=False)
    except ValidationError:
        return _decoded_in_full(line)
    if not is_id(request.id):
        raise Refused(_error(None, types.INVALID_REQUEST, _ID))
    return request


def _decoded_in_full(line: bytes | bytearray) -> types.JSONRPCMessage:
    try:
        value = json.loads(line.decode())
    except (ValueError, RecursionError):
        request_id = outer_id(line)
        if request_id is None and has_id(line):
            raise Refused(_error(None, types.INVALID_REQUEST, _ID)) from None
        what = "the line" if request_id is None else "the message is nested too deeply, or"
        raise Refused(_error(request_id, types.PARSE_ERROR, f"Parse error: {what} is not valid JSON")) from None
    if not isinstance(value, dict):
        raise Refused(_error(None, types.INVALID_REQUEST, "Invalid request: the line is not one JSON-RPC 2.0 message"))
    is_answer = "method" not in value and ("result" in value or "error" in value)
    request_id = None
    if "id" in value and not is_answer:
        if not is_id(value["id"]):
            raise Refused(_error(None, types.INVALID_REQUEST, _ID))
        request_id = value["id"]
    try:
        if not _is_unicode(value):
            raise Refused(
                None if is_answer else _error(request_id, types.INVALID_REQUEST, "Invalid request: a text is not valid Unicode")
            )
        if is_answer:
            return types.jsonrpc_message_adapter.validate_python(value, by_name=False)
        kind = types.JSONRPCNotification if request_id is None else types.JSONRPCRequest
        return kind.model_validate(value, by_name=False)
    except ValidationError:
        raise Refused(
            None
            if is_answer
            else _error(request_id, types.INVALID_REQUEST, "Invalid request: the line is not a JSON-RPC 2.0 message")
        ) from None


_ID = "Invalid request: the id must be a text or a whole number of at most 64 bits"
ID_MAX = 2**63 - 1


def is_id(value: Any) -> bool:
    """Whether this may be the id of a request: JSON-RPC has texts and numbers, and MCP no null and no fractions."""
    if isinstance(value, str):
        return value.isascii() or _is_unicode(value)
    return isinstance(value, int) and not isinstance(value, bool) and -ID_MAX - 1 <= value <= ID_MAX


def _is_unicode(value: Any) -> bool:
    """Whether no text in it has a lone surrogate. The arguments of a tool are left out: they are checked by their fields."""
    if isinstance(value, dict) and isinstance(params := value.get("params"), dict) and "arguments" in params:
        value = {**value, "params": {**params, "arguments": None}}
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def cancelled_id(message: types.JSONRPCMessage) -> int | str | None:
    """The id of the request that this message calls off."""
    if isinstance(message, types.JSONRPCNotification) and message.method == "notifications/cancelled":
        request_id = (message.params or {}).get("requestId")
        return request_id if is_id(request_id) else None
    return None


def refusal_of_length(request_id: int | str | None, limit_bytes: int) -> types.JSONRPCError:
    """The answer to a line that is too long."""
    return _error(
        request_id,
        types.INVALID_REQUEST,
        f"Invalid request: the line is longer than {limit_bytes >> 20} MB, and was not read; send less in one message",
    )


def _error(request_id: int | str | None, code: int, message: str) -> types.JSONRPCError:
    return types.JSONRPCError(jsonrpc="2.0", id=request_id, error=types.ErrorData(code=code, message=message))
