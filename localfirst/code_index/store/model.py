"""One embedding model that vectors are kept of."""

from __future__ import annotations

import msgspec


class Model(msgspec.Struct, frozen=True):
    """A row of `code_models`."""

    model_id: int
    model: str
    dimensions: int
    active: int

    @property
    def table(self) -> str:
        """Its sqlite-vec table."""
        return f"code_vectors_{self.model_id}"
