"""The words of a text as a static model should see them: identifiers in their parts, without case, accents and marks."""

from __future__ import annotations

import re
import unicodedata

_PART = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN = re.compile(r"[\W_]+")


def plain_words(text: str) -> str:
    """Words in lower case with one space between them: ``parseHTTPHeader, last_line`` → ``parse http header last line``."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _BETWEEN.sub(" ", _PART.sub(" ", text)).strip().lower()


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit in the text."""
    return any(character.isalnum() for character in text)
