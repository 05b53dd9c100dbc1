"""What full text and the embedding see of a chunk.

Full text sees each identifier whole, without its marks, and in its parts: ``parseHTTPHeader`` → ``parsehttpheader parse http
header``, ``last_line`` → ``lastline last line``; so a query finds it however either side is spelt. Stemming is the
tokenizer's (0002_code_index.sql). The embedding sees the symbol, then the text; it depends on nothing but the chunk, since
vectors are shared by content.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from localfirst.code_index.chunk import Chunk

WORDS = "words-1"
"""Identity of the way texts are taken apart: raise it when the same chunk gives other words."""

LONGEST = 64
"""A longer run of letters and digits is data (base64, a hash, a generated name), and found by nobody."""

_IDENTIFIER = re.compile(r"[^\W_][\w]*", re.ASCII)
_IDENTIFIER_ANY = re.compile(r"[^\W_][\w]*")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_PART_ANY = re.compile(r"[^\W\d_]+|\d+")

_CACHED = 200_000
"""Identifiers whose parts are remembered in a process: 30 MB at most."""


class Words(NamedTuple):
    """The columns of the full-text row of a chunk: words in lower case with one space between them."""

    symbol: str
    path: str
    body: str


class _Parts(dict[str, str]):
    """Identifier → the words it stands for, filled as it is asked."""

    def __missing__(self, identifier: str) -> str:
        words = " ".join(parts(identifier))
        if len(self) >= _CACHED:
            self.clear()
        self[identifier] = words
        return words


_parts = _Parts()


def parts(identifier: str) -> list[str]:
    """The identifier whole, then its parts, if there are several; nothing for what is too long to be a name."""
    name = unicodedata.normalize("NFC", identifier)
    pieces = [piece.lower() for piece in (_PART if name.isascii() else _PART_ANY).findall(name)]
    if len(pieces) == 1:
        return pieces if len(pieces[0]) <= LONGEST else []
    whole = "".join(pieces)
    return [whole, *pieces] if len(whole) <= LONGEST else [piece for piece in pieces if len(piece) <= LONGEST]


def identifiers_in(text: str) -> list[str]:
    """The identifiers and plain words of a text, in order, as they are written."""
    return (_IDENTIFIER if text.isascii() else _IDENTIFIER_ANY).findall(text)


def words_in(text: str) -> str:
    """The words of a text, in order."""
    return " ".join(map(_parts.__getitem__, identifiers_in(text)))


def words_of(path: str, chunk: Chunk) -> Words:
    """The full-text row of a chunk that stands in the file at `path`."""
    return Words(words_in(chunk.symbol or ""), words_in(path), words_in(chunk.text))


def embedding_text(chunk: Chunk) -> str:
    """The text that the chunk's vector is made of: the symbol as its title, in the first line."""
    return f"{chunk.symbol or ''}\n{chunk.text}"
