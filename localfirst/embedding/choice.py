"""Which provider the settings name: `builtin`, or one of `KINDS` with a model, as in `ollama:nomic-embed-text`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localfirst_schema.errors import ValidationError

if TYPE_CHECKING:
    from localfirst.settings import Settings

BUILT_IN = "builtin"
KINDS = ("ollama", "openai", "model2vec", "sentence-transformers")

DEFAULT_URLS = {"ollama": "http://localhost:11434", "openai": "https://api.openai.com/v1"}


class EmbeddingChoice(NamedTuple):
    """A provider as the settings name it. `token` is a secret: it is never logged, displayed or stored."""

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
        url = settings.embedding_url or DEFAULT_URLS.get(kind)
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValidationError("LOCALFIRST_EMBEDDING_URL", "must begin with http:// or https://")
        return cls(kind, model.strip(), url, settings.embedding_token, settings.embedding_requests_per_minute)

    def __repr__(self) -> str:
        """Without the secret, and without the URL, which may hold one."""
        return f"EmbeddingChoice({self.kind}:{self.model})"
