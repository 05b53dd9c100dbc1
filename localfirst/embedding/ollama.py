"""How Ollama is asked (POST /api/embed, its API reference "Generate Embeddings")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class OllamaDialect:
    """See `service.Dialect`."""

    path = "/api/embed"

    def question(self, model: str, texts: Sequence[str]) -> dict[str, Any]:
        """What is sent. A text that is longer than the model reads is cut there."""
        return {"model": model, "input": list(texts), "truncate": True}

    def vectors(self, answer: Any) -> list[list[float]]:
        """What came back, in the order of the texts. Raises KeyError or TypeError for another answer."""
        found: list[list[float]] = answer["embeddings"]
        return found

    def advice(self, status: int, model: str) -> str:
        """What a person does about a refusal."""
        return f"run `ollama pull {model}`" if status == 404 else "look at Ollama's log"
