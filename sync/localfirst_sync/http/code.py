"""The team's code index by a daemon: one question for each method of `code_port.CodeServer`, all to ``POST /v1/code``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

import msgspec

from localfirst_sync.code_port import Candidate, CodeServer, CodeWanted, SharedChunk, SharedFile
from localfirst_sync.http.store import HttpStore

_Answer = TypeVar("_Answer")


class FetchVectors(msgspec.Struct, frozen=True, tag="fetch_vectors"):
    """`CodeServer.fetch_vectors`, and so on for the others."""

    model: str
    hashes: list[bytes]


class MissingChunks(msgspec.Struct, frozen=True, tag="missing_chunks"):
    hashes: list[bytes]


class MissingVectors(msgspec.Struct, frozen=True, tag="missing_vectors"):
    model: str
    hashes: list[bytes]


class PutChunks(msgspec.Struct, frozen=True, tag="put_chunks"):
    chunks: list[SharedChunk]


class PutVectors(msgspec.Struct, frozen=True, tag="put_vectors"):
    model: str
    vectors: list[tuple[bytes, bytes]]


class NoteRepository(msgspec.Struct, frozen=True, tag="note_repository"):
    repository: str
    name: str
    by: str | None


class CompleteModel(msgspec.Struct, frozen=True, tag="complete_model"):
    repository: str


class NoteCompleteModel(msgspec.Struct, frozen=True, tag="note_complete_model"):
    repository: str
    model: str


class FilesOf(msgspec.Struct, frozen=True, tag="files_of"):
    repository: str


class PutFiles(msgspec.Struct, frozen=True, tag="put_files"):
    repository: str
    files: list[SharedFile]
    deleted: list[str]


class EnsureVectorIndex(msgspec.Struct, frozen=True, tag="ensure_vector_index"):
    model: str


class Withdraw(msgspec.Struct, frozen=True, tag="withdraw"):
    repository: str


class Candidates(msgspec.Struct, frozen=True, tag="candidates"):
    wanted: CodeWanted


Reading: TypeAlias = FetchVectors | MissingChunks | MissingVectors | CompleteModel | FilesOf | Candidates
Writing: TypeAlias = PutChunks | PutVectors | NoteRepository | NoteCompleteModel | PutFiles | EnsureVectorIndex | Withdraw
CodeQuestion: TypeAlias = Reading | Writing


def answered(server: CodeServer, question: CodeQuestion) -> object:
    """The answer of a server to a question."""
    arguments = [getattr(question, name) for name in question.__struct_fields__]
    found: object = getattr(server, str(question.__struct_config__.tag))(*arguments)
    return list(found.items()) if isinstance(found, dict) else found


class HttpCodeServer:
    """For the store's thread."""

    def __init__(self, store: HttpStore) -> None:
        self._store = store

    def fetch_vectors(self, model: str, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        """See `CodeServer.fetch_vectors`."""
        return dict(self._asked(FetchVectors(model, list(hashes)), list[tuple[bytes, bytes]]))

    def missing_chunks(self, hashes: Sequence[bytes]) -> set[bytes]:
        """See `CodeServer.missing_chunks`."""
        return self._asked(MissingChunks(list(hashes)), set[bytes])

    def missing_vectors(self, model: str, hashes: Sequence[bytes]) -> set[bytes]:
        """See `CodeServer.missing_vectors`."""
        return self._asked(MissingVectors(model, list(hashes)), set[bytes])

    def put_chunks(self, chunks: Sequence[SharedChunk]) -> None:
        """See `CodeServer.put_chunks`."""
        self._sent(PutChunks(list(chunks)))

    def put_vectors(self, model: str, vectors: Sequence[tuple[bytes, bytes]]) -> None:
        """See `CodeServer.put_vectors`."""
        self._sent(PutVectors(model, list(vectors)))

    def note_repository(self, repository: str, name: str, by: str | None) -> None:
        """See `CodeServer.note_repository`."""
        self._sent(NoteRepository(repository, name, by))

    def complete_model(self, repository: str) -> str | None:
        """See `CodeServer.complete_model`."""
        found = self._store.ask_code(CompleteModel(repository), Any)
        return found if isinstance(found, str) else None

    def note_complete_model(self, repository: str, model: str) -> None:
        """See `CodeServer.note_complete_model`."""
        self._sent(NoteCompleteModel(repository, model))

    def files_of(self, repository: str) -> dict[str, bytes]:
        """See `CodeServer.files_of`."""
        return dict(self._asked(FilesOf(repository), list[tuple[str, bytes]]))

    def put_files(self, repository: str, files: Sequence[SharedFile], deleted: Sequence[str]) -> None:
        """See `CodeServer.put_files`."""
        self._sent(PutFiles(repository, list(files), list(deleted)))

    def ensure_vector_index(self, model: str) -> bool:
        """See `CodeServer.ensure_vector_index`."""
        return self._asked(EnsureVectorIndex(model), bool)

    def withdraw(self, repository: str) -> None:
        """See `CodeServer.withdraw`."""
        self._sent(Withdraw(repository))

    def candidates(self, wanted: CodeWanted) -> list[Candidate]:
        """See `CodeServer.candidates`."""
        return self._asked(Candidates(wanted), list[Candidate])

    def _asked(self, question: CodeQuestion, kind: type[_Answer]) -> _Answer:
        found: _Answer = self._store.ask_code(question, kind)
        return found

    def _sent(self, question: CodeQuestion) -> None:
        self._store.ask_code(question, Any)
