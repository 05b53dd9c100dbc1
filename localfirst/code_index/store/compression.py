"""A chunk's text as the store keeps it: Zstandard frames, about 0.4 of the text."""

from __future__ import annotations

import threading

import zstandard

LEVEL = 3
"""Higher ones save 2 % and take three times as long."""

MAX_TEXT = 64 * 1024 * 1024
"""Bytes; far beyond any chunk. A damaged frame must not ask for more memory than that."""

_own = threading.local()  # the compressor's state belongs to one thread


def pack(text: str) -> bytes:
    """The text compressed."""
    try:
        compressor: zstandard.ZstdCompressor = _own.compressor
    except AttributeError:
        compressor = _own.compressor = zstandard.ZstdCompressor(LEVEL, write_checksum=False, write_dict_id=False)
    return compressor.compress(text.encode())


def unpack(packed: bytes) -> str:
    """The text again. Raises zstandard.ZstdError for what is no frame of `pack`."""
    try:
        decompressor: zstandard.ZstdDecompressor = _own.decompressor
    except AttributeError:
        decompressor = _own.decompressor = zstandard.ZstdDecompressor()
    return decompressor.decompress(packed, max_output_size=MAX_TEXT).decode()
