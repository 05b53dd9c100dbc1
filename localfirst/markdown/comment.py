"""What the words of the format cannot hold, as JSON in a comment: `<!-- localfirst: {"id": "…"} -->`.

The rule of every writer here: the plain line is written, read again, and the fields that came back differently stand
in the comment, where they win over the plain words. So ordinary content is written plainly, and any content survives.
The JSON escapes `<` and `>`, every control and every mark that reorders text: a comment is one line and cannot be ended
from inside.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date
from typing import Any, NamedTuple, TypeVar, get_type_hints

import msgspec
from localfirst_schema.values import WHOLE_FROM

from localfirst.markdown.document import Entry

OPEN = "<!-- localfirst: "
CLOSE = "-->"
YAML_OPEN = "# localfirst: "

# Controls, line separators, bidirectional and zero-width marks, surrogates and noncharacters.
_ESCAPED = re.compile("[<>\x00-\x1f\x7f-\xa0\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\uffff]")
_NOT_PLAIN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]|<!--")
_NOT_DISPLAYED = re.compile(r"[^\w .'&/+-]+|_{2,}")

_OF_THE_SOURCE = frozenset({"lines", "front_matter_text", "malformed"})

_said_fields: dict[type[Entry], Mapping[str, Any]] = {}
"""What `said_fields` has found: type hints are slow to read (mypy knows no `cache` for types as arguments)."""

E = TypeVar("E", bound=Entry)


class Parted(NamedTuple):
    """A line without its comment, and the comment's data: None where there is none or `error` says what is wrong."""

    text: str
    data: dict[str, Any] | None
    error: str | None = None


def dump_json(value: object) -> str:
    """JSON on one line that is also YAML, and safe inside a comment."""
    text = json.dumps(value, ensure_ascii=False, default=_json_default)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text) if _ESCAPED.search(text) else text


def _json_default(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")


def load_object(text: str) -> dict[str, Any]:
    """The JSON object in `text`. Raises `ValueError` for anything else."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def write_comment(data: Mapping[str, object]) -> str:
    """The comment that holds `data`."""
    return f"{OPEN}{dump_json(data)} {CLOSE}"


def part_comment(line: str) -> Parted:
    """Takes the comment off a line, wherever in it it stands. One that cannot be read is left where it is."""
    start = line.rfind(OPEN)
    if start < 0:
        return Parted(line, None)
    end = line.find(CLOSE, start)
    if end < 0:
        return Parted(line, None, "the comment of localfirst is not closed")
    try:
        data = load_object(line[start + len(OPEN) : end])
    except ValueError as error:
        return Parted(line, None, f"the comment of localfirst cannot be read: {error}")
    return Parted((line[:start].rstrip() + line[end + len(CLOSE) :]).rstrip(), data)


def said_fields(kind: type[Entry]) -> Mapping[str, Any]:
    """The fields, with their types, that make up what an entry says."""
    known = _said_fields.get(kind)
    if known is None:
        hints = get_type_hints(kind)
        known = {item.name: hints[item.name] for item in fields(kind) if item.name not in _OF_THE_SOURCE}
        _said_fields[kind] = known
    return known


def overlay(entry: E, data: Mapping[str, Any]) -> E:
    """`entry` with the fields of a comment. Raises `ValueError` for a field that it does not have or of another type."""
    hints = said_fields(type(entry))
    unknown = data.keys() - hints.keys()
    if unknown:
        raise ValueError(f"unknown field {min(unknown)!r}")
    try:
        values: dict[str, Any] = {name: msgspec.convert(value, hints[name]) for name, value in data.items()}
    except (msgspec.ValidationError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return replace(entry, **values)


def differing(plain: E, wanted: E) -> dict[str, Any]:
    """The fields of `wanted` that `plain` does not have."""
    return {name: value for name in said_fields(type(wanted)) if not same(getattr(plain, name), value := getattr(wanted, name))}


def same(one: object, other: object) -> bool:
    """Equality that tells 1, 1.0 and True apart, at any depth; whole floats are integers from where the stores make them so."""
    one, other = _as_stored(one), _as_stored(other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def _as_stored(value: object) -> object:
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) >= WHOLE_FROM
    return int(value) if is_whole and isinstance(value, float) else value


def is_plain(text: str) -> bool:
    """Whether a text may stand in a line as it is, as far as its characters go."""
    return not _NOT_PLAIN.search(text)


def displayed(text: str) -> str:
    """A harmless likeness of a text, for people, where the comment holds the text itself."""
    return " ".join(_NOT_DISPLAYED.sub(" ", text).split())[:120].strip(" -+'") or "unnamed"
