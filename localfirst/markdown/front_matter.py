"""The YAML between the two `---` lines of a session prompt.

Read from the events of PyYAML's safe loader (libyaml where it is there), not from its objects: so anchors, aliases and
tags are refused before they cost anything, depth and size are bounded, a key given twice is noticed instead of dropped,
and dates stay the text that they were written as. A value that YAML 1.1 would turn into something else than it looks
like (`1:30` into 90, `010` into 8) stays text too. All values are JSON.

Written by JSON's own rules except where the plain form reads back the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple

import msgspec
import yaml

from localfirst.markdown.comment import YAML_OPEN, dump_json, is_plain, same

SIZE_LIMIT_CHARACTERS = 64 * 1024
DEPTH_LIMIT = 32

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]{0,17})")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?[0-9][0-9_]{0,40}\.[0-9_]{0,40}(?:[eE][-+]?[0-9]{1,3})?|[-+]?\.[0-9]{1,40}")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None}
_WORDS |= dict.fromkeys(("true", "yes", "on"), True) | dict.fromkeys(("false", "no", "off"), False)

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_PLAIN_VALUE = re.compile(r"[^\W\d_](?:[\w./()'+&-]| (?=[\w./()'+&-]))*")


class FrontMatter(NamedTuple):
    """The mapping, or what is wrong and how many lines below the opening `---`."""

    values: dict[str, Any] | None
    error: str | None = None
    line: int = 0


class _Refused(Exception):
    """The front matter breaks a rule of ours."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def read_front_matter(text: str) -> FrontMatter:
    """The mapping in `text`; never raises."""
    if len(text) > SIZE_LIMIT_CHARACTERS:
        return FrontMatter(None, f"longer than {SIZE_LIMIT_CHARACTERS // 1024} KiB")
    encoded, error, line = _read(text)
    return FrontMatter(msgspec.json.decode(encoded) if encoded is not None else None, error, line)


@lru_cache(maxsize=4096)
def _read(text: str) -> tuple[bytes | None, str | None, int]:
    """The mapping as JSON, so that what is cached cannot be changed by who gets it."""
    try:
        values = _mapping(text)
        return msgspec.json.encode(values), None, 0
    except _Refused as refused:
        return None, refused.reason, refused.line
    except yaml.MarkedYAMLError as error:
        # What was never closed is wrong where it was opened, not where the parser noticed.
        was_opened = any(word in (error.context or "") for word in ("flow", "quoted"))
        mark = error.context_mark if was_opened and error.context_mark else error.problem_mark
        return None, error.problem or "no YAML", mark.line + 1 if mark else 0
    except yaml.YAMLError as error:
        return None, " ".join(str(error).split())[:200], 0
    except ValueError as error:
        return None, f"no YAML: {error}"[:200], 0


def _mapping(text: str) -> dict[str, Any]:
    """Builds the mapping without recursion: `stack` holds the collections that are open, with the key that waits."""
    stack: list[tuple[dict[str, Any] | list[Any], list[str]]] = []
    root: Any = None
    documents = 0
    for event in _events(text):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _Refused("more than one YAML document", line)
            continue
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            stack.pop()
            continue
        value = _value(event, line)
        if value is _NOTHING:
            continue
        if not stack:
            root = value
        else:
            _put(stack[-1], value, event, line)
        if isinstance(value, dict | list):
            if len(stack) >= DEPTH_LIMIT:
                raise _Refused(f"nested deeper than {DEPTH_LIMIT} levels", line)
            stack.append((value, []))
    if documents == 0:
        return {}
    if not isinstance(root, dict):
        raise _Refused("not a list of keys and values", 1)
    return root


def _events(text: str) -> Iterator[Any]:
    return iter(yaml.parse(text, Loader=_LOADER))


_NOTHING = object()


def _value(event: Any, line: int) -> Any:
    """The value that an event stands for; an empty collection for one that starts."""
    if isinstance(event, yaml.AliasEvent):
        raise _Refused("aliases are not allowed", line)
    if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
        if event.anchor is not None:
            raise _Refused("anchors are not allowed", line)
        if event.tag is not None:
            raise _Refused("tags are not allowed", line)
    match event:
        case yaml.MappingStartEvent():
            return {}
        case yaml.SequenceStartEvent():
            return []
        case yaml.ScalarEvent():
            return event.value if event.style else _scalar(event.value)
        case _:
            return _NOTHING


def _put(top: tuple[dict[str, Any] | list[Any], list[str]], value: Any, event: Any, line: int) -> None:
    collection, waiting = top
    if isinstance(collection, list):
        collection.append(value)
    elif waiting:
        collection[waiting.pop()] = value
    elif not isinstance(event, yaml.ScalarEvent):
        raise _Refused("a key must be a text", line)
    elif event.value in collection:
        raise _Refused(f"the key {event.value!r} is given twice", line)
    else:
        waiting.append(event.value)


def _scalar(text: str) -> Any:
    """A plain scalar as JSON: a word, a number, else the text itself."""
    folded = text.lower()
    if folded in _WORDS:
        return _WORDS[folded]
    if _INT.fullmatch(text):
        return int(text.replace("_", ""))
    if _HEX.fullmatch(text):
        return int(text, 16)
    if _FLOAT.fullmatch(text):
        number = float(text.replace("_", ""))
        return number if isfinite(number) else text
    return text


def write_front_matter(values: dict[str, Any]) -> list[str] | None:
    """The lines of a mapping, or None where YAML cannot say it so that it reads back the same."""
    try:
        lines = [f"{_key(key)}: {_flow(value)}" for key, value in values.items()]
    except (TypeError, ValueError):
        return None
    return lines if reads_back(lines, values) else None


def reads_back(lines: list[str], values: dict[str, Any]) -> bool:
    """Whether these lines, between two `---`, are these values and nothing that a reader could stumble over."""
    if not all(is_plain(line) and not line.lstrip().startswith(("---", "```", "~~~", "##", YAML_OPEN)) for line in lines):
        return False
    return same(read_front_matter("\n".join(lines)).values, values)


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) and key.lower() not in _WORDS else dump_json(key)


def _flow(value: Any) -> str:
    if isinstance(value, str):
        return value if _PLAIN_VALUE.fullmatch(value) and value.lower() not in _WORDS else dump_json(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return dump_json(value)
