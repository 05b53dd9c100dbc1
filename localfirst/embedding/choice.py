"""Which provider the settings name: `builtin`, or one of `KINDS` with a model, as in `ollama:nomic-embed-text`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from localfirst_schema.errors import ValidationError

from localfirst.embedding.provider import EmbeddingUnavailableError

if TYPE_CHECKING:
    from localfirst.embedding.provider import EmbeddingProvider
    from localfirst.settings import Settings

logger = logging.getLogger("localfirst.embedding")

BUILT_IN = "builtin"
KINDS = ("ollama", "openai", "model2vec", "sentence-transformers")

PATIENCE_S = 30.0
"""How long a service that fails or is busy is asked again before it counts as away."""

_DEFAULT_URLS = {"ollama": "http://localhost:11434", "openai": "https://api.openai.com/v1"}


class EmbeddingChoice(NamedTuple):
    """A provider as the settings name it. `token` is a secret: it is never logged, shown or stored."""

    kind: str = BUILT_IN
    model: str = ""
    url: str | None = None
    token: str | None = None
    requests_per_minute: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> EmbeddingChoice:
        """What the settings say. Raises ValidationError for a name that means nothing."""
        kind, _, model = settings.embedding.partition(":")
        if kind == BUILT_IN and not model:
            return cls()
        if kind not in KINDS or not model.strip():
            known = ", ".join([BUILT_IN, *(f"{kind}:MODEL" for kind in KINDS)])
            raise ValidationError("LOCALFIRST_EMBEDDING", f"must be one of {known}")
        url = settings.embedding_url or _DEFAULT_URLS.get(kind)
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValidationError("LOCALFIRST_EMBEDDING_URL", "must begin with http:// or https://")
        return cls(kind, model.strip(), url, settings.embedding_token, settings.embedding_requests_per_minute)

    def __repr__(self) -> str:
        """Without the secret, and without the URL, which may hold one."""
        return f"EmbeddingChoice({self.kind}:{self.model})"


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
            url = chosen.url if same else _DEFAULT_URLS.get(kind)
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
