"""Bytes as lines: in whatever pieces they come, and however long they are."""

from __future__ import annotations

import random

import pytest

from localfirst.mcp_server.framing import MAX_LINE_BYTES, Framing, TooLong

FILL = b'\\"' * (MAX_LINE_BYTES // 2 + 1)


def framed(data: bytes, size: int) -> list[bytes | TooLong]:
    framing = Framing()
    found = [line for start in range(0, len(data), size) for line in framing.feed(data[start : start + size])]
    return [*found, *(framing.end() if framing.is_within_a_line() else [])]


def test_the_pieces_in_which_bytes_come_do_not_matter() -> None:
    dice = random.Random(1)
    for _ in range(200):
        data = bytes(dice.choice(b'\n\r "{}[]x\xef\xbb\xbf') for _ in range(dice.randrange(60)))
        whole = framed(data, len(data) or 1)
        assert all(framed(data, size) == whole for size in (1, 2, 3, 7))
        assert b"\n".join(line for line in whole if isinstance(line, bytes)).count(b"\n") <= data.count(b"\n")


def test_a_byte_order_mark_is_no_part_of_a_line() -> None:
    assert framed(b"\xef\xbb\xbf{}\n\xef\xbb\xbf[]", 3) == [b"{}", b"[]"]


def test_the_longest_line_is_taken_and_one_byte_more_is_not() -> None:
    line = b"x" * MAX_LINE_BYTES
    assert framed(line + b"\n1\n", 1 << 18) == [line, b"1"]
    assert framed(line + b"x\n1\n", 1 << 18) == [TooLong(None), b"1"]


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (b'{"jsonrpc":"2.0","id":7,"method":"m","params":{"a":"%b"}}', 7),
        (b'{"jsonrpc":"2.0", "id" : "seven" ,"method":"m","params":{"a":"%b"}}', "seven"),
        (b'{"method":"m","params":{"id":1,"a":"%b"},"jsonrpc":"2.0","id":7}', 7),
        (b'{"method":"m","params":{"id":1,"a":"%b"},"jsonrpc":"2.0","id":"seven" } \r', "seven"),
        (b'{"method":"m","params":{"id":1,"a":"%b","id":2},"jsonrpc":"2.0"}', None),
        (b'{"id":1.5,"method":"m","params":"%b"}', None),
        (b'{"id":true,"method":"m","params":"%b"}', None),
        (b'[{"id":1,"method":"m","params":"%b"}]', None),
        (b'"%b"', None),
        (b"%b", None),
    ],
)
def test_a_line_that_is_too_long_is_known_by_its_id(line: bytes, number: int | str | None) -> None:
    assert framed(line % FILL + b"\nafter\n", 1 << 18) == [TooLong(number), b"after"]


@pytest.mark.parametrize("beginning", [b"", b'{"jsonrpc":"2.0","id":1,"method":"m","x":"', b"[" * 99, b'"'])
def test_a_line_without_an_end_is_reported_before_it_ends_and_is_not_kept(beginning: bytes) -> None:
    framing = Framing()
    reported = framing.feed(beginning)
    for _ in range(80):
        reported += framing.feed(b"x" * (1 << 18))
    assert reported == [TooLong(1 if b"id" in beginning else None)]
    assert sum(map(len, framing._pieces)) + len(framing._tail) < 1 << 12
    assert framing.feed(b"\nnext\n") == [b"next"]
