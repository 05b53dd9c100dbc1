"""What a query says: its words, and whether it is (the beginning of) an id. Nothing in it is FTS5 syntax."""

from __future__ import annotations

import re
import unicodedata

from localfirst_schema.refs import DIGITS_MIN

from localfirst.search.stop_words import STOP_WORDS

MAX_TERMS = 32

_WORD = re.compile(r"\w*[^\W_]\w*")
_GROUPS = (8, 4, 4, 4, 12)


def terms(query: str) -> list[str]:
    """The words to look for, in order, each once; words that are in every text only where there is nothing else."""
    words = list(dict.fromkeys(_WORD.findall(unicodedata.normalize("NFC", query).lower())))
    telling = [word for word in words if word not in STOP_WORDS]
    return (telling or words)[:MAX_TERMS]


def id_range(query: str) -> tuple[str, str] | None:
    """The first and the last id that begin as the query does; None if it is no beginning of a UUID."""
    digits = query.strip().lower().removeprefix("urn:uuid:").strip("{}").replace("-", "")
    if not DIGITS_MIN <= len(digits) <= 32 or not re.fullmatch("[0-9a-f]+", digits):
        return None
    return _with_dashes(digits.ljust(32, "0")), _with_dashes(digits.ljust(32, "f"))


def _with_dashes(digits: str) -> str:
    parts, begin = [], 0
    for length in _GROUPS:
        parts.append(digits[begin : begin + length])
        begin += length
    return "-".join(parts)
