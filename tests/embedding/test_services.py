"""Embedding services over HTTP: how they are asked, and what becomes of answers that fail."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from embedding import misbehaving
from embedding.misbehaving import Behaviour, Service
from localfirst.embedding.choice import EmbeddingChoice
from localfirst.embedding.provider import EmbeddingProvider, EmbeddingUnavailableError
from localfirst.embedding.providers import provider_of

TOKEN = "sk-very-secret"


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield service
    service.release.set()
    service.shutdown()
    thread.join()
    service.server_close()


def asking(service: Service, kind: str = "openai", patience_s: float = 10.0, **more: object) -> EmbeddingProvider:
    return provider_of(EmbeddingChoice(kind, "code-model", service.url, TOKEN, **more), patience_s=patience_s)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "path"), [("openai", "/embeddings"), ("ollama", "/api/embed")])
def test_texts_become_unit_vectors_in_their_order(service: Service, kind: str, path: str) -> None:
    provider = asking(service, kind)
    vectors = provider.embed(["four", "a", "", "  "])
    assert vectors.dtype == np.float32
    assert vectors.shape == (4, provider.dimensions) == (4, 4)
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0, 0])
    assert np.allclose(vectors[:2, 0] / vectors[:2, 1], [4, 1])
    assert (service.requests[0]["path"], service.requests[0]["model"]) == (path, "code-model")
    assert service.requests[0]["token"] == f"Bearer {TOKEN}"
    assert service.requests[0]["input"] == ["four", "a"]
    assert provider.model == f"{kind}:code-model"
    assert provider.is_remote


def test_many_texts_go_in_batches_and_come_back_in_order(service: Service) -> None:
    texts = ["x" * (number % 50 + 1) for number in range(300)]
    vectors = asking(service).embed(texts)
    assert np.allclose(vectors[:, 0] / vectors[:, 1], [len(text) for text in texts])
    assert 5 <= len(service.requests) <= 10
    assert max(len(request["input"]) for request in service.requests) <= 64


def test_a_long_text_is_cut(service: Service) -> None:
    asking(service).embed(["y" * 1_000_000])
    assert len(service.requests[0]["input"][0]) <= 8_000


@pytest.mark.parametrize(
    "trouble",
    [
        misbehaving.status(500),
        misbehaving.status(503),
        misbehaving.status(429),
        misbehaving.status(429, Retry_After="0"),
        misbehaving.cut,
        misbehaving.hang_up,
        misbehaving.content(b"<html>busy</html>"),
    ],
)
def test_trouble_that_passes_is_waited_out(service: Service, trouble: Behaviour) -> None:
    service.script = [trouble, trouble]
    vectors = asking(service).embed(["abc"])
    assert np.allclose(vectors[0, 0] / vectors[0, 1], 3)
    assert len(service.requests) == 3


def test_the_pause_that_a_service_asks_for_is_kept(service: Service) -> None:
    service.script = [misbehaving.status(429, Retry_After="1")]
    begin = time.monotonic()
    asking(service).embed(["abc"])
    assert time.monotonic() - begin >= 1.0


def test_a_pause_beyond_patience_is_not_waited_for(service: Service) -> None:
    service.script = [misbehaving.status(429, Retry_After="120")]
    provider = asking(service)
    with pytest.raises(EmbeddingUnavailableError):
        provider.embed(["abc"])
    with pytest.raises(EmbeddingUnavailableError):
        provider.embed(["abc"])
    assert len(service.requests) == 1  # the second was not even sent


def test_a_service_that_stays_away_is_unavailable_and_says_so(service: Service) -> None:
    service.script = [misbehaving.status(503)] * 1000
    with pytest.raises(EmbeddingUnavailableError, match="does not answer: it said 503"):
        asking(service, patience_s=0.5).embed(["abc"])


def test_a_silent_service_is_given_up(service: Service) -> None:
    service.script = [misbehaving.silent] * 10
    with pytest.raises(EmbeddingUnavailableError, match="in time"):
        asking(service, patience_s=0.3).embed(["abc"])


def test_nobody_listening_is_unavailable() -> None:
    provider = provider_of(EmbeddingChoice("ollama", "m", "http://127.0.0.1:1"), patience_s=0.2)
    with pytest.raises(EmbeddingUnavailableError):
        provider.embed(["abc"])
    with pytest.raises(EmbeddingUnavailableError):
        _ = provider.dimensions


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        (401, "openai", "LOCALFIRST_EMBEDDING_TOKEN"),
        (404, "ollama", "ollama pull code-model"),
        (400, "openai", "EMBEDDING_URL"),
    ],
)
def test_a_refusal_is_reported_at_once_with_what_to_do(service: Service, code: int, kind: str, advice: str) -> None:
    service.script = [misbehaving.status(code)] * 10
    with pytest.raises(EmbeddingUnavailableError, match=advice):
        asking(service, kind).embed(["abc"])
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "strange",
    [
        misbehaving.content({}),
        misbehaving.content({"data": []}),
        misbehaving.content({"data": [{"index": 0, "embedding": []}]}),
        misbehaving.content({"data": [{"index": 0, "embedding": ["a", "b"]}]}),
        misbehaving.content({"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}]}),
        misbehaving.content([1, 2]),
        misbehaving.content(None),
    ],
)
def test_an_answer_of_another_form_is_refused(service: Service, strange: Behaviour) -> None:
    service.script = [strange]
    with pytest.raises(EmbeddingUnavailableError, match="gave an answer"):
        asking(service).embed(["abc"])


def test_vectors_of_another_dimension_than_before_are_refused(service: Service) -> None:
    provider = asking(service)
    provider.embed(["abc"])
    service.script = [misbehaving.of_dimensions(7)]
    with pytest.raises(EmbeddingUnavailableError, match="7 dimensions"):
        provider.embed(["abc"])


def test_a_pace_is_kept(service: Service) -> None:
    provider = asking(service, requests_per_minute=300)
    begin = time.monotonic()
    for _ in range(4):
        provider.embed(["abc"])
    assert time.monotonic() - begin >= 0.6


def test_neither_token_nor_text_is_in_errors_or_the_log(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    service.script = [misbehaving.status(500), misbehaving.status(401)]
    with caplog.at_level(logging.DEBUG, "localfirst"), pytest.raises(EmbeddingUnavailableError) as refused:
        asking(service).embed(["private text"])
    reported = caplog.text + str(refused.value) + repr(EmbeddingChoice("openai", "m", service.url, TOKEN))
    assert TOKEN not in reported
    assert "private text" not in reported
