"""The pipes: lines in, lines out, whatever their size, their content and their end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mcp_server.pipe_client import INITIALIZED, SERVER, PipeClient, call, environment, initialize

TEN_MEGABYTES = 10_000_000
ODD_IDS = (b"1.5", b"1.0", b"1e400", b"NaN", b"null", b"true", b"{}", b"[1]", b"9223372036854775808", b"1" * 5000, b'"\\ud800"')


def test_a_stray_print_write_or_child_never_reaches_the_client() -> None:
    with PipeClient() as client:
        assert client.call("stray")["structuredContent"] == {"success": True, "warnings": []}
        assert client.call("noop")["isError"] is False
        client.close_input()
        status, errors = client.ended()
    assert status == 0
    assert "a stray print" in errors
    assert "a stray write" in errors
    assert "a child" in errors


def test_a_line_of_ten_megabytes_arrives_and_returns_whole() -> None:
    text = 'ä✓\\"x' * (TEN_MEGABYTES // 8)
    with PipeClient() as client:
        client.send_bytes(json.dumps(call(1, "echo", text=text), ensure_ascii=False).encode() + b"\n")
        result = client.receive()["result"]
    assert result["structuredContent"]["text"] == text
    assert json.loads(result["content"][0]["text"])["text"] == text


def test_a_client_that_writes_everything_before_it_reads_is_answered() -> None:
    text = "x" * 50_000
    with PipeClient() as client:
        lines = b"".join(json.dumps(call(number, "echo", text=text)).encode() + b"\n" for number in range(100))
        writer = threading.Thread(target=client.send_bytes, args=[lines])
        writer.start()
        writer.join(20)
        assert not writer.is_alive()
        answers = [client.receive() for _ in range(100)]
    assert {answer["id"] for answer in answers} == set(range(100))
    assert all(answer["result"]["structuredContent"]["text"] == text for answer in answers)


def test_lines_may_come_in_any_pieces() -> None:
    with PipeClient() as client:
        line = json.dumps(call(1, "echo", text="ü")).encode() + b"\r\n\n  \n" + json.dumps(call(2, "noop")).encode()
        for position in range(len(line)):
            client.send_bytes(line[position : position + 1])
        client.send_bytes(b"\n")
        assert [client.receive()["id"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(
    ("line", "code", "number"),
    [
        (b"{not json", -32700, None),
        (b'"\xff\xfe', -32700, None),
        (b"[]", -32600, None),
        (b'{"jsonrpc":"1.0","id":7,"method":"ping"}', -32600, 7),
        (b'{"jsonrpc":"2.0","id":7,"method":"ping","params":[1]}', -32600, 7),
        *((b'{"jsonrpc":"2.0","id":%b,"method":"ping"}' % odd, -32600, None) for odd in ODD_IDS),
        (b'{"jsonrpc":"2.0","id":7,"method":"\\ud800"}', -32600, 7),
        (b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"\\udfff":1}}', -32600, 7),
        (b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"\\ud800","arguments":{}}}', -32600, 7),
        (b'{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"clientInfo":{"name":"\\ud800"}}}', -32600, 7),
        (b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"text":"\xff"}}}', -32700, 7),
        (b'{"jsonrpc":"2.0","id":"s","method":"ping","params":{"n":%b}}' % (b"[" * 100_000), -32700, "s"),
        (b'{"jsonrpc":"2.0","id":7,"id":1.5,"method":"ping"}', -32600, None),
        (b'[{"jsonrpc":"2.0","id":7,"method":"ping"}]', -32600, None),
    ],
)
def test_a_line_that_is_no_message_is_answered_with_an_error_and_serving_goes_on(
    line: bytes, code: int, number: int | None
) -> None:
    with PipeClient() as client:
        client.send_bytes(line + b"\n")
        answer = client.receive()
        assert (answer["error"]["code"], answer["id"]) == (code, number)
        assert client.call("noop")["isError"] is False


@pytest.mark.parametrize(
    "line", [b'{"jsonrpc":"2.0","id":%b,"method":"ping"}', b'\xef\xbb\xbf{"id":%b,"method":"ping","jsonrpc":"2.0"}\r']
)
@pytest.mark.parametrize("number", [0, -(2**63), 2**63 - 1, "", "ü", "x" * 10_000])
def test_a_request_is_answered_under_its_id(line: bytes, number: int | str) -> None:
    with PipeClient() as client:
        client.send_bytes(line % json.dumps(number).encode() + b"\n")
        assert client.receive() == {"jsonrpc": "2.0", "id": number, "result": {}}


def test_no_character_of_an_answer_ends_a_line_for_any_reader() -> None:
    text = "a\u2028b\u2029c\u0085d\r\x0b\x0c\x1c\x1ee \\u2028"
    with PipeClient() as client:
        for _ in range(2):  # by the session logic, and without it
            client.send(call(1, "echo", text=text))
            line = client.receive_line()
            assert len(line.decode().splitlines()) == 1
            answer = json.loads(line)["result"]
            assert answer["structuredContent"]["text"] == json.loads(answer["content"][0]["text"])["text"] == text


def test_a_broken_answer_is_not_answered() -> None:
    with PipeClient() as client:
        client.send_bytes(b'{"jsonrpc":"2.0","id":{},"result":3}\n')
        assert client.call("noop")["isError"] is False


def test_requests_sent_just_before_the_end_of_the_input_are_still_answered() -> None:
    lines = "".join(
        json.dumps(one) + "\n"
        for one in (initialize(), INITIALIZED, call(1, "noop"), call(2, "listed"), call(3, "wait_in_thread", seconds=0.2))
    )
    done = subprocess.run(
        [sys.executable, str(SERVER)], input=lines.encode(), capture_output=True, env=environment(), timeout=20, check=True
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == ["init", 1, 2, 3]
    assert all("result" in answer for answer in answers)
    assert done.stderr == b""


def test_regular_files_serve_as_well_as_pipes(tmp_path: Path) -> None:
    calls = [call(number, "echo", text="x" * 1000) for number in range(1000)]
    requests = [initialize(), INITIALIZED, call(-1, "stray"), *calls]
    (tmp_path / "in").write_text("".join(json.dumps(one) + "\n" for one in requests))
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as target:
        subprocess.run([sys.executable, str(SERVER)], stdin=source, stdout=target, env=environment(), timeout=20, check=True)
    answers = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [answer["id"] for answer in answers] == ["init", -1, *range(1000)]
    assert all("result" in answer for answer in answers)


def test_without_an_input_the_process_ends_at_once() -> None:
    done = subprocess.run(
        [sys.executable, str(SERVER)], stdin=subprocess.DEVNULL, capture_output=True, env=environment(), timeout=20, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_the_sdks_transport_serves_where_the_event_loop_cannot(tmp_path: Path) -> None:
    note = tmp_path / "closed"
    with PipeClient(TEST_SDK_TRANSPORT="1", TEST_CLOSED=str(note)) as client:
        assert client.call("stray")["structuredContent"] == {"success": True, "warnings": []}
        assert len(client.call("listed")["structuredContent"]["items"]) == 50
        assert client.call("typed")["structuredContent"]["error"] == "ValidationError"
        client.close_input()
        assert client.ended(5)[0] == 0
    assert note.read_text() == "closed"


def test_a_socket_serves_as_both_ends() -> None:
    ours, theirs = socket.socketpair()
    with ours, PipeClient(None, stdin=theirs, stdout=theirs) as client:
        theirs.close()
        reader = ours.makefile("rb")
        for message in (initialize(), INITIALIZED, call(1, "echo", text="x" * 1_000_000)):
            ours.sendall(json.dumps(message).encode() + b"\n")
        assert json.loads(reader.readline())["id"] == "init"
        assert len(json.loads(reader.readline())["result"]["structuredContent"]["text"]) == 1_000_000
        ours.shutdown(socket.SHUT_WR)
        assert client.ended() == (0, "")
        reader.close()


def test_the_end_of_the_input_closes_the_session_and_ends_the_process(tmp_path: Path) -> None:
    note = tmp_path / "closed"
    with PipeClient(TEST_CLOSED=str(note)) as client:
        client.call("noop")
        client.close_input()
        assert client.ended(3) == (0, "")
    assert note.read_text() == "closed"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_the_session_and_ends_the_process(tmp_path: Path, number: signal.Signals) -> None:
    note = tmp_path / "closed"
    with PipeClient(TEST_CLOSED=str(note)) as client:
        client.call("noop")
        client.process.send_signal(number)
        assert client.ended(3) == (0, "")
    assert note.read_text() == "closed"


def test_an_input_that_ends_at_once_is_a_clean_end() -> None:
    with PipeClient(None) as client:
        client.close_input()
        assert client.ended() == (0, "")


def test_the_process_ends_with_its_client_though_a_thread_hangs() -> None:
    with PipeClient() as client:
        client.send(call(1, "hang_in_thread"))
        client.call("noop")
        client.close_input()
        status, errors = client.ended(4)
    assert status == 0
    assert "Traceback" not in errors


def test_the_process_ends_with_its_client_though_the_event_loop_hangs() -> None:
    with PipeClient() as client:
        client.send(call(1, "wait_on_loop", seconds=60))
        client.close_input()
        began = time.monotonic()
        client.ended(15)
        assert time.monotonic() - began < 10


def test_a_client_that_dies_without_reading_ends_the_process_quietly() -> None:
    with PipeClient() as client:
        for number in range(20):
            client.send(call(number, "echo", text="x" * 100_000))
        assert client.process.stdout is not None
        client.process.stdout.close()
        client.send(call(20, "noop"))
        assert client.ended(5) == (0, "")


def test_the_shared_pipe_is_left_as_it_was_found() -> None:
    source, target = os.pipe()
    with PipeClient(None, stdout=target) as client:
        client.close_input()
        client.ended()
        assert os.get_blocking(target)
    os.close(source)
    os.close(target)
