"""A tool's result or error as the MCP answer that carries it.

Both carry structured content and text; a success repeats the structured content as compact JSON, because clients that
know no structured content, and many models, read the text alone.
"""

from __future__ import annotations

from typing import Any

import msgspec
from localfirst_schema.errors import LocalfirstError, UnavailableError

from localfirst.mcp_server.wire import Payload, Payloads

_encoder = msgspec.json.Encoder()
_lenient_encoder = msgspec.json.Encoder(enc_hook=str)


def success(result: dict[str, Any], announcement: str | None, payloads: Payloads | None) -> dict[str, Any]:
    """The answer for `result`, which holds JSON types only; `announcement` becomes a field of it (the text stays its JSON)."""
    if announcement is not None:
        result = result | {"announcement": announcement}
    structured = _encoder.encode(result)
    return _answer(result, structured, structured.decode(), payloads)


def failure(error: LocalfirstError, payloads: Payloads | None) -> dict[str, Any]:
    """The answer for `error`: its sentence as text, its fields as structured content."""
    # Details may hold anything worth telling; the round through JSON leaves JSON types only.
    structured = _lenient_encoder.encode(error.as_dict())
    answer = _answer(msgspec.json.decode(structured), structured, error.message, payloads)
    answer["isError"] = True
    return answer


def internal_error(tool: str) -> UnavailableError:
    """What a caller learns of an exception that nobody foresaw; the log has the rest."""
    return UnavailableError(f"{tool} met an internal error: see the program's log for its cause before you call it again.")


def _answer(value: Any, structured: bytes, text: str, payloads: Payloads | None) -> dict[str, Any]:
    if payloads is not None:
        text = payloads.hold(Payload(structured, _encoder.encode(text)))
        value = {}
    return {
        "content": [{"type": "text", "text": text}],
        "structuredContent": value,
        "isError": False,
        "resultType": "complete",
    }
