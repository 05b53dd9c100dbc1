"""A tool's arguments, checked, with every mistake told in the contract's form.

pydantic finds the mistakes; what the caller reads are the field's name, the rule it breaks, and one sentence that says
what to do. The rejected values are not repeated: they are the caller's and may be secret.
"""

from __future__ import annotations

import re
from typing import Any, TypedDict

import pydantic
from localfirst_schema.errors import ValidationError
from pydantic import BaseModel

MAX_ERRORS_TOLD = 20
MAX_ERRORS_IN_SENTENCE = 4


class Mistake(TypedDict):
    """One field and the rule it breaks."""

    field: str
    constraint: str


def checked(tool: str, model: type[BaseModel], arguments: dict[str, Any]) -> BaseModel:
    """The arguments as the tool's model; raises `localfirst_schema.errors.ValidationError`."""
    try:
        return model.model_validate(arguments)
    except pydantic.ValidationError as error:
        raise _refusal(tool, model, arguments, error) from None


def _refusal(tool: str, model: type[BaseModel], arguments: dict[str, Any], error: pydantic.ValidationError) -> ValidationError:
    constraints: dict[str, list[str]] = {}
    for one in error.errors(include_url=False):
        field = _field(arguments, one["loc"], one["type"])
        constraint = _constraint(model, one)
        told = constraints.setdefault(field, [])
        if constraint not in told:
            told.append(constraint)
    # Several errors of one field are the alternatives of a union, none of which fits.
    mistakes = [Mistake(field=field, constraint=" or ".join(told)) for field, told in constraints.items()]
    mistakes = mistakes[:MAX_ERRORS_TOLD]
    first = mistakes[0]
    told = [f"{one['field']} {one['constraint']}" for one in mistakes[:MAX_ERRORS_IN_SENTENCE]]
    if len(mistakes) > MAX_ERRORS_IN_SENTENCE:
        told.append(f"{len(mistakes) - MAX_ERRORS_IN_SENTENCE} more are listed in the details")
    message = f"{'; '.join(told)}: correct this and call {tool} again."
    more: dict[str, Any] = {"errors": mistakes} if len(mistakes) > 1 else {}
    return ValidationError(first["field"], first["constraint"], message, **more)


def _field(arguments: dict[str, Any], location: tuple[int | str, ...], kind: str) -> str:
    """The dotted path of the argument, without the names of union members that pydantic puts in between."""
    path: list[str] = []
    value: Any = arguments
    for position, step in enumerate(location):
        last = position == len(location) - 1
        if isinstance(value, dict) and (step in value or (last and kind == "missing")):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            continue
        path.append(str(step))
    return ".".join(path) or "arguments"


def _constraint(model: type[BaseModel], error: Any) -> str:
    """The broken rule, as the end of a sentence that begins with the field's name."""
    kind: str = error["type"]
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        if len(error["loc"]) > 1:
            return "is not known here"
        names = ", ".join(field.alias or name for name, field in model.model_fields.items())
        return f"is not an argument of this tool (it takes {names or 'none'})"
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
