"""One enhancement, one line: `- title (Priority: High, Q1 2026)`.

The last `(Priority: …)` of the line counts, so that a title may hold brackets of its own. A line without one is an
enhancement without a priority. Priorities other than high, medium and low (`P1`, `2`) stay as written.

Where the line has no such brackets, it is read as hand-kept files have it: `- [P1] title (Q1 2026)`, `1. **P0: title**`,
`- [x] **title** - description`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from localfirst.markdown.comment import differing, displayed, is_plain, overlay, part_comment, write_comment
from localfirst.markdown.document import Enhancement
from localfirst.markdown.labelled import bold_start

PRIORITIES = ("high", "medium", "low")

_BULLET = re.compile(r"\s*[-*+•]\s+")
_NUMBER = re.compile(r"\s*[0-9]{1,3}[.)]\s+")
_BOX = re.compile(r"\[([ xX])\]\s+")
_LEVEL = re.compile(r"(?:\*\*|__)?[\[(]?(P[0-4])[\])]?:?(?:\*\*|__)?(?:\s?[:–—-](?=[\s*_])|(?=\s))\s*", re.IGNORECASE)
_LEVEL_BEHIND = re.compile(r"[\[(]\s?(?:priority\s?:?\s?)?(P[0-4])\s?(?:[,;/]\s?([^\[\]()]{1,30}?)\s?)?[\])]", re.IGNORECASE)
_DASHED = re.compile(r"[-–—:]\s")
_TIME_BEHIND = re.compile(
    r"(?:[-–—,]\s|\()\s?(?:target(?:\squarter)?\s?:?\s)?(Q[1-4][ /-]?[0-9]{4}|[0-9]{4}\s?-\s?Q[1-4])\)?(?=[\s,.;]|$)",
    re.IGNORECASE,
)
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


def read_enhancement(line: str, group: str | None = None) -> EnhancementLine | None:
    """The enhancement in a line, None where the line is no list item (a numbered one counts if it has a priority).

    Args:
        group: the priority that a heading above gives to its list.
    """
    bullet = _BULLET.match(line)
    if bullet is None:
        number = _NUMBER.match(line)
        read = read_words(line[number.end() :], group) if number else None
        return read if read and read.enhancement.priority else None
    text, data, error = part_comment(line[bullet.end() :])
    enhancement, note = _read_plain(text, group)
    if data is not None:
        try:
            enhancement = overlay(enhancement, data)
        except ValueError as reason:
            return EnhancementLine(*_read_plain(line[bullet.end() :], group), str(reason))
    return EnhancementLine(enhancement, note, error)


def read_words(text: str, group: str | None = None) -> EnhancementLine:
    """The enhancement in the words of a list item or a heading."""
    return EnhancementLine(*_read_plain(text, group))


def _read_plain(text: str, group: str | None = None) -> tuple[Enhancement, str]:
    """Title and details; the whole text is the title where the details are not understood."""
    last = max(_DETAILS.finditer(text), key=re.Match.start, default=None)
    if last is not None:
        end = text.find(")", last.end())
        title = text[: last.start()].strip()
        inside = [part.strip() for part in text[last.end() : end].split(",")]
        if end >= 0 and title and (details := _read_details(inside, "riority" in last[0].lower())) is not None:
            priority, quarter, status = details
            if priority is None and (level := _read_by_hand(title, group)) is not None:
                enhancement = replace(level, target_quarter=level.target_quarter or quarter, status=level.status or status)
            else:
                enhancement = Enhancement(title=title, priority=priority, target_quarter=quarter, status=status)
            return enhancement, text[end + 1 :].rstrip()
    by_hand = _read_by_hand(text, group)
    return (by_hand or Enhancement(title=text.strip())), ""


def _read_by_hand(text: str, group: str | None) -> Enhancement | None:
    """Box, priority, title, description and quarter; None where there is neither a box nor a priority."""
    rest = text.strip()
    status = quarter = description = None
    if box := _BOX.match(rest):
        status = "completed" if box[1] in "xX" else "planned"
        rest = rest[box.end() :]
    priority, rest, inside = _take_level(rest)
    quarter = read_quarter(inside) if inside else None
    priority = priority or group
    if status is None and priority is None:
        return None
    if bold := bold_start(rest):
        title, behind = bold
        words = behind.lstrip(" :–—-")
        if not words or behind.lstrip().startswith((":", "–", "—", "-", "(", ",")):
            rest, description = title, words or None
    whole = description or rest
    if quarter is None and (when := _TIME_BEHIND.search(whole)):
        quarter = read_quarter(when[1])
        left = f"{whole[: when.start()].rstrip()} {whole[when.end() :].lstrip(' ,.;')}".strip()
        rest, description = (rest, left or None) if description else (left, None)
    title = rest.strip()
    if not title:
        return None
    return Enhancement(title=title, priority=priority, target_quarter=quarter, status=status, description=description)


def _take_level(text: str) -> tuple[str | None, str, str | None]:
    """The priority that a text begins or ends with (`P0: …`, `… (P1, Q2 2026)`), the rest, and what stood beside it."""
    level = _LEVEL.match(text)
    if level is not None and level.end() < len(text):
        stars = text[:2] if text[:2] in ("**", "__") else ""
        is_open = stars and level[0].count(stars) == 1
        return level[1].upper(), f"{stars if is_open else ''}{text[level.end() :]}", None
    behind = max(_LEVEL_BEHIND.finditer(text), key=re.Match.start, default=None)
    after = text[behind.end() :].strip() if behind else ""
    if behind is None or not text[: behind.start()].strip() or (after and not _DASHED.match(after)):
        return None, text, None
    if behind[2] and not read_quarter(behind[2]):
        return None, text, None
    return behind[1].upper(), f"{text[: behind.start()].rstrip()} {after}".rstrip(), behind[2]


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
        line = f"- {displayed(enhancement.title)}{details}"
        read = read_enhancement(line)
    if read is None or read.note:
        line = f"- {displayed(enhancement.title)}"
        read = EnhancementLine(Enhancement(title=displayed(enhancement.title)), "")
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
