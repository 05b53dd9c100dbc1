"""What a caller sent, as what was meant: nulls are absence, and a text is read where the argument cannot be one.

Clients send null for all that they leave out, and numbers, booleans, objects and lists as text. All of that is settled here,
before pydantic looks at the arguments, and from the model's own annotations, so that every tool has it. An argument that is a
text itself is never touched, nor is anything within an object that is free (`metadata`): there null means "remove this key".
"""

from __future__ import annotations

import json
import math
import re
import types
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from localfirst_schema.errors import ValidationError

Read: TypeAlias = Callable[[Any], Any]
"""From a value to what was meant by it; to itself where that is not plain, for pydantic to refuse."""

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_NUMBER = re.compile(r"-?[0-9]{1,19}(\.[0-9]{1,19})?([eE][+-]?[0-9]{1,3})?")
_EXACT_FLOATS = 2.0**53
_NULL = "null"


def coerced(model: type[BaseModel], arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments for `model` to validate. Raises ValidationError where one contradicts another."""
    readers = _readers(model)
    former: dict[str, str] = getattr(model, "former", {})
    meant: dict[str, Any] = {}
    for name, value in arguments.items():
        if value is None:
            continue
        read = readers.get(name)
        if read is not None and (value := read(value)) is None:
            continue
        if name in former:
            _as_now(former[name], name, value, arguments, meant)
        else:
            meant[name] = value
    if (clear := meant.get("clear")) and isinstance(clear, list):
        _refuse_cleared_and_given(clear, meant)
    return meant


def _as_now(now: str, former: str, value: Any, arguments: dict[str, Any], meant: dict[str, Any]) -> None:
    other = arguments.get(now)
    if other is not None and other != value:
        raise ValidationError(former, f"must be the same as {now}", f"{former} must be the same as {now}: give {now} alone.")
    meant[now] = value


def _refuse_cleared_and_given(clear: list[Any], meant: dict[str, Any]) -> None:
    for name in clear:
        if isinstance(name, str) and name in meant:
            raise ValidationError(
                "clear",
                f"must not name {name}, which is given a value",
                f"clear names {name}, which is given a value as well: leave out one of them.",
            )


@cache
def _readers(model: type[BaseModel]) -> dict[str, Read]:
    """For each argument that is no text, how it is read."""
    return {
        field.alias or name: read
        for name, field in model.model_fields.items()
        if (read := _reader(field.annotation)) is not None
    }


def _reader(annotation: Any) -> Read | None:
    """None for what can be a text, or is of several kinds, between which nobody can choose."""
    kinds = [kind for kind in _alternatives(annotation) if kind is not type(None)]
    if len(kinds) != 1:
        return None
    (kind,) = kinds
    origin = get_origin(kind) or kind
    if origin is list:
        return _list_reader(_reader(get_args(kind)[0]) if get_args(kind) else None)
    if origin is dict:
        return _object
    if isinstance(origin, type) and issubclass(origin, BaseModel):
        return _model_reader(origin)
    readers: dict[Any, Read] = {int: _integer, float: _number, bool: _boolean}
    return readers.get(origin)


def _alternatives(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _alternatives(get_args(annotation)[0])
    if origin is Union or origin is types.UnionType:
        return [kind for option in get_args(annotation) for kind in _alternatives(option)]
    if origin is Literal:
        return list({type(value) for value in get_args(annotation)})
    return [annotation]


def _integer(value: Any) -> Any:
    if isinstance(value, str):
        if _INTEGER.fullmatch(value):
            return int(value)
        return None if value == _NULL else value
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_FLOATS:
        return int(value)  # in JSON, 1.0 is 1
    return value


def _number(value: Any) -> Any:
    if isinstance(value, str):
        if _NUMBER.fullmatch(value) and math.isfinite(number := float(value)):
            return number
        return None if value == _NULL else value
    return value


def _boolean(value: Any) -> Any:
    if isinstance(value, str):
        return {"true": True, "false": False, _NULL: None}.get(value.lower(), value)
    return value


def _object(value: Any) -> Any:
    return _parsed(value, dict)


def _model_reader(model: type[BaseModel]) -> Read:
    def read(value: Any) -> Any:
        value = _parsed(value, dict)
        return coerced(model, value) if isinstance(value, dict) else value

    return read


def _list_reader(element: Read | None) -> Read:
    def read(value: Any) -> Any:
        value = _parsed(value, list)
        return [element(one) for one in value] if element is not None and isinstance(value, list) else value

    return read


def _parsed(value: Any, kind: type) -> Any:
    """What the text says in JSON, if that is of this kind; else the text, or None for a null."""
    if not isinstance(value, str):
        return value
    if value == _NULL:
        return None
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return parsed if isinstance(parsed, kind) else value
