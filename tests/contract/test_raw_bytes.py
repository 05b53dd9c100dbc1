"""What no client library would send: the server refuses it in form and answers the next request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from contract.laptop import Laptop
from contract.wire import Wire


@pytest.fixture(scope="module")
def wire(shared_laptop: Laptop) -> Iterator[Wire]:
    with Wire(shared_laptop) as connected:
        yield connected


def error_of(reply: dict[str, Any]) -> str:
    """The contract's error, or the protocol's, with which a request was refused."""
    if "error" in reply:
        return "protocol" if reply["id"] is not None else "an error to nobody"
    assert reply["result"]["isError"] is True, reply
    return str(reply["result"]["structuredContent"]["error"])


def count(wire: Wire) -> int:
    return int(wire.call("list_work_items")["structuredContent"]["total_count"])


@pytest.mark.parametrize(
    "fields",
    [
        '"title": "\\ud800"',
        '"title": "a\\udfffb"',
        '"title": "\\u0000"',
        '"title": "x", "metadata": {"a": "\\ud83d"}',
        '"title": "x", "metadata": {"\\ud83d": 1}',
        '"title": "x", "metadata": {"a": ["\\u0000"]}',
        '"title": "x", "branch_name": "\\ude00\\ud83d"',
        '"title": "x", "created_by": "\\ud800"',
        '"title": "x", "metadata": {"estimated_hours": NaN}',
        '"title": "x", "metadata": {"n": NaN}',
        '"title": "x", "metadata": {"n": Infinity}',
        '"title": "x", "metadata": {"n": -Infinity}',
        '"title": "x", "metadata": {"n": 1e400}',
        '"title": "x", "metadata": {"estimated_hours": 1e400}',
        '"title": "x", "pr_number": 9223372036854775808',
        '"title": "x", "pr_number": 1e400',
        '"title": "x", "pr_number": NaN',
    ],
    ids=lambda fields: fields[:60],
)
def test_what_no_store_could_keep_is_refused(wire: Wire, fields: str) -> None:
    before = count(wire)
    reply = wire.call_text("create_work_item", f'{{"item_type": "task", {fields}}}')
    assert error_of(reply) in ("ValidationError", "protocol")
    assert count(wire) == before


@pytest.mark.parametrize(
    "value",
    [f"1{'0' * 5000}", f"-1{'0' * 50_000}", f"{'[' * 20_000}{']' * 20_000}", '{"a":' * 20_000 + "1" + "}" * 20_000],
    ids=["5000 digits", "50000 digits", "20000 arrays", "20000 objects"],
)
def test_what_no_parser_could_take_is_refused(wire: Wire, value: str) -> None:
    """It may be an error to nobody: the id may stand behind what could not be read."""
    before = count(wire)
    reply = wire.call_text("create_work_item", f'{{"item_type": "task", "title": "x", "metadata": {{"n": {value}}}}}')
    assert error_of(reply) in ("ValidationError", "protocol", "an error to nobody")
    assert count(wire) == before


@pytest.mark.parametrize("depth", [50, 100, 500])
def test_deep_metadata_is_kept_whole_or_refused(wire: Wire, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    reply = wire.call_text("create_work_item", f'{{"item_type": "task", "title": "x", "metadata": {{"deep": {deep}}}}}')
    if "error" in reply or reply["result"].get("isError"):
        assert error_of(reply) in ("ValidationError", "protocol")
    else:
        made = reply["result"]["structuredContent"]
        read = wire.call("query_work_item", id=made["id"])["structuredContent"]
        assert json.dumps(read["metadata"]["deep"]) == deep.replace(",", "")


@pytest.mark.parametrize(
    "arguments", ["null", "[]", '"x"', "5", "true", '[{"item_type": "task"}]'], ids=lambda arguments: arguments
)
def test_arguments_that_are_no_object_are_refused(wire: Wire, arguments: str) -> None:
    before = count(wire)
    assert error_of(wire.call_text("create_work_item", arguments)) in ("ValidationError", "protocol")
    assert count(wire) == before


def test_no_arguments_at_all_are_an_empty_object(wire: Wire) -> None:
    answer = wire.request("tools/call", {"name": "list_vendors"})["result"]["structuredContent"]
    assert answer["items"] == []
    refused = wire.request("tools/call", {"name": "create_vendor"})["result"]
    assert refused["structuredContent"]["error"] == "ValidationError"
    assert refused["structuredContent"]["details"]["field"] == "name"


@pytest.mark.parametrize(
    "line", ["", "   ", "{", "null", "5", "[]", "{}", '"x"', '{"jsonrpc": "2.0"}', b"\xff\xfe\x00", "\x00"]
)
def test_a_line_that_is_no_request_does_not_stop_the_server(wire: Wire, line: str | bytes) -> None:
    wire.send(line)
    wire.send('{"jsonrpc": "2.0", "id": "after", "method": "tools/call", "params": {"name": "list_vendors"}}')
    while (message := wire.message()).get("id") != "after":
        assert message.get("id") is None, "what asked for nothing is answered to nobody"
    assert message["result"]["structuredContent"]["success"] is True


def test_a_request_for_what_there_is_not_is_refused_by_the_protocol(wire: Wire) -> None:
    assert wire.request("tools/fly", {})["error"]["code"] == -32601
    assert "error" in wire.request("tools/call", {"name": "fly", "arguments": {}})


def test_an_error_is_a_tool_error_with_both_forms(wire: Wire) -> None:
    result = wire.call("create_vendor", name="")
    assert result["isError"] is True
    assert set(result["structuredContent"]) >= {"error", "message", "details"}
    assert "success" not in result["structuredContent"]
    (content,) = result["content"]
    assert content["type"] == "text"
    assert content["text"]


def test_an_answer_is_structured_and_the_same_as_text(wire: Wire) -> None:
    result = wire.call("create_vendor", name="v")
    assert not result.get("isError")
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]


def test_requests_sent_at_once_are_all_answered(wire: Wire) -> None:
    for number in range(100, 200):
        call = {"name": "create_work_item", "arguments": {"item_type": "task", "title": f"at once {number}"}}
        wire.send(json.dumps({"jsonrpc": "2.0", "id": f"n{number}", "method": "tools/call", "params": call}))
    waiting = {f"n{number}" for number in range(100, 200)}
    while waiting:
        message = wire.message()
        waiting.remove(message["id"])
        assert message["result"]["structuredContent"]["version"] == 1


def test_a_key_given_twice_is_one_of_them_or_refused(wire: Wire) -> None:
    reply = wire.call_text("create_work_item", '{"item_type": "task", "title": "one", "title": "two"}')
    result = reply["result"]
    assert result.get("isError") or result["structuredContent"]["title"] in ("one", "two")
