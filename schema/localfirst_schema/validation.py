"""Turns what pydantic says of bad input into the contract's `ValidationError`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydantic

from localfirst_schema.errors import ValidationError


def as_validation_error(error: pydantic.ValidationError, prefix: str = "") -> ValidationError:
    """The first problem as the error, all of them in its details (`errors`: field and constraint of each)."""
    problems = [
        {"field": field_name(problem["loc"], prefix), "constraint": _constraint(problem)}
        for problem in error.errors(include_url=False, include_input=False, include_context=True)
    ]
    first = problems[0]
    message = f"{first['field']}: {first['constraint']}." + (f" ({len(problems) - 1} more)" if len(problems) > 1 else "")
    return ValidationError(first["field"], first["constraint"], message, errors=problems)


def field_name(location: Sequence[int | str], prefix: str = "") -> str:
    """``("metadata", "priority", 0)`` as ``metadata.priority[0]``."""
    name = prefix
    for part in location:
        name += f"[{part}]" if isinstance(part, int) else (f".{part}" if name else str(part))
    return name or "arguments"


def _constraint(problem: Any) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return "is not an argument of this tool"
    if kind in ("string_too_short", "string_too_long", "too_short", "too_long"):
        limit = context.get("min_length", context.get("max_length"))
        # Text that a validator has returned is a value of no type to pydantic.
        unit = "item" if context.get("field_type") in ("List", "Dictionary") else "character"
        return f"must have {'at least' if kind.endswith('short') else 'at most'} {limit} {unit}{'' if limit == 1 else 's'}"
    text = str(problem["msg"])
    for start in ("Input should be ", "Value error, ", "String should "):
        if text.startswith(start):
            rest = text[len(start) :]
            return rest if start.startswith("Value") else ("must be " + rest if start.startswith("Input") else "must " + rest)
    return text[:1].lower() + text[1:]
