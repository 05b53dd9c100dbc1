"""A file in chunks, ready to be written: everything that can be computed beforehand has been."""

from __future__ import annotations

import msgspec


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """How a file looked when it was read: as in `found_file.FoundFile`, and when that was."""

    size: int
    mtime_ns: int
    inode: int
    seen_ns: int


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A chunk where it stands."""

    chunk_hash: bytes
    packed: bytes
    """Its text (`compression`)."""

    start_line: int
    end_line: int
    symbol: str | None
    kind: str
    symbol_words: str
    path_words: str
    body_words: str


class CutFile(msgspec.Struct, frozen=True, array_like=True, tag="file"):
    """A file as it was read."""

    path: str
    seen: Seen
    content_hash: bytes
    language: str
    pieces: list[Piece]
