"""Whether a text that differs little from one that has been read again says what it should, without reading all of it again.

A status file is written after each write of an outage, and verified when it holds texts of people's. Mostly one line differs
from the text before: an entry of the vendors or the work items, which is a single list item. A list item is no heading, fence
or marker, so it changes the meaning of no other line, and it is enough to read it alone. Everything else is read as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from localfirst.markdown.document import SECTIONS, Entry, Kept, StatusDocument, entry_key
from localfirst.markdown.parse import parse

CHANGED_LINES_MAX = 20

_COUNTED = re.compile(r"(## (?:Vendors|Work Items)) \([0-9]+ total\)")
_MAY_SPAN_LINES = ("```", "~~~", "<!-- localfirst: prompt")
_HEADINGS: dict[Literal["vendors", "work_items"], str] = {"vendors": "## Vendors", "work_items": "## Work Items"}


class Refreshed(NamedTuple):
    """A text, and what it says: for the next refresh, which then needs not read it."""

    text: str
    document: StatusDocument


def is_small_change(before: Refreshed, after: Refreshed) -> bool:
    """Whether `after` certainly says its document, given that `before` says its own; False where that is not certain."""
    section = _only_difference(before.document, after.document)
    if section is None:
        return False
    old, new = _differing(before.text.split("\n"), after.text.split("\n"))
    if len(new) > CHANGED_LINES_MAX or not all(line.startswith("- ") for line in (*old, *new)):
        return False
    if len(old) != len(new) and any(_spans_lines(kept) for kept in after.document.kept):
        return False  # how far a forgotten fence reaches is a matter of how many lines there are
    earlier, present = getattr(before.document, section), getattr(after.document, section)
    if len(new) - len(old) != len(present) - len(earlier):
        return False
    changed = _changed(earlier, present)
    return changed.keys() == _read_alone(section, new, changed, after.document)


def _changed(earlier: Sequence[Entry], present: Sequence[Entry]) -> dict[str, Entry]:
    """The entries of `present` that `earlier` does not have, by their keys."""
    if len(earlier) == len(present):
        pairs = [new for old, new in zip(earlier, present, strict=True) if old is not new and old != new]
        if len(pairs) <= CHANGED_LINES_MAX:
            return {entry_key(entry): entry for entry in pairs}
    known = {entry_key(entry): entry for entry in earlier}
    return {key: entry for entry in present if known.get(key := entry_key(entry)) != entry}


def _only_difference(before: StatusDocument, after: StatusDocument) -> Literal["vendors", "work_items"] | None:
    """The one section of single lines in which the documents differ, if there is no other difference."""
    if before.kept != after.kept or before.layout != after.layout:
        return None
    found = [name for name in SECTIONS if getattr(before, name) != getattr(after, name)]
    for section in _HEADINGS:
        if found == [section]:
            return section
    return None


def _differing(old: Sequence[str], new: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The lines between the common beginning and the common end; the count in a heading makes no difference."""
    shorter = min(len(old), len(new))
    start = next((at for at in range(shorter) if old[at] != new[at] and not _same_heading(old[at], new[at])), shorter)
    end = shorter - start
    for at in range(1, shorter - start + 1):
        if old[-at] != new[-at] and not _same_heading(old[-at], new[-at]):
            end = at - 1
            break
    return old[start : len(old) - end], new[start : len(new) - end]


def _same_heading(old: str, new: str) -> bool:
    one, other = _COUNTED.fullmatch(old), _COUNTED.fullmatch(new)
    return one is not None and other is not None and one[1] == other[1]


def _spans_lines(kept: Kept) -> bool:
    return any(line.strip().startswith(_MAY_SPAN_LINES) for line in kept.text.split("\n"))


def _read_alone(
    section: Literal["vendors", "work_items"], lines: Iterable[str], changed: Mapping[str, Entry], document: StatusDocument
) -> set[str] | None:
    """The keys of the entries that these lines are, each read alone; None if one of them is none of the changed ones."""
    keys = set()
    for line in lines:
        read = parse(f"{_HEADINGS[section]} (1 total)\n{line}\n")
        entries: tuple[Entry, ...] = getattr(read, section)
        key = entry_key(entries[0]) if len(entries) == 1 else ""
        if len(entries) != 1 or changed.get(key) != entries[0] or _notes(read, section, key) != _notes(document, section, key):
            return None
        keys.add(key)
    return keys


def _notes(document: StatusDocument, section: str, key: str) -> list[str]:
    return [kept.text for kept in document.kept if kept.section == section and kept.place == "line" and kept.after == key]
