"""Labels and acceptance criteria: lists that are sets, how they are written, and how two changes of one meet. Pure.

Labels merge element by element: what the server has and what I added, without what I removed. Criteria are known by their text.
Neither ever clashes. What is no such list (any SQL client may write one) is a value like any other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

LABELS_MAX = 50
LABEL_CHARS_MAX = 50

_NOT_ALLOWED = re.compile("[,\x00-\x1f\x7f-\x9f]")


def label(text: str) -> str:
    """A label in its one form. Raises ValueError."""
    text = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(text) <= LABEL_CHARS_MAX:
        raise ValueError(f"must have labels of 1 to {LABEL_CHARS_MAX} characters")
    if _NOT_ALLOWED.search(text):
        raise ValueError("must have labels without commas and control characters")
    return text


def labels(texts: list[str]) -> list[str]:
    """Labels in their one form: each once, by code point. Raises ValueError."""
    found = sorted({label(text) for text in texts})
    if len(found) > LABELS_MAX:
        raise ValueError(f"must have at most {LABELS_MAX} labels")
    return found


def merged_labels(base: list[str], mine: list[str], theirs: list[str]) -> list[str]:
    """Theirs, with what I added and without what I removed."""
    return sorted(({*theirs} | ({*mine} - {*base})) - ({*base} - {*mine}))


def merged_criteria(base: list[Any], mine: list[Any], theirs: list[Any]) -> list[Any]:
    """Theirs in their order, without what I removed, with what I ticked or changed, then what I added."""
    was, is_now, there = ({one["text"]: one for one in side} for side in (base, mine, theirs))
    kept = [is_now[text] if text in is_now and is_now[text] != was.get(text, one) else one for text, one in there.items()]
    kept = [one for one in kept if one["text"] in is_now or one["text"] not in was]
    return kept + [one for text, one in is_now.items() if text not in was and text not in there]


def is_labels(value: Any) -> bool:
    """Whether it is a list of labels as they are written."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value) and value == sorted({*value})


def is_criteria(value: Any) -> bool:
    """Whether it is a list of criteria, each text once."""
    if not (isinstance(value, list) and all(isinstance(one, dict) and isinstance(one.get("text"), str) for one in value)):
        return False
    return len({one["text"] for one in value}) == len(value)


SETS: dict[tuple[str, ...], tuple[Callable[[Any], bool], Callable[[list[Any], list[Any], list[Any]], list[Any]]]] = {
    ("metadata", "labels"): (is_labels, merged_labels),
    ("metadata", "acceptance"): (is_criteria, merged_criteria),
}
"""Place → whether a value there is such a list, and how two changes of it meet."""
