"""The team's code index as a client sees it, whichever way it reaches the server: PostgreSQL itself, or a daemon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class SharedChunk(NamedTuple):
    """A chunk's content. `symbol_words` and `body_words` are what full text is to see of it."""

    chunk_hash: bytes
    text: str
    symbol_words: str
    body_words: str


class SharedPlace(NamedTuple):
    """Where a chunk stands in a file; lines count from 1, inclusive."""

    start_line: int
    end_line: int
    symbol: str | None
    kind: str
    chunk_hash: bytes


class SharedFile(NamedTuple):
    """A file of a repository, with all its places."""

    path: str
    content_hash: bytes
    language: str
    places: Sequence[SharedPlace]


class Candidate(NamedTuple):
    """A place that may answer the query.

    `words` is PostgreSQL's rank of the words (any scale; None where they do not match), `cosine` the vectors' (None where it is
    not among the nearest, or the server cannot search vectors).
    """

    repository: str
    path: str
    start_line: int
    end_line: int
    symbol: str | None
    kind: str
    language: str
    text: str
    words: float | None
    cosine: float | None
    chunk_hash: bytes


class CodeWanted(NamedTuple):
    """What is searched for: any of these words (letters and digits only), and near this int8 vector of `model`."""

    words: Sequence[str]
    model: str | None
    vector: bytes | None
    repository: str | None = None
    language: str | None = None


class CodeServer(Protocol):
    """The index of one project. Methods raise `localfirst_schema.errors.UnavailableError`."""

    def fetch_vectors(self, model: str, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        """The int8 vectors of those chunks that the server has one of."""

    def missing_chunks(self, hashes: Sequence[bytes]) -> set[bytes]:
        """Those that the server has no text of."""

    def missing_vectors(self, model: str, hashes: Sequence[bytes]) -> set[bytes]:
        """Those that the server has no vector of this model of."""

    def put_chunks(self, chunks: Sequence[SharedChunk]) -> None:
        """Adds chunks; those that are there already stay as they are."""

    def put_vectors(self, model: str, vectors: Sequence[tuple[bytes, bytes]]) -> None:
        """Adds (hash, int8 vector) of chunks that the server has."""

    def note_repository(self, repository: str, name: str, by: str | None) -> None:
        """Makes the repository known, and who publishes it."""

    def complete_model(self, repository: str) -> str | None:
        """The model that all of the repository's chunks have a vector of on the server, if one is known."""

    def note_complete_model(self, repository: str, model: str) -> None:
        """Notes that all of the repository's chunks have a vector of this model."""

    def files_of(self, repository: str) -> dict[str, bytes]:
        """Path → content hash of the tree as it was last published."""

    def put_files(self, repository: str, files: Sequence[SharedFile], deleted: Sequence[str]) -> None:
        """Replaces these files with all their places, and takes the deleted ones away."""

    def ensure_vector_index(self, model: str) -> bool:
        """Keeps a graph (HNSW) for a model that has many vectors; whether there is one."""

    def withdraw(self, repository: str) -> None:
        """Takes the repository's tree off the server. Chunks and vectors stay: they are by content, nobody's."""

    def candidates(self, wanted: CodeWanted) -> list[Candidate]:
        """The places of the best chunks."""
