"""Labelled lines, as older and hand-kept files have them: `- **Commit**: 2080f2a`, `**Target:** Q1 2026`, `Status: active`.

A block is a heading of the third level or deeper with the labelled lines below it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_LINE = re.compile(
    r"\s*(?:[-*+•]\s+)?(?P<open>\*\*|__)?(?P<label>[A-Za-z][A-Za-z/ -]{0,40}?)"
    r"(?:\s?:(?P<close>\*\*|__)?|(?P<closed>\*\*|__)\s?:)(?=\s|$)(?P<value>.*)$"
)
_HEADING = re.compile(r"#{3,6} (.+)$")
_BOLD = re.compile(r"(?:\*\*|__)(?P<text>.+?)(?:\*\*|__)")


class Labelled(NamedTuple):
    """A line of the block (counted from its heading, 0), its label in small letters, and its value."""

    at: int
    label: str
    value: str


def read_labelled(line: str) -> tuple[str, str] | None:
    """Label and value of a line; a label that is neither in a list nor bold counts too."""
    if ":" not in line:
        return None
    found = _LINE.match(line)
    if found is None or found["open"] != (found["close"] or found["closed"]):
        return None
    return " ".join(found["label"].lower().split()), found["value"].strip()


def labelled_lines(lines: Sequence[str], parts: Mapping[str, str]) -> list[Labelled]:
    """The first labelled line for each part, with the part's name as label; a second one of the same is not taken.

    Args:
        parts: the labels to be taken, each with the name of the part that it stands for.
    """
    taken: dict[str, Labelled] = {}
    for at, line in enumerate(lines):
        read = read_labelled(line)
        part = parts.get(read[0]) if read else None
        if read and part and part not in taken:
            taken[part] = Labelled(at, part, read[1])
    return list(taken.values())


def read_block_heading(line: str) -> str | None:
    """The words of a heading of the third level or deeper."""
    text = line.lstrip()
    if not text.startswith("###"):
        return None
    found = _HEADING.match(" ".join(text.rstrip("# \t").split()))
    return found[1] if found else None


def without_emphasis(text: str) -> str:
    """The text without the stars or backticks that are around all of it."""
    text = text.strip()
    for mark in ("**", "__", "`"):
        inner = text[len(mark) : -len(mark)]
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark) and mark not in inner:
            text = inner.strip()
    return text


def bold_start(text: str) -> tuple[str, str] | None:
    """The bold words that a text begins with, and the rest."""
    found = _BOLD.match(text)
    return (found["text"].strip(), text[found.end() :]) if found and found["text"].strip() else None
