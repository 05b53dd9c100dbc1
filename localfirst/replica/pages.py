"""Rows straight from the pages of a database's file, for tables whose tree is broken: the leaves may be whole where the way to
them is not.

Every page that looks like a leaf of a table is read (sections 1.6, 2.1 and 2.3 of SQLite's file format); whose rows they are
has to be distinguished from what they hold. A page that is no longer in use may hold rows of earlier: the caller takes the
newest.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

Value: TypeAlias = int | float | str | bytes | None

_LEAF = 0x0D
_INTEGER_SIZES = (0, 1, 2, 3, 4, 6, 8)
RECORD_MAX = 64 * 1024 * 1024


class Record(NamedTuple):
    """One row as it is stored: an integer primary key is `rowid`, and None among the values."""

    rowid: int
    values: tuple[Value, ...]


class BrokenRecordError(Exception):
    """These bytes are no record."""


def records(path: Path, page_size: int, columns: int) -> Iterator[Record]:
    """Every record with so many columns in the leaves of the file at `path`."""
    with path.open("rb") as file:
        content = file.read()
    for number in range(len(content) // page_size):
        start = number * page_size
        head = start + (100 if number == 0 else 0)
        if content[head] != _LEAF:
            continue
        for index in range(int.from_bytes(content[head + 3 : head + 5], "big")):
            at = head + 8 + 2 * index
            if at + 2 > start + page_size:
                break
            cell = start + int.from_bytes(content[at : at + 2], "big")
            try:
                record = _cell(content, cell, start + page_size, page_size)
            except (BrokenRecordError, IndexError, UnicodeDecodeError, struct.error):
                continue
            if len(record.values) == columns:
                yield record


def _cell(content: bytes, at: int, end: int, page_size: int) -> Record:
    size, at = _varint(content, at)
    rowid, at = _varint(content, at)
    if not 0 < size <= RECORD_MAX:
        raise BrokenRecordError
    return Record(rowid, _values(_payload(content, at, end, size, page_size)))


def _payload(content: bytes, at: int, end: int, size: int, page_size: int) -> bytes:
    """The bytes of a record, put together from its overflow pages."""
    in_page = size
    if size > page_size - 35:
        least = (page_size - 12) * 32 // 255 - 23
        in_page = least + (size - least) % (page_size - 4)
        in_page = in_page if in_page <= page_size - 35 else least
    if at + in_page > end:
        raise BrokenRecordError
    parts = [content[at : at + in_page]]
    left = size - in_page
    following = int.from_bytes(content[at + in_page : at + in_page + 4], "big") if left else 0
    while left > 0:
        start = (following - 1) * page_size
        if following < 2 or start + page_size > len(content):
            raise BrokenRecordError
        taken = min(left, page_size - 4)
        parts.append(content[start + 4 : start + 4 + taken])
        following, left = int.from_bytes(content[start : start + 4], "big"), left - taken
    return b"".join(parts)


def _values(record: bytes) -> tuple[Value, ...]:
    head_size, at = _varint(record, 0)
    types = []
    while at < head_size:
        kind, at = _varint(record, at)
        types.append(kind)
    values = []
    for kind in types:
        value, at = _value(record, at, kind)
        values.append(value)
    if at != len(record):
        raise BrokenRecordError
    return tuple(values)


def _value(record: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    if kind == 7:
        return struct.unpack(">d", record[at : at + 8])[0], at + 8
    if kind <= 6:
        size = _INTEGER_SIZES[kind]
        return int.from_bytes(record[at : at + size], "big", signed=True), at + size
    size = (kind - 12) // 2
    if kind < 12 or at + size > len(record):
        raise BrokenRecordError
    piece = record[at : at + size]
    return (piece.decode() if kind % 2 else piece), at + size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for _ in range(8):
        byte = content[at]
        value, at = value << 7 | byte & 0x7F, at + 1
        if byte < 0x80:
            return value, at
    value, at = value << 8 | content[at], at + 1
    return (value - 2**64 if value >= 2**63 else value), at
