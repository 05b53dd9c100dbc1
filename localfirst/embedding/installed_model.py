"""A model that a package beside localfirst computes: model2vec or sentence-transformers, where that is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from localfirst.embedding.provider import EmbeddingUnavailableError, unit

if TYPE_CHECKING:
    from localfirst.embedding.provider import Vectors


class InstalledModel:
    """See `EmbeddingProvider`."""

    is_remote = False

    def __init__(self, model: str, dimensions: int, encode: Callable[[list[str]], Any]) -> None:
        self.model, self.dimensions, self._encode = model, dimensions, encode

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `EmbeddingProvider`."""
        import numpy as np

        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        return unit(self._encode(list(texts)))


def model2vec(name: str) -> InstalledModel:
    """The model in the folder `name` (or the hub's, where that can be reached). Raises EmbeddingUnavailableError."""
    with _loading("model2vec", name, "folder"):
        from model2vec import StaticModel

        model = StaticModel.from_pretrained(name, force_download=False)
        return InstalledModel(
            f"model2vec:{name}",
            int(model.dim),
            lambda texts: model.encode(texts, max_length=None, use_multiprocessing=False),
        )


def sentence_transformer(name: str) -> InstalledModel:
    """The model of that name. Raises EmbeddingUnavailableError."""
    with _loading("sentence-transformers", name, "name"):
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(name)
        dimensions = model.get_sentence_embedding_dimension()
        if dimensions is None:  # some models do not say
            dimensions = len(model.encode(["dimensions"], show_progress_bar=False)[0])
        return InstalledModel(
            f"sentence-transformers:{name}",
            int(dimensions),
            lambda texts: model.encode(texts, show_progress_bar=False, convert_to_numpy=True),
        )


@contextmanager
def _loading(package: str, name: str, looked_up_by: str) -> Iterator[None]:
    """Whatever a package raises for a model that it cannot load, is one error."""
    try:
        yield
    except ImportError as error:
        raise EmbeddingUnavailableError(
            f"LOCALFIRST_EMBEDDING names a {package} model; install {package} beside localfirst."
        ) from error
    except Exception as error:
        raise EmbeddingUnavailableError(
            f"the {package} model {name} cannot be loaded ({type(error).__name__}); check its {looked_up_by}."
        ) from error
