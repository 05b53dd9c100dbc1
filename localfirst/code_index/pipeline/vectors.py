"""Phase Embedding: chunks that lack a vector of the present model get one, from the team's server or computed.

Several runs at once, each in a thread of its own, take different chunks: each claims what it has begun in the pool that they
share. A run is over when no chunk of its repository waits, so one that finds only chunks that others have claimed waits for
them. The run that fills a new model beside the present one goes on until the whole store has its vectors.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import apsw
from localfirst_schema.errors import LocalfirstError, UnavailableError

from localfirst.code_index.pipeline.compute import texts_of
from localfirst.code_index.pipeline.messages import ChunksEmbedded, EmbedChunks, Failed
from localfirst.code_index.pipeline.pool import LOOK_S, CrashedError, Ordered, Pool, answers
from localfirst.code_index.pipeline.report import Embedded, Report
from localfirst.code_index.store import models, vectors
from localfirst.code_index.store.model import Model
from localfirst.code_index.store.pace import Pace
from localfirst.code_index.store.transaction import prepare, writing
from localfirst.embedding.provider import EmbeddingUnavailableError

if TYPE_CHECKING:
    from localfirst.embedding.provider import EmbeddingProvider

logger = logging.getLogger("localfirst.pipeline")

CHUNKS_PER_REQUEST = 64
CHUNKS_PER_CALL = 256
"""Texts per call of a provider that is not computed in the pool."""

ASKED_AT_ONCE = 2048
"""Chunks whose vectors the team's server is asked for at a time."""

BACKLOG_AT_ONCE = 1000
TRIES = 2

_WAITING = """
    SELECT u.chunk_id, c.chunk_hash FROM code_unembedded AS u JOIN code_chunks AS c USING (chunk_id)
    WHERE u.model_id = :model AND u.chunk_id > :after AND {whose} ORDER BY u.chunk_id LIMIT :limit
"""
_COUNT = "SELECT count(*) FROM code_unembedded AS u WHERE u.model_id = :model AND {whose}"
_OWN = """
    EXISTS (
        SELECT 1 FROM code_places AS p JOIN code_files AS f USING (file_id)
        WHERE p.chunk_id = u.chunk_id AND f.repository_id = :repository
    )
"""
_ANYONES = ":repository IS :repository"
# The symbol belongs to the content (see `chunk_hash`): each place of a chunk has the same one.
_CHUNK = """
    SELECT p.symbol, p.kind, c.text FROM code_chunks AS c LEFT JOIN code_places AS p USING (chunk_id)
    WHERE c.chunk_id = ? LIMIT 1
"""


class SharedVectors(Protocol):
    """Where a team keeps the vectors that one of it has computed."""

    def fetch(self, model: str, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        """Chunk hash → int8 vector, of those there are. Raises LocalfirstError when the server is away."""


class _Chunk(NamedTuple):
    chunk_id: int
    chunk_hash: bytes


def embed_chunks(
    connection: apsw.Connection,
    pool: Pool,
    provider: EmbeddingProvider,
    report: Report,
    shared: SharedVectors | None = None,
    *,
    repository_id: int | None = None,
) -> bool:
    """Gives the chunks of a repository their vectors; False if it was stopped.

    Args:
        repository_id: whose chunks; None: those of all.

    Raises EmbeddingUnavailableError, DiskFullError, the errors of the replica, and what `report` raises.
    """
    prepare(connection)
    model = _adopt(connection, provider)
    run = _Run(connection, pool, provider, model, report, shared)
    try:
        is_done = repository_id is None or run.embed_all(_OWN, repository_id)
        if is_done and (repository_id is None or model.active == models.COMING):
            is_done = run.embed_all(_ANYONES, None)
        return is_done
    finally:
        run.give_up_claims()


def _adopt(connection: apsw.Connection, provider: EmbeddingProvider) -> Model:
    """The provider's model in the store, with every chunk queued for it that has no vector."""
    while (model := models.find(connection, provider.model)) is None or model.active == models.RETIRED:
        with writing(connection):
            present = models.find(connection, provider.model)  # another run may have been quicker
            if present is None:
                models.add(connection, provider.model, provider.dimensions)
            elif present.active == models.RETIRED:
                models.drop(connection, present, BACKLOG_AT_ONCE)  # and begin anew
    if model.dimensions != provider.dimensions:
        raise EmbeddingUnavailableError(
            f"{provider.model} gives vectors of {provider.dimensions} dimensions, but gave {model.dimensions} before: if the"
            " model was replaced under its name, give it another name."
        )
    with writing(connection):
        models.keep_only(connection, model)
    more = True
    while more:
        with writing(connection):
            more = models.queue_backlog(connection, model, BACKLOG_AT_ONCE)
    return model


class _Run:
    def __init__(
        self,
        connection: apsw.Connection,
        pool: Pool,
        provider: EmbeddingProvider,
        model: Model,
        report: Report,
        shared: SharedVectors | None,
    ) -> None:
        self._connection = connection
        self._pool = pool
        self._provider = provider
        self._model = model
        self._report = report
        self._shared = shared
        self._mine: set[int] = set()
        self._pace = Pace(first=64)

    def embed_all(self, whose: str, repository_id: int | None) -> bool:
        """Embeds what waits of a repository (or of all) until nothing does; False if it was stopped."""
        bindings = {"model": self._model.model_id, "repository": repository_id}
        self._report.chunks_queued(int(self._connection.execute(_COUNT.format(whose=whose), bindings).get))
        while not self._report.should_stop():
            free, any_waits = self._claim_next(_WAITING.format(whose=whose), bindings)
            if free:
                self._embed(free)
            elif not any_waits:
                return True
            else:
                with self._pool.claims_changed:  # another run is at the rest
                    self._pool.claims_changed.wait(LOOK_S)
        return False

    def give_up_claims(self) -> None:
        self._release(list(self._mine))

    def _claim_next(self, query: str, bindings: dict[str, int | None]) -> tuple[list[_Chunk], bool]:
        """The next chunks that no other run of this process is at, and whether there are any that wait."""
        with self._pool.claims_changed:
            after, any_waits = 0, False
            while True:
                rows = self._connection.execute(query, {**bindings, "after": after, "limit": ASKED_AT_ONCE})
                waiting = [_Chunk(*row) for row in rows]
                any_waits = any_waits or bool(waiting)
                free = [chunk for chunk in waiting if not self._is_anothers(chunk)]
                if free or not waiting:
                    break
                after = waiting[-1].chunk_id
            me = threading.current_thread()
            self._pool.claimed.update(((self._model.model_id, chunk.chunk_id), me) for chunk in free)
            self._mine.update(chunk.chunk_id for chunk in free)
            return free, any_waits

    def _is_anothers(self, chunk: _Chunk) -> bool:
        """Whether another run is at this chunk. What one has claimed that failed and could not give it up is free."""
        claimant = self._pool.claimed.get((self._model.model_id, chunk.chunk_id))
        return claimant is not None and claimant is not threading.current_thread() and claimant.is_alive()

    def _release(self, chunk_ids: Sequence[int]) -> None:
        with self._pool.claims_changed:
            for chunk_id in chunk_ids:
                self._pool.claimed.pop((self._model.model_id, chunk_id), None)
            self._mine.difference_update(chunk_ids)
            self._pool.claims_changed.notify_all()

    def _embed(self, waiting: Sequence[_Chunk]) -> None:
        """Embeds what was claimed, as far as it is not stopped."""
        fetched = self._fetch(waiting)
        known = [(chunk.chunk_id, fetched[chunk.chunk_hash]) for chunk in waiting if chunk.chunk_hash in fetched]
        self._write(known, fetched=True)
        missing = [chunk for chunk in waiting if chunk.chunk_hash not in fetched]
        for found in self._in_pool(missing) if _is_built_in(self._provider) else self._in_this_thread(missing):
            self._write(found, fetched=False)
        self._release([chunk.chunk_id for chunk in waiting])

    def _fetch(self, waiting: Sequence[_Chunk]) -> dict[bytes, bytes]:
        if self._shared is None:
            return {}
        try:
            found = self._shared.fetch(self._model.model, [chunk.chunk_hash for chunk in waiting])
            return {chunk_hash: vector for chunk_hash, vector in found.items() if len(vector) == self._model.dimensions}
        except LocalfirstError as error:
            logger.info("the team's vectors cannot be had, so they are computed here: %s", error)
            self._shared = None
            return {}

    def _in_pool(self, missing: Sequence[_Chunk]) -> Iterator[list[tuple[int, bytes]]]:
        again: list[tuple[Sequence[_Chunk], int]] = []

        def requests() -> Iterator[tuple[tuple[Sequence[_Chunk], int], EmbedChunks]]:
            for start in range(0, len(missing), CHUNKS_PER_REQUEST):
                part = missing[start : start + CHUNKS_PER_REQUEST]
                yield (part, 1), self._request(part)
            while again:
                part, tries = again.pop()
                yield (part, tries), self._request(part)

        window = self._pool.limit * 2 + 1
        remaining = requests()
        while True:
            for landed in answers(self._pool, remaining, window, self._report.should_stop):
                yield self._landed(landed, again)
            if not again or self._report.should_stop():
                return
            remaining = requests()
            missing = []

    def _request(self, part: Sequence[_Chunk]) -> EmbedChunks:
        return EmbedChunks(self._model.model, [self._content(chunk) for chunk in part])

    def _content(self, chunk: _Chunk) -> tuple[str | None, str, bytes]:
        row = self._connection.execute(_CHUNK, (chunk.chunk_id,)).fetchone()
        if row is None:
            return None, "lines", b""  # swept meanwhile; it will not be written
        symbol, kind, packed = row
        return symbol, kind or "lines", packed

    def _landed(
        self, landed: Ordered[tuple[Sequence[_Chunk], int]], again: list[tuple[Sequence[_Chunk], int]]
    ) -> list[tuple[int, bytes]]:
        part, tries = landed.tag
        try:
            answer = landed.future.result()
        except CrashedError as error:
            if tries >= TRIES:
                raise UnavailableError(
                    f"the embedding of chunks ended abnormally twice ({error}); see the log.", cause="internal"
                ) from error
            again.append((part, tries + 1))
            return []
        if isinstance(answer, ChunksEmbedded):
            return [(chunk.chunk_id, vector) for chunk, vector in zip(part, answer.vectors, strict=True)]
        if isinstance(answer, Failed) and answer.is_embedding_unavailable:
            raise EmbeddingUnavailableError(answer.message)
        raise RuntimeError(f"embedding failed: {answer}")

    def _in_this_thread(self, missing: Sequence[_Chunk]) -> Iterator[list[tuple[int, bytes]]]:
        from localfirst.code_index.search import quantised

        for start in range(0, len(missing), CHUNKS_PER_CALL):
            if self._report.should_stop():
                return
            part = missing[start : start + CHUNKS_PER_CALL]
            found = quantised(self._provider.embed(texts_of([self._content(chunk) for chunk in part])))
            yield [(chunk.chunk_id, vector.tobytes()) for chunk, vector in zip(part, found, strict=True)]

    def _write(self, found: Sequence[tuple[int, bytes]], *, fetched: bool) -> None:
        rest = list(found)
        while rest:
            part, rest = rest[: self._pace.amount], rest[self._pace.amount :]
            with writing(self._connection), self._pace.measuring(len(part)):
                written = vectors.write(self._connection, self._model, part)
                self._report.chunks_done(self._connection, Embedded(len(written), len(written) if fetched else 0))


def _is_built_in(provider: EmbeddingProvider) -> bool:
    from localfirst.embedding.static_code import CodeEmbedding

    return isinstance(provider, CodeEmbedding)
