"""Bytes as lines, one message each, of at most `MAX_LINE_BYTES`.

A longer line is never held: its beginning and its end are looked through for the id of the request that it may be, and the
rest is dropped until the next newline, where reading goes on as if nothing had been.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

MAX_LINE_BYTES = 16 << 20
HEAD_BYTES = 1 << 16
"""Of a line that is too long: how much of its beginning is looked through for the request's id."""
TAIL_BYTES = 1 << 10
"""The same for its end, where some clients put the id."""

# A text may have no end here; then the rest is all of it, lest each quote within it be tried as another's beginning.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[{}\[\]]|-?\w[\w.+-]*', re.DOTALL)
_ID_AT_THE_END = re.compile(rb'[,{]\s*"id"\s*:\s*(-?\d{1,18}|"[^"\\]{0,900}")\s*}\s*\Z')
_WHOLE = re.compile(rb"-?\d{1,18}")


class TooLong(NamedTuple):
    """Stands in the place of a line that was too long; the id of the request that it was, where one was found."""

    request_id: int | str | None


class Framing:
    """Takes bytes as they arrive, in whatever pieces."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0
        self._dropping = False
        self._reported = False
        self._tail = b""

    def feed(self, chunk: bytes) -> list[bytes | TooLong]:
        """The lines that end in `chunk`, without newlines; one too long is reported as soon as its id cannot come later."""
        found: list[bytes | TooLong] = []
        *ended, begun = chunk.split(b"\n")
        for piece in ended:
            self._take(piece, found)
            found.extend(self.end())
        if begun:
            self._take(begun, found)
        return found

    def end(self) -> list[bytes | TooLong]:
        """The line that ends here: what a newline, or the end of the input, makes of the bytes that came so far."""
        found: list[bytes | TooLong] = []
        if not self._dropping:
            line = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            found.append(line.removeprefix(codecs.BOM_UTF8))
        elif not self._reported:
            found.append(TooLong(_id_at_the_end(self._tail)))
        self._pieces = []
        self._length = 0
        self._dropping = self._reported = False
        self._tail = b""
        return found

    def is_within_a_line(self) -> bool:
        """Whether bytes have come that no newline has ended."""
        return bool(self._pieces) or self._dropping

    def _take(self, piece: bytes, found: list[bytes | TooLong]) -> None:
        if self._dropping:
            self._tail = (self._tail + piece[-TAIL_BYTES:])[-TAIL_BYTES:]
            return
        self._pieces.append(piece)
        self._length += len(piece)
        if self._length <= MAX_LINE_BYTES:
            return
        head = b"".join(self._pieces)[:HEAD_BYTES]
        self._tail = piece[-TAIL_BYTES:]
        self._pieces = []
        self._dropping = True
        request_id = outer_id(head)
        # A client that names the method first may name the id last: then the end of the line is waited for.
        if request_id is not None or not is_request_without_id(head):
            found.append(TooLong(request_id))
            self._reported = True


def outer_id(text: bytes | bytearray) -> int | str | None:
    """The request's id in JSON that no parser takes, or of which only the beginning is there: found by counting brackets."""
    for key, value in _outer_fields(text):
        if key == b'"id"':
            return _as_id(value)
    return None


def has_id(text: bytes | bytearray) -> bool:
    """Whether an id is given, of whatever kind."""
    return any(key == b'"id"' for key, _ in _outer_fields(text))


def is_request_without_id(head: bytes) -> bool:
    """Whether this beginning of a message has named a method, and no id so far."""
    names = {key for key, _ in _outer_fields(head)}
    return bool(names & {b'"method"', b'"params"'}) and b'"id"' not in names


def _outer_fields(text: bytes | bytearray) -> list[tuple[bytes, bytes]]:
    """The fields of the outermost object, each with its value's first token."""
    fields: list[tuple[bytes, bytes]] = []
    depth, key = 0, b""
    for token in _TOKEN.findall(text):
        if depth == 1 and key:
            fields.append((key, token))
            key = b""
        elif depth == 1 and token[:1] == b'"':
            key = token
        if token in (b"{", b"["):
            depth += 1
        elif token in (b"}", b"]"):
            depth -= 1
    return fields


def _as_id(token: bytes) -> int | str | None:
    if _WHOLE.fullmatch(token):
        return int(token)
    if len(token) < 2 or token[:1] != b'"' or token[-1:] != b'"' or b"\\" in token:
        return None
    try:
        return token[1:-1].decode()
    except UnicodeDecodeError:
        return None


def _id_at_the_end(tail: bytes) -> int | str | None:
    found = _ID_AT_THE_END.search(tail)
    return _as_id(found[1]) if found else None
