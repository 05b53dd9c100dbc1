"""Vectors in a quarter of their size: one signed byte per dimension.

Each vector is stretched so that its largest part is 127 before it is rounded. Its length is lost, which a cosine does not
ask for; so wherever these vectors are compared (here, by sqlite-vec, by pgvector) it is by cosine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from localfirst.embedding.provider import Vectors

LARGEST = 127


def quantised(vectors: Vectors) -> NDArray[np.int8]:
    """The same directions as int8, same shape; a row of zeros stays one."""
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0.0)
    factors = np.divide(LARGEST, largest, out=np.zeros_like(largest), where=largest > 0)
    rounded: NDArray[np.int8] = np.rint(vectors * factors).astype(np.int8)
    return rounded
