"""The built-in provider for code: the token vectors of `static`, summed as suits code.

What was tried, and found more on the tuning half of tools/bench/search_quality.py, than the plain sum: a word counts with the
logarithm of how often it stands there (code repeats its variables); long vectors, those of rare words, are shortened to
the root of their length; and the title (a chunk's symbol: the first line of a text of several) counts for 0.4 of the whole
however short it is. Weighting words by how rare they are in code found less.

The vector of a word is made once in a process: code consists of few words, and taking texts apart into tokens was most of the
work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from localfirst.embedding.static import DIMENSIONS, StaticEmbedding, read_files
from localfirst.embedding.words import plain_words

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from localfirst.embedding.provider import Vectors

MODEL = "wordllama-l2-supercat-256/code-1"
"""The weights, and the way texts are prepared for them: raise the number when anything here changes a vector."""

TITLE_SHARE = 0.4
CACHED_WORDS = 32_768
"""32 MB; then it begins anew."""


class CodeEmbedding(StaticEmbedding):
    """See `EmbeddingProvider`. Belongs to one thread."""

    def __init__(self, tokenizer: Tokenizer, table: np.ndarray[tuple[int, int], np.dtype[np.float16]]) -> None:
        super().__init__(tokenizer, table)
        self._rows: dict[str, int] = {}
        self._words: Vectors = np.zeros((CACHED_WORDS, DIMENSIONS), np.float32)

    @property
    def model(self) -> str:
        """See `EmbeddingProvider`."""
        return MODEL

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `EmbeddingProvider`."""
        vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, text in enumerate(texts):
            title, line_end, body = text.partition("\n")
            if not line_end:
                vectors[row] = self._vector(title)
            else:
                head, rest = self._vector(title), self._vector(body)
                vectors[row] = TITLE_SHARE * head + (1 - TITLE_SHARE) * rest if rest.any() else head
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        return vectors

    def _vector(self, text: str) -> Vectors:
        """The unit vector of one part, shape (dimensions,); 0 without words."""
        counts = Counter(plain_words(text).split())
        if not counts:
            return np.zeros(DIMENSIONS, np.float32)
        if len(counts) > CACHED_WORDS:
            counts = Counter(dict(counts.most_common(CACHED_WORDS)))
        rows = self._rows_of(counts)
        weights = 1 + np.log(np.fromiter(counts.values(), np.float32, len(counts)))
        total: Vectors = weights @ self._words.take(rows, axis=0)
        length = float(np.linalg.norm(total))
        return total / np.float32(length) if length > 0 else total

    def _rows_of(self, words: Counter[str]) -> list[int]:
        unknown = [word for word in words if word not in self._rows]
        if unknown:
            if len(self._rows) + len(unknown) > CACHED_WORDS:
                self._rows.clear()
                unknown = list(words)
            first = len(self._rows)
            self._words[first : first + len(unknown)] = _shortened(self.sums(unknown))
            self._rows.update((word, first + place) for place, word in enumerate(unknown))
        return [self._rows[word] for word in words]


def _shortened(vectors: Vectors) -> Vectors:
    """Each vector with the root of its length."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    shortened: Vectors = np.divide(vectors, np.sqrt(lengths), out=np.zeros_like(vectors), where=lengths > 0)
    return shortened


@cache
def load() -> CodeEmbedding:
    """The provider. Raises EmbeddingUnavailableError."""
    return CodeEmbedding(*read_files())
