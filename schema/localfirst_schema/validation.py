"""Turns what pydantic says of bad input into the contract's `ValidationError`.

What users read are the field's name, the rule that it breaks, and one sentence that says what to do. Rejected values are not
repeated: they are the caller's and may be secret.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypedDict

import pydantic
from pydantic import BaseModel

from localfirst_schema.coercion import coerced
from localfirst_schema.errors import ValidationError

MAX_ERRORS_LISTED = 20
MAX_ERRORS_IN_SENTENCE = 4


class Mistake(TypedDict):
    """One field and the rule it breaks."""

    field: str
    constraint: str


def checked(model: type[BaseModel], arguments: dict[str, Any], *, advice: str = "correct this and try again") -> BaseModel:
    """What a caller sent as the arguments of an operation: the one door for all of them, whoever calls. Raises ValidationError.

    Args:
        advice: what to do about a mistake, as the end of the sentence.
    """
    meant = coerced(model, arguments)
    try:
        return model.model_validate(meant)
    except pydantic.ValidationError as error:
        known = [field.alias or name for name, field in model.model_fields.items()]
        raise as_validation_error(error, meant, known=known, advice=advice) from None


def as_validation_error(
    error: pydantic.ValidationError,
    given: dict[str, Any],
    *,
    prefix: str = "",
    known: Sequence[str] = (),
    advice: str = "correct this and try again",
) -> ValidationError:
    """The first mistake as the error's field and constraint; with several, all of them in its details (`errors`).

    Args:
        given: what was validated.
        prefix: the name of the field that held it.
        known: the arguments that there are, to be named when one is not known.
        advice: what to do, as the end of the sentence.
    """
    found = mistakes(error, given, prefix, known)[:MAX_ERRORS_LISTED]
    logged = [f"{one['field']} {one['constraint']}" for one in found[:MAX_ERRORS_IN_SENTENCE]]
    if len(found) > MAX_ERRORS_IN_SENTENCE:
        logged.append(f"{len(found) - MAX_ERRORS_IN_SENTENCE} more are listed in the details")
    more: dict[str, Any] = {"errors": found} if len(found) > 1 else {}
    return ValidationError(found[0]["field"], found[0]["constraint"], f"{'; '.join(logged)}: {advice}.", **more)


def mistakes(error: pydantic.ValidationError, given: dict[str, Any], prefix: str, known: Sequence[str]) -> list[Mistake]:
    """Every field that breaks a rule, once."""
    constraints: dict[str, list[str]] = {}
    for one in error.errors(include_url=False):
        logged = constraints.setdefault(_field(given, one["loc"], one["type"], prefix), [])
        constraint = _constraint(one, known)
        if constraint not in logged:
            logged.append(constraint)
    # Several errors of one field are the alternatives of a union, none of which fits.
    return [Mistake(field=field, constraint=" or ".join(logged)) for field, logged in constraints.items()]


def _field(given: dict[str, Any], location: tuple[int | str, ...], kind: str, prefix: str) -> str:
    """The dotted path of the field, without the names of union members that pydantic puts in between."""
    path: list[str] = [f".{prefix}"] if prefix else []
    value: Any = given
    for position, step in enumerate(location):
        last = position == len(location) - 1
        if isinstance(value, dict) and (step in value or (last and kind == "missing")):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            continue
        path.append(f"[{step}]" if isinstance(step, int) else f".{step}")
    return "".join(path).removeprefix(".") or "arguments"


def _constraint(error: Any, known: Sequence[str]) -> str:
    """The broken rule, as the end of a sentence that begins with the field's name."""
    kind: str = error["type"]
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        if len(error["loc"]) > 1:
            return "is not known here"
        return f"is not an argument of this tool (it takes {', '.join(known) or 'none'})"
    if kind in ("value_error", "assertion_error"):
        reason = str(error.get("ctx", {}).get("error", "")).strip().rstrip(".")
        return reason or "is not valid"
    if kind in ("dict_type", "model_type", "model_attributes_type", "dataclass_type", "mapping_type"):
        return "must be an object"
    message: str = error["msg"]
    if kind.endswith(("_parsing", "_type", "_from_float")):
        # What follows the comma says what the parser stumbled over.
        message = message.split(", ")[0]
    return re.sub(r"^[A-Z]\w* should ", "must ", message)
