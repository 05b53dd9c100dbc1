"""A model2vec model in a folder (or of the hub's, where that can be reached), where the package is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from localfirst.embedding.provider import EmbeddingUnavailableError, unit

if TYPE_CHECKING:
    from localfirst.embedding.provider import Vectors


class Model2VecEmbedding:
    """See `EmbeddingProvider`."""

    is_remote = False

    def __init__(self, name: str, model: Any) -> None:
        self._name, self._model = name, model

    @property
    def model(self) -> str:
        """See `EmbeddingProvider`."""
        return f"model2vec:{self._name}"

    @property
    def dimensions(self) -> int:
        """See `EmbeddingProvider`."""
        return int(self._model.dim)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `EmbeddingProvider`."""
        import numpy as np

        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        return unit(self._model.encode(list(texts), max_length=None, use_multiprocessing=False))


def load(name: str) -> Model2VecEmbedding:
    """The model. Raises EmbeddingUnavailableError where the package or the model cannot be loaded."""
    try:
        from model2vec import StaticModel

        return Model2VecEmbedding(name, StaticModel.from_pretrained(name, force_download=False))
    except ImportError as error:
        raise EmbeddingUnavailableError(
            "LOCALFIRST_EMBEDDING names a model2vec model; install model2vec beside localfirst."
        ) from error
    except Exception as error:
        raise EmbeddingUnavailableError(
            f"the model2vec model {name} cannot be loaded ({type(error).__name__}); check its folder."
        ) from error
