"""Finding code: full text and vectors fused, then ranked as a programmer would.

Importing this package loads nothing beyond the standard library; `quantised` and the rest load numpy when they are first
asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from localfirst.embedding.provider import Vectors


def quantised(vectors: Vectors) -> NDArray[np.int8]:
    """The same directions as int8, same shape: see `quantise`."""
    from localfirst.code_index.search import quantise

    return quantise.quantised(vectors)
