"""Values that one of the stores cannot hold are refused at the door, since a write that can never be pushed would be a lie.

PostgreSQL refuses U+0000 and lone surrogates in text and jsonb, NaN and infinities in JSON, and integers beyond 64 bits in
typed columns; it turns ``-0.0`` into ``0.0``, and ``1e22`` into an integer. The same rules hold for every
client, so that all replicas hold equal rows.
"""

from __future__ import annotations

import math
import re
from typing import Any

from localfirst_schema.errors import ValidationError
from localfirst_schema.limits import DOCUMENT_DEPTH_MAX

INTEGER_DIGITS_MAX = 1000
"""Of an integer in JSON. Both stores hold longer ones; programs that read them do not (Python stops at 4300 digits)."""

_INTEGER_BOUND = 10**INTEGER_DIGITS_MAX
_INT64_BITS = 63
_TINY = 1e-5
_DIGITS_PER_BIT = 0.302

WHOLE_FROM = 1e16
"""From here on a float is written with an exponent, and jsonb makes an integer of it; below it keeps its ``.0``."""

JSON_BYTES_MAX = 1_000_000
"""A metadata document larger than this (in characters of text and keys) is refused: it would not be metadata."""

JSON_NODE_COST = 8
"""What each value counts beside its text, so that very many small values are too many as well."""


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def check_text(field: str, text: str) -> str:
    """Returns `text`, or raises `ValidationError` if PostgreSQL could not hold it."""
    if "\x00" in text:
        raise ValidationError(field, "must not contain the character U+0000")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValidationError(field, "must not contain a lone surrogate (it is not valid Unicode)") from None
    return text


def check_line(field: str, text: str) -> str:
    """Returns `text`, or raises `ValidationError` if it is no title: one line, of which something can be seen."""
    check_text(field, text)
    if _CONTROL.search(text):
        raise ValidationError(field, "must be one line, without control characters such as a line end or a tab")
    if not text.strip():
        raise ValidationError(field, "must not consist of blanks alone")
    return text


def fitting_line(text: str, otherwise: str) -> str:
    """The text as `check_line` takes it: blanks for control characters; `otherwise` for what has nothing to be seen."""
    line = _CONTROL.sub(" ", text)
    return line if line.strip() else otherwise


def check_json(field: str, value: Any) -> Any:
    """Returns `value` as PostgreSQL would give it back (``-0.0`` is ``0.0``, whole floats from 1e16 on are integers).

    Raises `ValidationError` naming the path of the bad value.
    """
    budget = [JSON_BYTES_MAX]
    return _check(field, value, 0, budget)


def _check(path: str, value: Any, depth: int, budget: list[int]) -> Any:
    budget[0] -= JSON_NODE_COST
    if budget[0] < 0:
        raise ValidationError(path, f"must not be larger than {JSON_BYTES_MAX} characters in all")
    if depth > DOCUMENT_DEPTH_MAX:
        raise ValidationError(path, f"must not be nested deeper than {DOCUMENT_DEPTH_MAX} levels")
    if isinstance(value, str):
        budget[0] -= len(value)
        if budget[0] < 0:
            raise ValidationError(path, f"must not be larger than {JSON_BYTES_MAX} characters in all")
        return check_text(path, value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -_INTEGER_BOUND < value < _INTEGER_BOUND:
            raise ValidationError(path, f"must be an integer of at most {INTEGER_DIGITS_MAX} digits")
        budget[0] -= _digits(value)
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValidationError(path, "must be a finite number")
        if value.is_integer() and abs(value) >= WHOLE_FROM:
            return int(value)  # equal to the float, as the digits that are written of it are not
        budget[0] -= _zeros(value)
        return value or 0.0
    if isinstance(value, list):
        return [_check(f"{path}[{i}]", item, depth + 1, budget) for i, item in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ValidationError(path, "must have text keys only")
            check_text(path, key)
            budget[0] -= len(key)
        return {key: _check(f"{path}.{key}", item, depth + 1, budget) for key, item in value.items()}
    raise ValidationError(path, f"must be JSON, not {type(value).__name__}")


def check_growth(field: str, value: Any, before: Any) -> None:
    """Raises `ValidationError` if a document has grown (from `before`) to more than it may hold."""
    size = _size(value)
    if size > JSON_BYTES_MAX and size > _size(before):
        raise ValidationError(field, f"must not be larger than {JSON_BYTES_MAX} characters in all")


def _size(value: Any) -> int:
    """What a document counts, as `check_json` counts it."""
    if isinstance(value, str):
        return JSON_NODE_COST + len(value)
    if isinstance(value, list):
        return JSON_NODE_COST + sum(map(_size, value))
    if isinstance(value, dict):
        return JSON_NODE_COST + sum(len(key) + _size(item) for key, item in value.items())
    if isinstance(value, float):
        return JSON_NODE_COST + _zeros(value)
    return JSON_NODE_COST + (_digits(value) if isinstance(value, int) else 0)


def _zeros(value: float) -> int:
    """What a very small float counts beside its place: PostgreSQL writes it without an exponent, with all its zeros."""
    return -int(math.log10(abs(value))) if 0 < abs(value) < _TINY else 0


def _digits(value: int) -> int:
    """What an integer counts beside its place: about its digits, if it is more than a machine's."""
    bits = value.bit_length()
    return int(bits * _DIGITS_PER_BIT) if bits > _INT64_BITS else 0
