"""Broken and odd frames for a server process: bytes and JSON are changed, and every request that is left is answered once.

    PYTHONPATH=tests .venv/bin/python -m fuzz.fuzz_frames --frames 100000 [--seed N]

What a line is, a parser of this file's own says: a request whose id is a text or an integer of 64 bits has exactly one answer
under that id. The process lives, writes no traceback, and no answer tells of its libraries.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contract.laptop import Laptop
from contract.wire import Wire
from mcp_server.pipe_client import ENVELOPE

BATCH = 40
LIBRARY_WORDS = (
    "Traceback",
    "pydantic",
    "apsw",
    "psycopg",
    "msgspec",
    "Input should",
    "validation error",
    "object has no attr",
)
ODD: list[Any] = [
    None, True, False, 0, -1, 1.5, 1e300, 2**53, 2**63, -(2**63) - 1, 10**400, "", "null", "\ud800",
    "a\udfffb", "\x00", "\u2028", "é" * 50, [], {}, [[]], {"": None}, float("nan"), float("inf"), "2.0", "tools/call",
    "x" * 5000,
]  # fmt: skip
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("list_work_items", {"limit": 2}),
    ("create_work_item", {"item_type": "task", "title": "fuzzed", "metadata": {"priority": "high", "n": [1, None]}}),
    ("query_vendor_status", {"name": "v"}),
    ("get_project_configuration", {}),
    ("update_work_item", {"id": "00000000-0000-4000-8000-000000000000", "version": 1, "clear": ["parent_id"]}),
    ("add_comment", {"id": "00000000-0000-4000-8000-000000000000", "body": "b"}),
    ("no_such_tool", {}),
]


def frames(dice: random.Random) -> Iterator[bytes]:
    """Endless: seeds that are right, each changed in up to three ways, in its JSON or its bytes."""
    number = 0
    while True:
        number += 1
        request_id: int | str = dice.choice((number, f"id-{number}"))
        message = _seed(dice, request_id)
        if dice.random() < 0.5:
            for _ in range(dice.randint(1, 3)):
                message = _changed(dice, message)
        line = _text(dice, message)
        if dice.random() < 0.5:
            line = _mangled(dice, line)
        yield line


def _seed(dice: random.Random, request_id: int | str) -> Any:
    tool, arguments = dice.choice(CALLS)
    params: dict[str, Any] = {"name": tool, "arguments": json.loads(json.dumps(arguments))}
    if dice.random() < 0.3:
        params["_meta"] = dict(ENVELOPE)
    call = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}
    others: list[Any] = [
        {"jsonrpc": "2.0", "id": request_id, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}},
        {"jsonrpc": "2.0", "id": request_id, "method": "no/such"},
        {"jsonrpc": "2.0", "id": request_id, "result": {}},
    ]
    return call if dice.random() < 0.8 else dice.choice(others)


def _changed(dice: random.Random, value: Any) -> Any:
    """One place of the document is another value, is gone, or is there under another name."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        key = dice.choice(list(value))
        kind = dice.random()
        if kind < 0.15:
            return {one: item for one, item in value.items() if one != key}
        if kind < 0.25:
            return {**value, dice.choice(["id", "extra", "\ud83d", ""]): dice.choice(ODD)}
        return {**value, key: _changed(dice, value[key])}
    if isinstance(value, list) and value and dice.random() < 0.7:
        place = dice.randrange(len(value))
        return [*value[:place], _changed(dice, value[place]), *value[place + 1 :]]
    if dice.random() < 0.05:
        return _nested(dice.choice([10, 70, 300, 3000]))
    return dice.choice(ODD)


def _nested(levels: int) -> str:
    return f"@@nested{levels}@@"


def _text(dice: random.Random, message: Any) -> bytes:
    text = json.dumps(message, ensure_ascii=dice.random() < 0.7)
    for levels in (10, 70, 300, 3000):
        text = text.replace(f'"@@nested{levels}@@"', "[" * levels + "]" * levels)
    line = text.encode("utf-8", "surrogatepass")
    kind = dice.random()
    if kind < 0.05:
        return b"\xef\xbb\xbf" + line
    if kind < 0.1:
        return b" \t" + line + b"\r"
    if kind < 0.13 and line.endswith(b"}"):
        return line[:-1] + b', "id": ' + json.dumps(dice.choice(ODD)).encode() + b"}"
    if kind < 0.15:
        return b"[" + line + b"]"
    return line


def _mangled(dice: random.Random, line: bytes) -> bytes:
    data = bytearray(line)
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(data) + 1)
        kind = dice.randrange(5)
        if kind == 0 and place < len(data):
            data[place] ^= 1 << dice.randrange(8)
        elif kind == 1:
            data[place:place] = dice.choice([b"\n", b"\x00", b"\xff", b'"', b"\\", b"{", b"}", b",", b"\xed\xa0\x80", b"1e999"])
        elif kind == 2:
            del data[place : place + dice.randrange(1, 10)]
        elif kind == 3:
            data[place:place] = data[place : place + dice.randrange(1, 30)]
        elif dice.random() < 0.3:
            del data[place:]
    return bytes(data)


def answers_owed(data: bytes) -> Counter[str]:
    """The ids that must be answered, each as JSON and as often as it is asked for."""
    owed: Counter[str] = Counter()
    for line in data.split(b"\n"):
        try:
            value = json.loads(line.removeprefix(b"\xef\xbb\xbf").decode())
        except (ValueError, RecursionError):
            continue
        if not isinstance(value, dict) or "id" not in value:
            continue
        if "method" not in value and ("result" in value or "error" in value):
            continue
        if _is_valid(value["id"]):
            owed[json.dumps(value["id"])] += 1
    return owed


def _is_valid(request_id: Any) -> bool:
    if isinstance(request_id, str):
        return not any("\ud800" <= one <= "\udfff" for one in request_id)
    return type(request_id) is int and -(2**63) <= request_id < 2**63


def fuzz(wire: Wire, seed: int, count: int) -> None:
    """Sends `count` frames. Raises AssertionError with the frames of the batch that went wrong."""
    dice = random.Random(seed)
    source = frames(dice)
    for start in range(0, count, BATCH):
        batch = [next(source) for _ in range(min(BATCH, count - start))]
        _check_batch(wire, b"\n".join(batch), f"{seed}-{start}")


def _check_batch(wire: Wire, data: bytes, name: str) -> None:
    end = f"end-{name}"
    writer = threading.Thread(
        target=wire.send, args=[data + b'\n{"jsonrpc": "2.0", "id": "%b", "method": "ping"}' % end.encode()]
    )
    writer.start()
    answered: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    while (message := wire.message()).get("id") != end:
        if "id" not in message:
            continue
        text = json.dumps(message)
        assert not any(word in text for word in LIBRARY_WORDS), text
        assert "internal error" not in text, (text, data)
        result = message.get("result")
        if result is not None and result.get("isError"):
            assert set(result["structuredContent"]) == {"error", "message", "details"}, text
        assert ("result" in message) != ("error" in message), text
        answered[json.dumps(message["id"])] += 1
        if message.get("error", {}).get("code") in (-32700, -32600):
            refused[json.dumps(message["id"])] += 1
    writer.join()
    owed = answers_owed(data)
    assert not owed - answered, f"not answered: {owed - answered} of {data!r}"
    # What could not be parsed may have been distinguished by its id all the same.
    more = answered - owed
    del more["null"]
    assert not more - refused, f"answered too often: {more - refused} of {data!r}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, Wire(Laptop(Path(directory))) as wire:
        fuzz(wire, given.seed, given.frames)
        ended_well(wire)
    print(f"{given.frames} frames of seed {given.seed}: every request was answered once")


def ended_well(wire: Wire) -> None:
    """The process ends with status 0 when its input does, and has reported no failure."""
    process = wire.process
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.close()
    status, words = process.wait(20), process.stderr.read()
    assert status == 0
    assert b"Traceback" not in words, words[-3000:]


if __name__ == "__main__":
    main()
