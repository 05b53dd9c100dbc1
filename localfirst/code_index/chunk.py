"""A piece of a file that is found as a whole."""

from __future__ import annotations

import hashlib

import msgspec

CHUNKER = "tree-1"
"""Identity of the way files are cut; part of every chunk's hash. Raise it when the same file gives other chunks."""

HASH_BYTES = 16


class Chunk(msgspec.Struct, frozen=True):
    """Lines of a file that belong together."""

    start_line: int
    """The first line, counted from 1."""

    end_line: int
    """The last line, inclusive."""

    text: str
    """The lines as they stand in the file, decoded, with ``\\n`` between them and none at the end."""

    symbol: str | None = None
    """Qualified name of what is defined here (``Parser.parse``), None where nothing is."""

    kind: str = "lines"
    """What it is: ``function``, ``method``, ``class``, ``section``, … ; ``lines`` without a syntax tree."""


def chunk_hash(chunk: Chunk, language: str) -> bytes:
    """Identity of a chunk's content, 16 bytes: equal wherever the same text stands under the same symbol."""
    digest = hashlib.blake2b(digest_size=HASH_BYTES)
    for part in (CHUNKER, language, chunk.symbol or "", chunk.text):
        digest.update(part.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.digest()
