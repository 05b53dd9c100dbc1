"""The provider that a choice names; what it needs is loaded with it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from localfirst.embedding.choice import DEFAULT_URLS, KINDS, EmbeddingChoice
from localfirst.embedding.provider import EmbeddingUnavailableError

if TYPE_CHECKING:
    from localfirst.embedding.provider import EmbeddingProvider
    from localfirst.settings import Settings

logger = logging.getLogger("localfirst.embedding")

PATIENCE_S = 30.0
"""How long a service that fails or is busy is asked again before it counts as away."""


def provider_of(choice: EmbeddingChoice, *, patience_s: float | None = None) -> EmbeddingProvider:
    """The provider; a service is not asked for anything yet.

    Args:
        patience_s: how long a service is asked again before it counts as away; a search has less of it than a job.

    Raises EmbeddingUnavailableError where the model cannot be loaded.
    """
    patience_s = PATIENCE_S if patience_s is None else patience_s
    if choice.kind in ("ollama", "openai"):
        return _service(choice, patience_s)
    if choice.kind == "model2vec":
        from localfirst.embedding import installed_model

        return installed_model.model2vec(choice.model)
    if choice.kind == "sentence-transformers":
        from localfirst.embedding import installed_model

        return installed_model.sentence_transformer(choice.model)
    from localfirst.embedding import static_code

    return static_code.load()


def provider_of_model(model: str, settings: Settings, *, patience_s: float) -> EmbeddingProvider | None:
    """The provider whose vectors have this identity, for queries; None where it cannot be had any more.

    While the vectors of a newly chosen model are being made, the index still answers with those of the one before.
    """
    chosen = EmbeddingChoice.of(settings)
    kind, _, name = model.partition(":")
    try:
        if kind in KINDS and name:
            same = chosen.kind == kind
            url = chosen.url if same else DEFAULT_URLS.get(kind)
            choice = EmbeddingChoice(kind, name, url, chosen.token if same else None, chosen.requests_per_minute)
        else:
            choice = EmbeddingChoice()
        provider = provider_of(choice, patience_s=patience_s)
    except EmbeddingUnavailableError as error:
        logger.warning("%s", error)
        return None
    return provider if provider.model == model else None


def _service(choice: EmbeddingChoice, patience_s: float) -> EmbeddingProvider:
    from localfirst.embedding.service import ServiceEmbedding

    if choice.kind == "ollama":
        from localfirst.embedding.ollama import OllamaDialect

        return ServiceEmbedding(choice, OllamaDialect(), patience_s)
    from localfirst.embedding.openai import OpenAIDialect

    return ServiceEmbedding(choice, OpenAIDialect(), patience_s)
