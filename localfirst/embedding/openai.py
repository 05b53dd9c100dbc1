"""How OpenAI, and the many servers that speak as it does, are asked (POST {base}/embeddings)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class OpenAIDialect:
    """See `service.Dialect`."""

    path = "/embeddings"

    def question(self, model: str, texts: Sequence[str]) -> dict[str, Any]:
        """What is sent."""
        return {"model": model, "input": list(texts), "encoding_format": "float"}

    def vectors(self, answer: Any) -> list[list[float]]:
        """What came back, in the order of the texts. Raises KeyError or TypeError for another answer."""
        return [entry["embedding"] for entry in sorted(answer["data"], key=lambda entry: entry["index"])]

    def advice(self, status: int, model: str) -> str:
        """What a person does about a refusal."""
        if status in (401, 403):
            return "set LOCALFIRST_EMBEDDING_TOKEN, and the LOCALFIRST_EMBEDDING_URL that it is for, in the environment"
        return f"check LOCALFIRST_EMBEDDING_URL, and that the service has {model}"
