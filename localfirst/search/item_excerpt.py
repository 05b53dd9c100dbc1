"""The passage of a work item that shows why it was found. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

CHARACTERS = 160
BEFORE = 40
"""So much stands before the first word that was sought."""

_SPACE = re.compile(r"\s+")


def excerpt(title: str, metadata: Any, words: Sequence[str]) -> str:
    """One line around the first word of the query in the item's texts; the beginning of them, or the title, without one.

    Args:
        words: in lower case and NFC, as `search.query.terms` gives them.
    """
    texts = [_SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip() for text in _texts(metadata)]
    for text in texts:
        places = [place for word in words if (place := text.lower().find(word)) >= 0]
        if places:
            return _around(text, min(places))
    if any(word in title.lower() for word in words) or not any(texts):
        return title
    return _around(next(filter(None, texts)), 0)


def _texts(value: Any) -> Iterator[str]:
    """All texts of a document, those of a description first."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name in sorted(value, key=lambda one: one != "description"):
            yield from _texts(value[name])
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _around(text: str, place: int) -> str:
    begin = 0 if place <= BEFORE else text.find(" ", place - BEFORE) + 1
    if begin > place or (begin == 0 and place > BEFORE):  # no blank for a long time
        begin = place - BEFORE
    end = begin + CHARACTERS
    if end < len(text):
        blank = text.rfind(" ", begin + CHARACTERS // 2, end)
        end = blank if blank > 0 else end
    return f"{'…' if begin else ''}{text[begin:end]}{'…' if end < len(text) else ''}"
