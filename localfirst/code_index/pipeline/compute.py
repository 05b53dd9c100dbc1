"""What the computing processes compute: files in chunks with their words, and vectors. No database here, and no state."""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from localfirst.checkout import NotAFileError, read_unlinked
from localfirst.code_index.chunk import Chunk, chunk_hash
from localfirst.code_index.file_name import as_bytes
from localfirst.code_index.pipeline.messages import (
    Answer,
    ChunksEmbedded,
    CutFiles,
    EmbedChunks,
    Failed,
    FileOutcome,
    FilesCut,
    Gone,
    LeftOut,
    Request,
    Same,
)
from localfirst.code_index.skipped import Skipped, SkipRule
from localfirst.code_index.store.compression import pack, unpack
from localfirst.code_index.store.cut_file import CutFile, Piece, Seen
from localfirst.code_index.store.differences import content_hash
from localfirst.code_index.words import words_of

if TYPE_CHECKING:
    from localfirst.code_index.chunking import CutFile as CutInChunks

    Cut = Callable[[str, bytes], CutInChunks | Skipped]

logger = logging.getLogger("localfirst.pipeline")

MAX_BYTES = 1 << 20
"""A file that has grown beyond this since the scan is left out, as the scan would."""

_GONE = (errno.ENOENT, errno.ENOTDIR)


def answer(request: Request) -> Answer:
    """The answer to a request."""
    if isinstance(request, CutFiles):
        return cut_files(request)
    return embed_chunks(request)


def cut_files(request: CutFiles) -> FilesCut:
    """Reads and cuts files. What is wrong with one of them is its outcome."""
    from localfirst.code_index.chunking import cut

    folders: dict[bytes, bool] = {}
    return FilesCut([_cut_file(cut, request.root, path, known, folders) for path, known in request.paths])


def _cut_file(cut: Cut, root: bytes, path: str, known: bytes, folders: dict[bytes, bool]) -> FileOutcome:
    name = os.path.join(root, as_bytes(path))  # noqa: PTH118 - bytes
    try:
        if not _is_inside(name, folders):
            return _left_out(path, SkipRule.LINK, "its folder has become a link")
        seen_ns = time.time_ns()
        content, status = read_unlinked(name, MAX_BYTES)
    except NotAFileError:
        return _left_out(path, SkipRule.NOT_A_FILE)
    except OSError as error:
        return _unread(path, name, error)
    seen = Seen(status.st_size, status.st_mtime_ns, status.st_ino, seen_ns)
    if content is None:
        return _left_out(path, SkipRule.TOO_LARGE, f"{status.st_size} bytes", seen)
    digest = content_hash(content)
    if any(known[start : start + len(digest)] == digest for start in range(0, len(known), len(digest))):
        return Same(path, seen, digest)
    try:
        found = cut(path, content)
        if isinstance(found, Skipped):
            return _left_out(path, found.rule, found.detail, seen)
        return CutFile(path, seen, digest, found.language, list(_pieces(path, found)))
    except MemoryError:
        raise
    except Exception as error:  # one file must not end the run, whatever is in it; it is listed
        logger.exception("a file could not be cut")
        return _left_out(path, SkipRule.FAILED, type(error).__name__, seen)


def _pieces(path: str, found: CutInChunks) -> Iterator[Piece]:
    for chunk in found.chunks:
        words = words_of(path, chunk)
        yield Piece(
            chunk_hash=chunk_hash(chunk, found.language),
            packed=pack(chunk.text),
            start_line=chunk.start_line,
            end_line=chunk.end_line,
            symbol=chunk.symbol,
            kind=chunk.kind,
            symbol_words=words.symbol,
            path_words=words.path,
            body_words=words.body,
        )


def _is_inside(name: bytes, folders: dict[bytes, bool]) -> bool:
    """Whether the file's folder is still what its name says, not a link to somewhere else."""
    folder = os.path.dirname(name)  # noqa: PTH120 - bytes
    inside = folders.get(folder)
    if inside is None:
        inside = folders[folder] = os.path.realpath(folder) == folder
    return inside


def _unread(path: str, name: bytes, error: OSError) -> FileOutcome:
    if error.errno in _GONE:
        return Gone(path)
    if error.errno == errno.ELOOP:
        return _left_out(path, SkipRule.LINK)
    skipped = Skipped(path, SkipRule.UNREADABLE, error.strerror or type(error).__name__)
    return LeftOut(skipped, keeps_old=True, seen=look(name))


def look(name: bytes) -> Seen | None:
    """How a file looks from outside; None if it is none."""
    try:
        status = os.lstat(name)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Seen(status.st_size, status.st_mtime_ns, status.st_ino, time.time_ns())


def _left_out(path: str, rule: SkipRule, detail: str = "", seen: Seen | None = None) -> LeftOut:
    return LeftOut(Skipped(path, rule, detail), seen=seen)


def embed_chunks(request: EmbedChunks) -> ChunksEmbedded | Failed:
    """Embeds chunks with the built-in model."""
    from localfirst.code_index.search import quantised
    from localfirst.embedding.choice import EmbeddingChoice
    from localfirst.embedding.provider import EmbeddingUnavailableError
    from localfirst.embedding.providers import provider_of

    try:
        provider = provider_of(EmbeddingChoice())  # the built-in one
        if provider.model != request.model:
            return Failed(f"the embedding model is {provider.model} here, not {request.model}", is_embedding_unavailable=True)
        vectors = quantised(provider.embed(texts_of(request.chunks)))
    except EmbeddingUnavailableError as error:
        return Failed(error.message, is_embedding_unavailable=True)
    return ChunksEmbedded([row.tobytes() for row in vectors])


def texts_of(chunks: list[tuple[str | None, str, bytes]]) -> list[str]:
    """What is embedded of chunks given as symbol, kind and packed text."""
    from localfirst.code_index.words import embedding_text

    return [embedding_text(Chunk(1, 1, unpack(packed), symbol, kind)) for symbol, kind, packed in chunks]
