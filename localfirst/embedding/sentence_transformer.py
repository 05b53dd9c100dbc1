"""A sentence-transformers model, where that package is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from localfirst.embedding.provider import EmbeddingUnavailableError, unit

if TYPE_CHECKING:
    from localfirst.embedding.provider import Vectors


class SentenceTransformerEmbedding:
    """See `EmbeddingProvider`."""

    is_remote = False

    def __init__(self, name: str, model: Any) -> None:
        self._name, self._model = name, model

    @property
    def model(self) -> str:
        """See `EmbeddingProvider`."""
        return f"sentence-transformers:{self._name}"

    @property
    def dimensions(self) -> int:
        """See `EmbeddingProvider`."""
        dimensions = self._model.get_sentence_embedding_dimension()
        if dimensions is None:
            dimensions = len(self._model.encode(["dimensions"], show_progress_bar=False)[0])
        return int(dimensions)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `EmbeddingProvider`."""
        import numpy as np

        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        return unit(self._model.encode(list(texts), show_progress_bar=False, convert_to_numpy=True))


def load(name: str) -> SentenceTransformerEmbedding:
    """The model. Raises EmbeddingUnavailableError where the package or the model cannot be loaded."""
    try:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformerEmbedding(name, SentenceTransformer(name))
    except ImportError as error:
        raise EmbeddingUnavailableError(
            "LOCALFIRST_EMBEDDING names a sentence-transformers model; install sentence-transformers beside localfirst."
        ) from error
    except Exception as error:
        raise EmbeddingUnavailableError(
            f"the sentence-transformers model {name} cannot be loaded ({type(error).__name__}); check its name."
        ) from error
