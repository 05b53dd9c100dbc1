"""Calls that repeat an earlier one's envelope are answered as the session logic would answer them, and without it."""

from __future__ import annotations

import json
from typing import Any

import mcp_types as types
import pytest

from localfirst.mcp_server.answers import Answer
from localfirst.mcp_server.repeated_calls import RepeatedCalls
from mcp_server.pipe_client import ENVELOPE, PipeClient

VERSIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", None]
"""None: the protocol without a handshake, in which each request tells all."""

PARAMS = [
    '"name": "noop", "arguments": {}',
    '"name": "noop"',
    '"name": "noop", "arguments": null',
    '"name": "noop", "arguments": [1]',
    '"name": "noop", "arguments": {"x": 1}',
    '"name": "listed", "arguments": {}',
    '"name": "echo", "arguments": {"text": "ü\\u0000\\n\\ud83d\\ude00 \\"quoted\\""}',
    '"name": "echo", "arguments": {"text": "\\ud800"}',
    '"name": "echo", "arguments": {"text": "a", "text": "b"}',
    '"name": "echo", "arguments": {"text": 1e400}',
    '"name": "echo", "arguments": {"text": NaN}',
    '"name": "typed", "arguments": {"title": "five5", "limit": 18446744073709551617}',
    '"name": "typed", "arguments": {"title": "five5", "limit": 7.0, "owner": "6b1f9d0e-8a3c-4d57-9c55-0f7f2a1b3c4d"}',
    '"name": "mismatch", "arguments": {}',
    '"name": "duplicate", "arguments": {}',
    '"name": "crash", "arguments": {}',
    '"name": "name", "arguments": {}',
    '"name": "wait_in_thread", "arguments": {"seconds": 0.01}',
    '"name": "absent", "arguments": {}',
    '"name": 7, "arguments": {}',
    '"arguments": {}',
    '"name": "noop", "arguments": {}, "task": {"ttl": 1}',
]


def _line(version: str | None, number: int, params: str) -> bytes:
    envelope = f', "_meta": {json.dumps(ENVELOPE)}' if version is None else ""
    return f'{{"jsonrpc": "2.0", "id": {number}, "method": "tools/call", "params": {{{params}{envelope}}}}}\n'.encode()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_repeated_call_is_answered_as_the_session_logic_answers_it(version: str | None) -> None:
    with PipeClient(version) as client:
        client.send_bytes(_line(version, 0, PARAMS[0]))
        client.receive_line()
        for number, params in enumerate(PARAMS, 1):
            line = _line(version, number, params)
            client.send_bytes(line)
            repeated = client.receive_line()
            client.send_bytes(line + b"\n")  # two lines at once are not what one call after the other looks like
            assert json.loads(repeated) == client.receive(), params


def test_only_the_first_of_many_calls_reaches_the_session_logic() -> None:
    with PipeClient(None, TEST_TELL_SESSION_LOGIC="yes") as client:
        for number in range(5):
            client.send_bytes(_line(None, number, PARAMS[0]))
            assert client.receive()["id"] == number
        client.close_input()
        _, errors = client.ended()
    assert errors.count("for the session logic") == 1


def _let_through(envelope: str = "") -> tuple[RepeatedCalls, list[tuple[str, dict[str, Any], str | None]]]:
    """Calls of which one was let through; and what is called since."""
    called: list[tuple[str, dict[str, Any], str | None]] = []

    def call_tool(name: str, arguments: dict[str, Any], client_name: str | None) -> Answer | None:
        called.append((name, arguments, client_name))
        return None if name == "blocking" else Answer(b"{}", "{}", is_error=False)

    repeated = RepeatedCalls(call_tool)
    assert repeated.answer(_call(1, envelope=envelope)) is None
    repeated.is_called_by("somebody")
    repeated.learn(types.JSONRPCResponse(jsonrpc="2.0", id=1, result={"content": [], "isError": False, "x": 1}))
    assert called == []
    return repeated, called


def _call(
    number: int, params: str = '"name":"noop","arguments":{"a":1}', *, method: str = "tools/call", envelope: str = ""
) -> bytes:
    return f'{{"jsonrpc":"2.0","id":{number},"method":"{method}","params":{{{params}{envelope}}}}}'.encode()


def test_the_session_logic_is_not_asked_again() -> None:
    repeated, called = _let_through()
    answer = repeated.answer(_call(2))
    assert answer is not None
    assert json.loads(answer) == {
        "jsonrpc": "2.0",
        "id": 2,
        "result": {"content": [{"type": "text", "text": "{}"}], "isError": False, "x": 1},
    }
    assert called == [("noop", {"a": 1}, "somebody")]


@pytest.mark.parametrize(
    "line",
    [
        _call(2, method="tools/list"),
        _call(2, '"name":"noop","arguments":{},"_meta":{"progressToken":1}'),
        _call(2, '"name":"noop","arguments":{},"inputResponses":{}'),
        _call(2, '"name":"noop","arguments":[]'),
        b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"noop"}}',
        b'{"jsonrpc":"1.0","id":2,"method":"tools/call","params":{"name":"noop"}}',
        b'{"jsonrpc":"2.0","id":2,"method":"tools/call"',
        _call(2, '"name":"noop","arguments":{"a":' + "[" * 20_000 + "]" * 20_000 + "}"),
        b"\xff",
        b"",
    ],
)
def test_whatever_else_differs_is_for_the_session_logic(line: bytes) -> None:
    repeated, called = _let_through()
    assert repeated.answer(line) is None
    assert called == []


def test_a_tool_that_cannot_be_called_at_once_is_for_the_session_logic() -> None:
    repeated, _ = _let_through()
    assert repeated.answer(_call(2, '"name":"blocking"')) is None


def test_another_client_is_another_envelope() -> None:
    ours, theirs = ',"_meta":{"client":"ours"}', ',"_meta":{"client":"theirs"}'
    repeated, called = _let_through(ours)
    assert repeated.answer(_call(2, envelope=theirs)) is None
    repeated.is_called_by("somebody else")
    repeated.is_called_by("a third, whose call came while that one was on its way")
    repeated.learn(types.JSONRPCResponse(jsonrpc="2.0", id=2, result={"content": [], "isError": False}))
    assert repeated.answer(_call(3, envelope=ours)) is None
    assert repeated.answer(_call(4, envelope=theirs)) is not None
    assert [name for _, _, name in called] == ["somebody else"]


def test_an_answer_to_something_else_teaches_nothing() -> None:
    repeated, called = _let_through()
    assert repeated.answer(_call(2, envelope=',"_meta":{}')) is None
    repeated.learn(types.JSONRPCResponse(jsonrpc="2.0", id=3, result={"content": [], "isError": False}))
    repeated.learn(types.JSONRPCResponse(jsonrpc="2.0", id=2, result={"tools": []}))
    assert repeated.answer(_call(4, envelope=',"_meta":{}')) is None
    assert called == []
