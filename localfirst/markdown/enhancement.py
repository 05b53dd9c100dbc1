"""One enhancement, one line: `- title (Priority: High, Q1 2026)`.

The last `(Priority: …)` of the line counts, so that a title may hold brackets of its own. A line without one is an
enhancement without a priority. Priorities other than high, medium and low (`P1`, `2`) stay as written.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from localfirst.markdown.comment import differing, is_plain, overlay, part_comment, shown, write_comment
from localfirst.markdown.document import Enhancement

PRIORITIES = ("high", "medium", "low")

_BULLET = re.compile(r"\s*[-*+•]\s+")
_DETAILS = re.compile(r"\(\s*(?:priority\s*:|(?=Q[1-4]\s[0-9]{4}\)|[0-9]{4}\s?-\s?Q[1-4]\)))", re.IGNORECASE)
_QUARTER = re.compile(r"Q([1-4])[ /-]?([0-9]{4})|([0-9]{4})[ /-]{0,3}Q([1-4])", re.IGNORECASE)
_STATUS = re.compile(r"(?:status\s*:\s*)?(planned|approved|implementing|completed)", re.IGNORECASE)
_PRIORITY = re.compile(r"[\w+.-]{1,30}")


class EnhancementLine(NamedTuple):
    """An enhancement, the note behind it with the blanks before it, and what is wrong with its comment."""

    enhancement: Enhancement
    note: str
    error: str | None = None


def read_quarter(text: str) -> str | None:
    """`Q2 2026` for `Q2 2026`, `2026-Q2` and the like, None for anything else."""
    found = _QUARTER.fullmatch(text)
    return f"Q{found[1] or found[4]} {found[2] or found[3]}" if found else None


def read_enhancement(line: str) -> EnhancementLine | None:
    """The enhancement in a line, None where the line is no list item."""
    bullet = _BULLET.match(line)
    if bullet is None:
        return None
    text, data, error = part_comment(line[bullet.end() :])
    enhancement, note = _read_plain(text)
    if data is not None:
        try:
            enhancement = overlay(enhancement, data)
        except ValueError as reason:
            return EnhancementLine(*_read_plain(line[bullet.end() :]), str(reason))
    return EnhancementLine(enhancement, note, error)


def _read_plain(text: str) -> tuple[Enhancement, str]:
    """Title and details; the whole text is the title where the details are not understood."""
    last = max(_DETAILS.finditer(text), key=re.Match.start, default=None)
    if last is not None:
        end = text.find(")", last.end())
        title = text[: last.start()].strip()
        inside = [part.strip() for part in text[last.end() : end].split(",")]
        if end >= 0 and title and (details := _read_details(inside, "riority" in last[0].lower())) is not None:
            priority, quarter, status = details
            return (
                Enhancement(title=title, priority=priority, target_quarter=quarter, status=status),
                text[end + 1 :].rstrip(),
            )
    return Enhancement(title=text.strip()), ""


def _read_details(parts: list[str], has_priority: bool) -> tuple[str | None, str | None, str | None] | None:
    """Priority, quarter and status, None where a part is none of these."""
    priority = quarter = status = None
    if has_priority:
        word = parts.pop(0)
        if not _PRIORITY.fullmatch(word):
            return None
        priority = word.lower() if word.lower() in PRIORITIES else word
    for part in parts:
        if quarter is None and (found := read_quarter(part)):
            quarter = found
        elif status is None and (word_found := _STATUS.fullmatch(part)):
            status = word_found[1].lower()
        else:
            return None
    return priority, quarter, status


def write_enhancement(enhancement: Enhancement, note: str = "") -> str:
    """The enhancement's line; what it cannot say plainly stands in a comment at its end."""
    details = _write_details(enhancement)
    line = f"- {enhancement.title}{details}"
    read = read_enhancement(line) if is_plain(line) else None
    if read is None or read.note or read.enhancement.title != enhancement.title:
        line = f"- {shown(enhancement.title)}{details}"
        read = read_enhancement(line)
    if read is None or read.note:
        line = f"- {shown(enhancement.title)}"
        read = EnhancementLine(Enhancement(title=shown(enhancement.title)), "")
    data = differing(read.enhancement, enhancement)
    return f"{line}{note} {write_comment(data)}" if data else f"{line}{note}"


def _write_details(enhancement: Enhancement) -> str:
    parts = []
    priority = enhancement.priority
    if priority is not None and _PRIORITY.fullmatch(priority):
        parts.append(f"Priority: {priority.capitalize() if priority in PRIORITIES else priority}")
    quarter = enhancement.target_quarter
    if quarter is not None and read_quarter(quarter) == quarter:
        parts.append(quarter)
    return f" ({', '.join(parts)})" if parts else ""
