"""A call like one that the SDK's session logic has let through before is answered without asking it again.

Each message costs the session logic a quarter of a millisecond: the era and version of the protocol, the state of the
handshake, the envelope, the shape of the answer. For a client that calls one tool after the other all of this comes out
the same: what it says about itself (`_meta`, compared byte by byte) is what it said the last time, and only id, tool and
arguments differ. So the first call goes through the session logic, which decides; the shape that it gives to the answer is
kept; and a later call that repeats the first in everything else gets its answer in that shape at once.

Everything else takes the long way: any other method, a field that is not known here, a progress token, another client's
name, a tool that runs in a worker thread or does not exist, a line that is no JSON, and a call beside another one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import mcp_types as types
import msgspec
import pydantic_core

from localfirst.mcp_server.answers import Answer, varying
from localfirst.mcp_server.wire import is_id, one_line

CallTool = Callable[[str, dict[str, Any], str | None], Answer | None]
"""(tool, arguments, client's name) to the answer; None for a tool that cannot be called from here."""


class _Params(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")
    envelope: msgspec.Raw = msgspec.field(name="_meta", default=msgspec.Raw(b""))


class _Call(msgspec.Struct, forbid_unknown_fields=True):
    jsonrpc: Literal["2.0"]
    id: int | str
    method: Literal["tools/call"]
    params: _Params


class _Known(NamedTuple):
    """What all calls of a client have in common."""

    envelope: bytes
    client_name: str | None
    shape: dict[str, Any]


_log = logging.getLogger("localfirst")

_decoder = msgspec.json.Decoder(_Call)
_encoder = msgspec.json.Encoder()


class RepeatedCalls:
    """Knows one envelope at a time: the last that was let through."""

    def __init__(self, call_tool: CallTool) -> None:
        self._call_tool = call_tool
        self._known: _Known | None = None
        self._passing: _Call | None = None
        self._passing_name: str | None = None

    def answer(self, line: bytes) -> bytes | None:
        """The answer to `line`, or None if the session logic has to be asked. To be called while no call is unanswered."""
        self._passing = self._passing_name = None
        try:
            call = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if not is_id(call.id):
            return None
        known = self._known
        if known is None or bytes(call.params.envelope) != known.envelope:
            self._passing = call
            return None
        try:
            # The parser that the session logic uses, so that numbers come out the same.
            arguments = pydantic_core.from_json(bytes(call.params.arguments))
        except ValueError:
            return None
        answer = self._call_tool(call.params.name, arguments, known.client_name) if isinstance(arguments, dict) else None
        if answer is None:
            return None
        with_structure = "structuredContent" in known.shape
        try:
            result = known.shape | varying(answer, with_structure=with_structure)
            return one_line(_encoder.encode({"jsonrpc": "2.0", "id": call.id, "result": result}))
        except Exception:  # noqa: BLE001 - the tool has done its work: its answer goes out the plain way
            _log.exception("the answer of %s could not be written as usual", call.params.name)
            fields: dict[str, Any] = {"content": [{"text": answer.text, "type": "text"}], "isError": answer.is_error}
            fields |= {"structuredContent": json.loads(answer.structured)} if with_structure else {}
            return json.dumps({"jsonrpc": "2.0", "id": call.id, "result": known.shape | fields}).encode() + b"\n"

    def is_called_by(self, client_name: str | None) -> None:
        """What the session logic says of the call that is on its way through it."""
        if self._passing is not None and self._passing_name is None:
            self._passing_name = client_name

    def learn(self, message: types.JSONRPCResponse) -> None:
        """The session logic answers with this message, perhaps to the call that is on its way through it."""
        call = self._passing
        if call is not None and message.id == call.id and "content" in message.result:
            self._known = _Known(bytes(call.params.envelope), self._passing_name, dict(message.result))
            self._passing = self._passing_name = None
