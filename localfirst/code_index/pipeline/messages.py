"""What is sent to the computing processes, and what comes back; arrays on the wire, since there are hundreds of thousands.

Every request and its answer are one frame each: four bytes of length, then MessagePack.
"""

from __future__ import annotations

import msgspec

from localfirst.code_index.skipped import Skipped
from localfirst.code_index.store.cut_file import CutFile, Seen


class Gone(msgspec.Struct, frozen=True, array_like=True, tag="gone"):
    """A file that is not there any more."""

    path: str


class LeftOut(msgspec.Struct, frozen=True, array_like=True, tag="left out"):
    """A file that cannot be indexed as it is now."""

    skipped: Skipped

    keeps_old: bool = False
    """Whether what the index has of it stays: it could not be read, so nothing is known against it."""

    seen: Seen | None = None
    """How it looked; None if it is no regular file any more."""


class Same(msgspec.Struct, frozen=True, array_like=True, tag="same"):
    """A file whose content is one that the index has."""

    path: str
    seen: Seen
    content_hash: bytes


class CutFiles(msgspec.Struct, frozen=True, array_like=True, tag="cut"):
    """Please read and cut these files."""

    root: bytes
    paths: list[tuple[str, bytes]]
    """Path, and the hashes of the contents that the index has of it, one after the other (none: cut it anyway)."""


class EmbedChunks(msgspec.Struct, frozen=True, array_like=True, tag="embed"):
    """Please embed these chunks with the built-in model of this identity."""

    model: str
    chunks: list[tuple[str | None, str, bytes]]
    """Symbol, kind, packed text."""


Request = CutFiles | EmbedChunks

FileOutcome = CutFile | Same | LeftOut | Gone


class FilesCut(msgspec.Struct, frozen=True, array_like=True, tag="files"):
    """One outcome for each path, in order."""

    outcomes: list[FileOutcome]


class ChunksEmbedded(msgspec.Struct, frozen=True, array_like=True, tag="vectors"):
    """One int8 vector for each chunk, in order."""

    vectors: list[bytes]


class Failed(msgspec.Struct, frozen=True, array_like=True, tag="failed"):
    """The request could not be fulfilled, for a reason that is not the content's."""

    message: str
    is_embedding_unavailable: bool = False


Answer = FilesCut | ChunksEmbedded | Failed

LENGTH_BYTES = 4

encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_answer = msgspec.msgpack.Decoder(Answer).decode
