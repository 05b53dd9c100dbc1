"""What a source of embeddings has to offer, whatever computes them.

The errors:

    EmbeddingUnavailableError   the model cannot be loaded or reached; search goes on by words alone
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from localfirst_schema.errors import UnavailableError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


class EmbeddingUnavailableError(UnavailableError):
    """The model cannot be loaded or reached."""

    def __init__(self, message: str, *, cause: str = "embedding", **details: Any) -> None:
        super().__init__(message, cause=cause, **details)

    @property
    def name(self) -> str:
        """Users see it as an `UnavailableError`."""
        return "UnavailableError"


class EmbeddingProvider(Protocol):
    """Texts in, unit vectors out. Vectors of two providers may be compared only if their `model` is equal."""

    @property
    def model(self) -> str:
        """Identity of the model, and of everything done to a text before it: equal identities give equal vectors."""

    @property
    def dimensions(self) -> int:
        """Length of each vector."""

    @property
    def is_remote(self) -> bool:
        """Whether it asks a service: then it waits rather than computes, and gains nothing from other processes."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text: float32, shape (number of texts, dimensions), of length 1, or all 0 for a text without words.

        Raises EmbeddingUnavailableError.
        """


def unit(vectors: Any) -> Vectors:
    """Vectors as float32 of length 1; a row of zeros stays one. Shape (texts, dimensions)."""
    import numpy as np

    rows = np.array(vectors, np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    np.divide(rows, lengths, out=rows, where=lengths > 0)
    return rows
