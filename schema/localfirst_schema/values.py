"""Values that one of the stores cannot hold are refused at the door, since a write that can never be pushed would be a lie.

PostgreSQL refuses U+0000 and lone surrogates in text and jsonb, NaN and infinities in JSON, and integers beyond 64 bits in
typed columns; it turns ``-0.0`` into ``0.0``. The same rules hold for every client, so that all replicas hold equal rows.
"""

from __future__ import annotations

import math
from typing import Any

from localfirst_schema.errors import ValidationError

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
JSON_DEPTH_MAX = 64
JSON_BYTES_MAX = 1_000_000
"""A metadata document larger than this (in characters of text and keys) is refused: it would not be metadata."""

JSON_NODE_COST = 8
"""What each value counts beside its text, so that very many small values are too many as well."""


def check_text(field: str, text: str) -> str:
    """Returns `text`, or raises `ValidationError` if PostgreSQL could not hold it."""
    if "\x00" in text:
        raise ValidationError(field, "must not contain the character U+0000")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValidationError(field, "must not contain a lone surrogate (it is not valid Unicode)") from None
    return text


def check_json(field: str, value: Any) -> Any:
    """Returns `value` (with ``-0.0`` made ``0.0``), or raises `ValidationError` naming the path of the bad value."""
    budget = [JSON_BYTES_MAX]
    return _check(field, value, 0, budget)


def _check(path: str, value: Any, depth: int, budget: list[int]) -> Any:
    budget[0] -= JSON_NODE_COST
    if budget[0] < 0:
        raise ValidationError(path, f"must not be larger than {JSON_BYTES_MAX} characters in all")
    if depth > JSON_DEPTH_MAX:
        raise ValidationError(path, f"must not be nested deeper than {JSON_DEPTH_MAX} levels")
    if isinstance(value, str):
        budget[0] -= len(value)
        if budget[0] < 0:
            raise ValidationError(path, f"must not be larger than {JSON_BYTES_MAX} characters in all")
        return check_text(path, value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not INT64_MIN <= value <= INT64_MAX:
            raise ValidationError(path, "must be an integer of at most 64 bits")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValidationError(path, "must be a finite number")
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
