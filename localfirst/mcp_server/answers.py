"""A tool's result or error as the MCP answer that carries it.

Both carry structured content and text; a success repeats the structured content as compact JSON, because clients that
know no structured content, and many models, read the text alone.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec
from localfirst_schema.errors import LocalfirstError, UnavailableError

from localfirst.client.follow_up import FOLLOW_UP_FAILED
from localfirst.mcp_server.wire import Payload, Payloads

_encoder = msgspec.json.Encoder()
_lenient_encoder = msgspec.json.Encoder(enc_hook=str)


class Answer(NamedTuple):
    """What a tool answers: structured content in JSON, and the text beside it."""

    structured: bytes
    text: str
    is_error: bool


def success(result: dict[str, Any], place: dict[str, Any], announcement: str | None) -> Answer:
    """The answer for `result`, which holds JSON types only; what is said once becomes fields of it (the text stays JSON)."""
    if place:
        result = result | {name: value for name, value in place.items() if name not in result}
    if announcement is not None:
        result = result | {"announcement": announcement}
    structured = _encoder.encode(result)
    return Answer(structured, structured.decode(), is_error=False)


def plain_success(result: dict[str, Any]) -> Answer:
    """The answer for the result of a write that `success` could not take, with a warning."""
    reported = result | {"warnings": [*result.get("warnings", ()), FOLLOW_UP_FAILED]}
    text = json.dumps(reported, default=str)
    return Answer(text.encode(), text, is_error=False)


def failure(error: LocalfirstError) -> Answer:
    """The answer for `error`: its sentence as text, its fields as structured content."""
    fields = error.as_dict()  # its details may hold anything worth telling
    try:
        structured = _lenient_encoder.encode(fields)
    except UnicodeEncodeError:  # a lone surrogate, which the caller sent
        structured = json.dumps(msgspec.to_builtins(fields, enc_hook=str)).encode()
    return Answer(structured, error.message.encode(errors="replace").decode(), is_error=True)


def internal_error(tool: str) -> UnavailableError:
    """What a caller learns of an exception that nobody foresaw; the log has the rest."""
    return UnavailableError(
        f"{tool} met an internal error: see the program's log for its cause before you call it again.", cause="internal"
    )


def as_result(answer: Answer, payloads: Payloads | None) -> dict[str, Any]:
    """The answer for the session logic to shape; with `payloads`, only a token of it."""
    if payloads is None:
        text, structured = answer.text, msgspec.json.decode(answer.structured)
    else:
        text, structured = payloads.hold(Payload(answer.structured, _encoder.encode(answer.text))), {}
    return {
        "content": [{"type": "text", "text": text}],
        "structuredContent": structured,
        "isError": answer.is_error,
        "resultType": "complete",
    }


def varying(answer: Answer, *, with_structure: bool) -> dict[str, Any]:
    """The fields of a result that differ from answer to answer, ready to be encoded."""
    fields: dict[str, Any] = {"content": [{"text": answer.text, "type": "text"}], "isError": answer.is_error}
    if with_structure:
        fields["structuredContent"] = msgspec.Raw(answer.structured)
    return fields
