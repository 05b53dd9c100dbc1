"""Metadata as a person types it: an object in JSON, and single keys."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NoReturn

from localfirst_schema.errors import ValidationError


def patch(
    document: str | None, pairs: Iterable[str] | None, *, field: str = "metadata", example: str = '{"priority": "high"}'
) -> dict[str, Any] | None:
    """`--metadata` and then each `-m` as one JSON merge patch; None where neither is given. Raises ValidationError."""
    if document is None and not pairs:
        return None
    patched = {} if document is None else _object(document, field, example)
    for pair in pairs or ():
        key, is_pair, value = pair.partition("=")
        if not is_pair or not key:
            raise ValidationError("metadata", "must be given as key=value", f"-m {pair}: give it as key=value.")
        patched[key] = _value(value)
    return patched


def whole(document: str | None, pairs: Iterable[str] | None) -> dict[str, Any] | None:
    """The same for something new, where a key that is removed is one that is not there."""
    patched = patch(document, pairs)
    return None if patched is None else {key: value for key, value in patched.items() if value is not None}


def _object(document: str, field: str, example: str) -> dict[str, Any]:
    try:
        value = json.loads(document, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ValidationError(field, "must be a JSON object", f"{field}: this is not JSON; write it as '{example}'.") from None
    if not isinstance(value, dict):
        raise ValidationError(field, "must be a JSON object")
    return value


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
