"""SIGTERM and SIGINT: status 0 and not a word, whatever the program is doing."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from contract.laptop import PROGRAM, Laptop

from mcp_server.pipe_client import INITIALIZED, PipeClient, call, initialize

SIGNALS = [signal.SIGTERM, signal.SIGINT]


def await_handler(pid: int, number: signal.Signals) -> None:
    """Returns when the process has a handler of its own for this signal (Python has one for SIGINT from the beginning)."""
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:") and int(line.split()[1], 16) >> (number - 1) & 1:
                return
    raise TimeoutError("the program takes no notice of signals")


@pytest.mark.parametrize("seed", range(6))
def test_a_signal_during_the_start_is_a_clean_end(tmp_path: Path, seed: int) -> None:
    laptop, dice = Laptop(tmp_path), random.Random(seed)
    process = subprocess.Popen(
        [PROGRAM, "mcp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=laptop.environment,
        cwd=laptop.project,
    )
    assert process.stdin is not None
    process.stdin.write(
        b"".join(json.dumps(one).encode() + b"\n" for one in (initialize(), INITIALIZED, call(1, "list_vendors")))
    )
    process.stdin.flush()
    await_handler(process.pid, signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(dice.random() * 0.8)
    process.send_signal(dice.choice(SIGNALS))
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, b"")


@pytest.mark.parametrize("seed", range(6))
def test_a_signal_while_messages_are_taken_in_is_a_clean_end(seed: int) -> None:
    dice = random.Random(seed)
    with PipeClient() as client:
        text = "x" * dice.choice([1, 1000, 100_000])
        line = json.dumps(call(1, "echo", text=text)).encode() + b"\n"
        stop = threading.Event()

        def send() -> None:
            try:
                while not stop.is_set():
                    client.send_bytes(line * 20)
            except BrokenPipeError:
                pass

        def read() -> None:
            assert client.process.stdout is not None
            while client.process.stdout.read(1 << 20):
                pass

        threads = [threading.Thread(target=send), *([threading.Thread(target=read)] if seed % 2 else [])]
        for thread in threads:
            thread.start()
        with pytest.raises(subprocess.TimeoutExpired):
            client.process.wait(dice.random())
        client.process.send_signal(dice.choice(SIGNALS))
        status = client.process.wait(10)
        stop.set()
        for thread in threads:
            thread.join()
        assert client.process.stderr is not None
        assert (status, client.process.stderr.read()) == (0, b"")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_nobody_reads_the_answers_is_a_clean_end(tmp_path: Path, number: signal.Signals) -> None:
    note = tmp_path / "closed"
    with PipeClient(TEST_CLOSED=str(note)) as client:
        for one in range(30):
            client.send(call(one, "echo", text="x" * 100_000))
        client.process.send_signal(number)
        began = time.monotonic()
        assert client.ended(6) == (0, "")
        assert time.monotonic() - began < 4
    assert note.read_text() == "closed"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_an_operation_holds_the_event_loop_is_a_clean_end_within_seconds(number: signal.Signals) -> None:
    with PipeClient() as client:
        client.send(call(1, "wait_on_loop", seconds=60))
        with pytest.raises(subprocess.TimeoutExpired):
            client.process.wait(0.3)
        client.process.send_signal(number)
        assert client.ended(10) == (0, "")


def test_a_second_signal_changes_nothing() -> None:
    with PipeClient() as client:
        client.send(call(1, "wait_in_thread", seconds=0.5))
        client.process.send_signal(signal.SIGTERM)
        client.process.send_signal(signal.SIGINT)
        client.process.send_signal(signal.SIGTERM)
        assert client.ended(6) == (0, "")
