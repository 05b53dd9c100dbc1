"""A client that sends and does not read: it is not read from either, and loses nothing when it reads again."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from typing import Any

import psutil
import pytest

from mcp_server.pipe_client import ENVELOPE, PipeClient, call

CALLS = 3000
MEGABYTE = 1 << 20


def rss(client: PipeClient) -> int:
    return int(psutil.Process(client.process.pid).memory_info().rss)


def one_line(message: dict[str, Any], envelope: dict[str, Any]) -> bytes:
    message["params"] |= envelope
    return json.dumps(message).encode() + b"\n"


def send_unread(client: PipeClient, lines: bytes) -> threading.Thread:
    """Sends in a thread of its own; returns when the server has read what it will read for now."""
    assert client.process.stdin is not None

    def send() -> None:
        with contextlib.suppress(BrokenPipeError):
            client.send_bytes(lines)

    writer = threading.Thread(target=send)
    writer.start()
    process = psutil.Process(client.process.pid)
    before = -1.0
    while writer.is_alive() and (used := sum(process.cpu_times()[:2])) != before:
        before = used
        writer.join(0.5)
    return writer


@pytest.mark.parametrize("version", ["2025-06-18", None])
def test_calls_that_nobody_reads_the_answers_of_are_kept_waiting_and_then_all_answered(version: str | None) -> None:
    text = "x" * 10_000
    with PipeClient(version) as client:
        envelope = {} if version else {"_meta": ENVELOPE}
        client.send_bytes(one_line(call(-1, "noop"), envelope))
        client.receive()
        before = rss(client)
        lines = b"".join(one_line(call(number, "echo", text=text), envelope) for number in range(CALLS))
        writer = send_unread(client, lines)
        assert writer.is_alive(), "the server reads on though nobody reads it"
        assert rss(client) - before < 80 * MEGABYTE
        answered = [client.receive()["id"] for _ in range(CALLS)]
        writer.join(20)
        assert answered == list(range(CALLS))
        client.send_bytes(one_line(call(-1, "noop"), envelope))
        assert client.receive()["result"]["isError"] is False


def test_lines_that_are_no_messages_are_kept_waiting_too() -> None:
    with PipeClient() as client:
        before = rss(client)
        writer = send_unread(client, b"{\n" * 2_000_000)
        assert writer.is_alive()
        assert rss(client) - before < 80 * MEGABYTE
        client.process.kill()
        writer.join()


def test_a_line_of_a_hundred_megabytes_is_refused_and_serving_goes_on() -> None:
    with PipeClient() as client:
        before = rss(client)
        client.send_bytes(b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"echo","arguments":{"text":"')
        for _ in range(100):
            client.send_bytes(b"x" * MEGABYTE)
        answer = client.receive()
        assert (answer["id"], answer["error"]["code"]) == (5, -32600)
        assert "16 MB" in answer["error"]["message"]
        assert rss(client) - before < 60 * MEGABYTE
        client.send_bytes(b'"}}}\n')
        assert client.call("noop")["isError"] is False


def test_a_call_that_waits_its_turn_can_be_cancelled_and_is_never_carried_out() -> None:
    with PipeClient() as client:
        for number in range(100):
            client.send(call(number, "wait_in_thread", seconds=1.0 if number < 40 else 0.0))
        for number in range(40, 90):
            client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})
        assert {client.receive()["id"] for _ in range(50)} == {*range(40), *range(90, 100)}
        assert client.call("noop")["isError"] is False


def test_calls_that_were_cancelled_do_not_take_the_place_of_others() -> None:
    with PipeClient() as client:
        for number in range(200):
            client.send(call(number, "wait_in_thread", seconds=30))
            client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})
        began = time.monotonic()
        assert client.call("noop")["isError"] is False
        assert time.monotonic() - began < 10
