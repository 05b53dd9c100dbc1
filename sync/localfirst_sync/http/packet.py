"""Packets: what travels in the bodies of requests and answers, in both directions.

A packet is a byte that says how it is packed, four bytes for its length, and msgpack. A body is one packet, or for what is
streamed one after the other. Neither side takes one that is larger than it allows, nor one that grows beyond that when it is
unpacked.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, TypeVar

import msgspec

_Message = TypeVar("_Message")

_HEADER = struct.Struct(">BI")
HEADER_BYTES = _HEADER.size
_PLAIN, _ZSTD = 0, 1

COMPRESSED_FROM = 2_000
"""Smaller ones fit into one or two packets of the network as they are."""

_LEVEL = 3

_encode = msgspec.msgpack.Encoder().encode


class MalformedError(Exception):
    """It is no packet, or one that may not be taken."""


def packed(message: object, *, compressed: bool) -> bytes:
    """A message as a packet."""
    return wrapped(_encode(message), compressed=compressed)


def encoded(message: object) -> bytes:
    """A message before it is wrapped, for who wants to know its size first."""
    return _encode(message)


def wrapped(payload: bytes, *, compressed: bool) -> bytes:
    """An encoded message as a packet."""
    if compressed and len(payload) >= COMPRESSED_FROM:
        import zstandard

        small = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True).compress(payload)
        return _HEADER.pack(_ZSTD, len(small)) + small
    return _HEADER.pack(_PLAIN, len(payload)) + payload


def unpacked(body: bytes, kind: type[_Message], most_bytes: int) -> _Message:
    """The message of a body that is one packet. Raises `MalformedError`."""
    how, length = header(body[:HEADER_BYTES], most_bytes)
    if len(body) != HEADER_BYTES + length:
        raise MalformedError("the body is not one packet")
    return decoded(how, body[HEADER_BYTES:], kind, most_bytes)


def header(given: bytes, most_bytes: int) -> tuple[int, int]:
    """How a packet is packed, and how many bytes follow. Raises `MalformedError`."""
    if len(given) != HEADER_BYTES:
        raise MalformedError("the packet is cut off")
    how, length = _HEADER.unpack(given)
    if how not in (_PLAIN, _ZSTD):
        raise MalformedError("the packet is packed in an unknown way")
    if length > most_bytes:
        raise MalformedError("the packet is too large")
    return how, length


def decoded(how: int, payload: bytes, kind: type[_Message], most_bytes: int) -> _Message:
    """The message in what follows the header. Raises `MalformedError`."""
    if how == _ZSTD:
        payload = _decompressed(payload, most_bytes)
    try:
        found: _Message = _decoder(kind)(payload)  # type: ignore[arg-type]  # a type is hashable
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise MalformedError(f"the message is not of its form ({type(error).__name__})") from None
    return found


def _decompressed(payload: bytes, most_bytes: int) -> bytes:
    """It has to say how large it becomes, before anything is made of it."""
    import zstandard

    try:
        size = zstandard.frame_content_size(payload)
        if not 0 <= size <= most_bytes:
            raise MalformedError("the packet becomes too large, or does not say how large")
        found: bytes = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompress(payload, max_output_size=max(1, size))
    except zstandard.ZstdError:
        raise MalformedError("the packet cannot be unpacked") from None
    if len(found) != size:
        raise MalformedError("the packet is not as large as it says")
    return found


@cache
def _decoder(kind: Hashable) -> Callable[[bytes], Any]:
    return msgspec.msgpack.Decoder(kind).decode
