"""JSON-RPC messages as lines of bytes, read and written in one pass.

The SDK's session logic shapes every answer twice through pydantic, which walks the whole result each time. A tool's
result is JSON already, so it does not take part: `Payloads` holds the encoded result under a token, the SDK shapes an
answer that carries only the token, and `encode` puts the bytes in its place.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from typing import Any, NamedTuple

import mcp_types as types
import msgspec
from pydantic import ValidationError

_encoder = msgspec.json.Encoder()


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
            return _encoder.encode(answer) + b"\n"
        except (TypeError, ValueError):
            # Something that only pydantic can write; tool results never hold such a thing.
            pass
    return message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"


def decode(line: bytes | bytearray) -> types.JSONRPCMessage:
    """The message in `line`, accepted and refused as the SDK's own transport does.

    Raises `pydantic.ValidationError`; `refusal` says what to answer then.
    """
    try:
        # Nearly every message is a request; trying the four kinds at once costs four times as much.
        return types.JSONRPCRequest.model_validate_json(line, by_name=False)
    except ValidationError as error:
        if _is_json_invalid(error) and (value := _leniently(line)) is not None:
            return types.jsonrpc_message_adapter.validate_python(value, by_name=False)
        text = line.decode("utf-8", "replace")
        return types.jsonrpc_message_adapter.validate_json(text, by_name=False)


def _leniently(line: bytes | bytearray) -> Any:
    """The line as Python's own parser reads it, or None: it takes lone surrogates and more nesting than pydantic's.

    Such values are refused by the arguments' own checks, with the name of the field; here they would only be a line that is
    not JSON, answered to nobody, and the caller would wait in vain.
    """
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_json_invalid(error: ValidationError) -> bool:
    return any(one["type"] == "json_invalid" for one in error.errors(include_url=False, include_input=False))


def refusal(line: bytes | bytearray, error: ValidationError) -> types.JSONRPCError | None:
    """The JSON-RPC answer to a line that is no message; `None` for a broken answer, which is never answered."""
    if _is_json_invalid(error):
        request_id = _outer_id(line)
        if request_id is None:
            return _error(None, types.PARSE_ERROR, "Parse error: the line is not valid JSON")
        return _error(request_id, types.PARSE_ERROR, "Parse error: the message is nested too deeply, or not valid JSON")
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = None
    request_id = None
    if isinstance(value, dict):
        if "method" not in value and ("result" in value or "error" in value):
            return None
        given = value.get("id")
        if isinstance(given, str) or (isinstance(given, int) and not isinstance(given, bool)):
            request_id = given
    return _error(request_id, types.INVALID_REQUEST, "Invalid request: the line is not a JSON-RPC 2.0 message")


_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]|-?\d+')


def _outer_id(line: bytes | bytearray) -> int | str | None:
    """The request's id in a line that no parser takes, found by counting brackets."""
    depth, key = 0, b""
    for found in _TOKEN.finditer(line):
        token = found[0]
        if token in (b"{", b"["):
            depth += 1
        elif token in (b"}", b"]"):
            depth -= 1
        elif depth == 1 and key == b'"id"':
            return int(token[:19]) if token[:1] != b'"' else token[1:-1].decode("utf-8", "replace")
        key = token if depth == 1 else b""
    return None


def _error(request_id: int | str | None, code: int, message: str) -> types.JSONRPCError:
    return types.JSONRPCError(jsonrpc="2.0", id=request_id, error=types.ErrorData(code=code, message=message))
