"""The text of a work item that its vector is made of, and the vector."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from localfirst.replica.fulltext import body_of

if TYPE_CHECKING:
    from localfirst.embedding.provider import EmbeddingProvider, Vectors

TITLE_WEIGHT = 1.5
"""The title's part of the vector, where the rest of the text has 1 however long it is (chosen as ranking.SIMILAR was)."""

BODY_CHARACTERS = 2_000
"""What stands further behind in a long prompt says little about what the item is about."""


class ItemText(NamedTuple):
    """Title, and the beginning of the text in the metadata."""

    title: str
    body: str

    @property
    def digest(self) -> bytes:
        """8 bytes that tell this text from another."""
        return hashlib.blake2b(f"{self.title}\0{self.body}".encode(), digest_size=8).digest()


def item_text(title: str, metadata: str) -> ItemText:
    """The text of an item with this title and this metadata (JSON text)."""
    return ItemText(title, body_of(metadata)[:BODY_CHARACTERS])


def embed_items(provider: EmbeddingProvider, texts: Sequence[ItemText]) -> Vectors:
    """One vector per item, of length 1, or 0 for an item without words."""
    vectors = provider.embed([text.title for text in texts] + [text.body for text in texts])
    joined: Vectors = TITLE_WEIGHT * vectors[: len(texts)] + vectors[len(texts) :]
    lengths = np.linalg.norm(joined, axis=1, keepdims=True)
    np.divide(joined, lengths, out=joined, where=lengths > 0)
    return joined
