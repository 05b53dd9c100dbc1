"""Asking a model over HTTP.

Texts go in batches, a few at once. A batch that fails for a reason that may pass (no connection, a time-out, 408, 429, a
5xx, an answer cut short) is sent again after a wait that doubles, or as long as the service asks for (Retry-After), until
the provider's patience is over. What will not pass (a refused token, an unknown model, an answer of another form) fails at
once. Either way the caller gets EmbeddingUnavailableError with what to do; neither token, URL nor text is in it or in the log.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol

from localfirst.embedding.pace import Pace
from localfirst.embedding.provider import EmbeddingUnavailableError

if TYPE_CHECKING:
    import httpx2

    from localfirst.embedding.choice import EmbeddingChoice
    from localfirst.embedding.provider import Vectors

logger = logging.getLogger("localfirst.embedding")

BATCH_TEXTS, BATCH_CHARACTERS = 64, 100_000
"""Of one request. Services limit both; 64 chunks of code are some 60 000 characters."""

LONGEST_TEXT = 8_000
"""Characters. Models read some 2 000 to 8 000 tokens, and some refuse a text that is longer than that."""

AT_ONCE = 4
TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 5.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 20.0
MAY_PASS = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class Dialect(Protocol):
    """How one kind of service is asked."""

    @property
    def path(self) -> str:
        """Added to the service's URL."""

    def question(self, model: str, texts: Sequence[str]) -> dict[str, Any]:
        """The JSON that is sent."""

    def vectors(self, answer: Any) -> list[list[float]]:
        """One vector per text from the JSON that came back. Raises KeyError, TypeError, IndexError for another form."""

    def advice(self, status: int, model: str) -> str:
        """What a person does about a status that will not pass, as the end of a sentence."""


class _MayPassError(Exception):
    """A failure that another attempt may not meet; `wait_s` is what the service asked for."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s


class ServiceEmbedding:
    """A provider that asks a service. May be used by several threads."""

    is_remote = True

    def __init__(self, choice: EmbeddingChoice, dialect: Dialect, patience_s: float) -> None:
        if choice.url is None:
            raise EmbeddingUnavailableError("no service is named; set LOCALFIRST_EMBEDDING_URL.")
        self._kind, self._name, self._token = choice.kind, choice.model, choice.token
        self._url = choice.url.rstrip("/") + dialect.path
        self._dialect = dialect
        self._patience_s = patience_s
        self._pace = Pace(choice.requests_per_minute)
        self._dimensions: int | None = None
        self._client: httpx2.Client | None = None
        self._opening = threading.Lock()

    @property
    def model(self) -> str:
        """See `EmbeddingProvider`."""
        return f"{self._kind}:{self._name}"

    @property
    def dimensions(self) -> int:
        """See `EmbeddingProvider`. Asks the service the first time; raises EmbeddingUnavailableError."""
        if self._dimensions is None:
            self.embed(["dimensions"])
        if self._dimensions is None:
            raise EmbeddingUnavailableError(f"{self.model} answered without a vector.")
        return self._dimensions

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `EmbeddingProvider`."""
        import numpy as np

        from localfirst.embedding.words import has_words

        asked = [place for place, text in enumerate(texts) if has_words(text)]
        batches = list(_batches(asked, texts))
        deadline = time.monotonic() + self._patience_s
        if len(batches) == 1:
            answers = [self._ask(batches[0], texts, deadline)]
        else:
            with ThreadPoolExecutor(AT_ONCE, "embedding") as threads:
                answers = list(threads.map(lambda batch: self._ask(batch, texts, deadline), batches))
        vectors = np.zeros((len(texts), self._dimensions or (self.dimensions if not answers else 0)), np.float32)
        for batch, answer in zip(batches, answers, strict=True):
            vectors[batch] = answer
        return vectors

    def close(self) -> None:
        """Lets go of the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _ask(self, batch: Sequence[int], texts: Sequence[str], deadline: float) -> Vectors:
        """The unit vectors of one batch, asked for until they come or patience is over; progress renews patience."""
        wait_s = FIRST_WAIT_S
        while True:
            self._pace.wait(deadline)
            try:
                return self._checked(self._post([texts[place][:LONGEST_TEXT] for place in batch]), len(batch))
            except _MayPassError as failure:
                pause = failure.wait_s if failure.wait_s is not None else wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - it spreads clients
                if failure.wait_s is not None:
                    self._pace.hold(pause)
                if time.monotonic() + pause > deadline:
                    raise EmbeddingUnavailableError(
                        f"the embedding service ({self.model}) does not answer: {failure.reason}; it is asked again later."
                    ) from None
                logger.info("the embedding service is asked again in %.1f s: %s", pause, failure.reason)
                time.sleep(pause)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _post(self, texts: list[str]) -> Any:
        import httpx2

        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            response = self._opened().post(self._url, json=self._dialect.question(self._name, texts), headers=headers)
        except httpx2.TimeoutException:
            raise _MayPassError("it did not answer in time") from None
        except httpx2.TransportError as error:
            raise _MayPassError(f"the connection failed ({type(error).__name__})") from None
        except (httpx2.InvalidURL, UnicodeError):
            raise EmbeddingUnavailableError("LOCALFIRST_EMBEDDING_URL is no URL; correct it.") from None
        status = response.status_code
        if status in MAY_PASS:
            raise _MayPassError(f"it said {status}", _asked_wait_s(response.headers.get("retry-after")))
        if status != 200:
            raise EmbeddingUnavailableError(
                f"the embedding service refused {self.model} ({status}); {self._dialect.advice(status, self._name)}."
            )
        try:
            return response.json()
        except ValueError:
            raise _MayPassError("its answer is no JSON") from None

    def _opened(self) -> httpx2.Client:
        import httpx2

        with self._opening:
            if self._client is None:
                timeout = httpx2.Timeout(min(TIMEOUT_S, max(self._patience_s, 0.1)), connect=CONNECT_TIMEOUT_S)
                self._client = httpx2.Client(timeout=timeout)
            return self._client

    def _checked(self, answer: Any, count: int) -> Vectors:
        """The answer as unit vectors. Raises EmbeddingUnavailableError for another form, number or dimension."""
        import numpy as np

        try:
            vectors: Vectors = np.array(self._dialect.vectors(answer), np.float32)
        except (KeyError, TypeError, IndexError, ValueError, AttributeError):
            raise self._strange("an answer that cannot be read") from None
        if vectors.ndim != 2 or len(vectors) != count or not vectors.shape[1] or not np.isfinite(vectors).all():
            raise self._strange(f"an answer of the form {vectors.shape} for {count} texts")
        if self._dimensions is None:
            self._dimensions = vectors.shape[1]
        if vectors.shape[1] != self._dimensions:
            raise self._strange(f"vectors of {vectors.shape[1]} dimensions after some of {self._dimensions}")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        return vectors

    def _strange(self, what: str) -> EmbeddingUnavailableError:
        return EmbeddingUnavailableError(
            f"the embedding service ({self.model}) gave {what}; check that LOCALFIRST_EMBEDDING names an embedding model."
        )


def _batches(places: Sequence[int], texts: Sequence[str]) -> list[list[int]]:
    batches: list[list[int]] = []
    characters = 0
    for place in places:
        length = min(len(texts[place]), LONGEST_TEXT)
        if not batches or len(batches[-1]) == BATCH_TEXTS or characters + length > BATCH_CHARACTERS:
            batches.append([])
            characters = 0
        batches[-1].append(place)
        characters += length
    return batches


def _asked_wait_s(header: str | None) -> float | None:
    """Seconds of a Retry-After header, which holds seconds or a date; None without one that can be read."""
    if header is None:
        return None
    try:
        return min(max(float(header), 0.0), 3600.0)
    except ValueError:
        pass
    try:
        return min(max(parsedate_to_datetime(header).timestamp() - time.time(), 0.0), 3600.0)
    except ValueError:
        return None
