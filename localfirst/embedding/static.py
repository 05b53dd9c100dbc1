"""The built-in provider: static token vectors (wordllama's, 256 dimensions, MIT) from the installed wheel.

A text's vector is the sum of its tokens' vectors, made one long. No weighting is added: the vectors' own lengths already
make frequent words count little (0.1 of a rare one), and neither unit-length tokens, centring, removing the first
principal components nor dropping stop words found more (tools/bench/search_items.py has the questions). Two files of the
wheel are read directly, since the wheel's own loader asks the network for its tokenizer. Nothing here uses the network.

If the files are missing or unreadable, `load` raises EmbeddingUnavailableError.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from localfirst.embedding.provider import EmbeddingUnavailableError
from localfirst.embedding.words import plain_words

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from localfirst.embedding.provider import Vectors

DIMENSIONS = 256
MODEL = "wordllama-l2-supercat-256/words-1"
"""The weights, and the way texts are prepared for them: raise the number when `plain_words` or the sum changes."""

_WEIGHTS = Path("weights", "l2_supercat_256.safetensors")
_TOKENIZER = Path("tokenizers", "l2_supercat_tokenizer_config.json")
_TENSOR = "embedding.weight"


class StaticEmbedding:
    """Sums of token vectors."""

    is_remote = False

    def __init__(self, tokenizer: Tokenizer, table: np.ndarray[tuple[int, int], np.dtype[np.float16]]) -> None:
        self._tokenizer = tokenizer
        self._table = table

    @property
    def model(self) -> str:
        """See `EmbeddingProvider`."""
        return MODEL

    @property
    def dimensions(self) -> int:
        """See `EmbeddingProvider`."""
        return DIMENSIONS

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `EmbeddingProvider`."""
        vectors = self.sums([plain_words(text) for text in texts])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        return vectors

    def sums(self, words: Sequence[str]) -> Vectors:
        """The sum of the token vectors of each of these texts, which `plain_words` has been through."""
        vectors = np.zeros((len(words), DIMENSIONS), dtype=np.float32)
        for row, encoding in enumerate(self._tokenizer.encode_batch_fast(words, add_special_tokens=False)):
            if words[row]:
                self._table.take(encoding.ids, axis=0).sum(axis=0, dtype=np.float32, out=vectors[row])
        return vectors


@cache
def load() -> StaticEmbedding:
    """The provider; its files are read once in a process. Raises EmbeddingUnavailableError."""
    return StaticEmbedding(*read_files())


def read_files(folder: Path | None = None) -> tuple[Tokenizer, np.ndarray[tuple[int, int], np.dtype[np.float16]]]:
    """The tokenizer and the vectors of the installed wheel, or of an unpacked one. Raises EmbeddingUnavailableError."""
    folder = folder or _folder()
    try:
        from tokenizers import Tokenizer

        table = _read_table(folder / _WEIGHTS)
        tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
    except Exception as error:
        raise EmbeddingUnavailableError(
            f"the built-in embedding model cannot be read ({type(error).__name__}: {error}); reinstall wordllama."
        ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer, table


def _folder() -> Path:
    spec = find_spec("wordllama")  # finds the package without running it
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddingUnavailableError("the built-in embedding model is not installed; reinstall wordllama.")
    return Path(spec.submodule_search_locations[0])


def _read_table(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float16]]:
    # Mapped, not read: the pages are shared by all processes, and the few words of a query touch few of them.
    with path.open("rb") as file:
        header_length = int.from_bytes(file.read(8), "little")
        tensor = json.loads(file.read(header_length))[_TENSOR]
    rows, columns = tensor["shape"]
    if tensor["dtype"] != "F16" or columns != DIMENSIONS:
        raise ValueError(f"{path.name} holds {tensor['dtype']} of {columns} dimensions")
    return np.asarray(np.memmap(path, np.float16, "r", 8 + header_length + tensor["data_offsets"][0], (rows, columns)))
