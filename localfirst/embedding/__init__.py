"""Turning text into vectors: what a provider of embeddings is, the one that is built in, and those that can be chosen.

    provider               what each of them offers
    static                 the built-in one: no network, no account
    static_code            the same vectors, summed as suits code
    choice                 which one the settings name
    service                asking a model over HTTP: batches, retries, pace
    ollama, openai         the two ways such services speak
    installed_model        models that model2vec or sentence-transformers compute, where those are installed
    pace                   requests a minute, for services that limit them
    words                  a text as the built-in model should see it

Importing this package loads nothing; each provider needs libraries of its own, so it is imported where a vector is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localfirst.embedding.provider import EmbeddingProvider
    from localfirst.settings import Settings


def configured(settings: Settings, *, patience_s: float | None = None) -> EmbeddingProvider:
    """The provider of code's embeddings that the settings name; see `choice.provider_of`."""
    from localfirst.embedding.choice import EmbeddingChoice
    from localfirst.embedding.providers import provider_of

    return provider_of(EmbeddingChoice.of(settings), patience_s=patience_s)
