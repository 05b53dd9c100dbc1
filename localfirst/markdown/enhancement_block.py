"""One enhancement as a heading with labelled lines and paragraphs below it, and headings that give a priority to a list.

### Multi-client synchronisation (Priority: 1)
- **Target**: Q1 2026
- **Description**: Updates across several clients

### P1 - High
- Vendor scorecards
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from localfirst.markdown.document import Enhancement
from localfirst.markdown.enhancement import EnhancementLine, read_enhancement, read_quarter, read_words
from localfirst.markdown.labelled import labelled_lines, read_block_heading, read_labelled, without_emphasis

PARTS = {
    "priority": "priority",
    "target": "quarter",
    "target quarter": "quarter",
    "timeline": "quarter",
    "quarter": "quarter",
    "description": "description",
    "status": "status",
}

_STATUSES = ("planned", "approved", "implementing", "completed")
_GROUP = re.compile(
    r"(?:(?P<level>P[0-4])|(?P<word>high|medium|low)(?= priority))"
    r"(?:[\s:–—(),/-]|critical|urgent|highest|high|medium|normal|low|lowest|priority|priorities|items|must have|should have"
    r"|could have|nice to have|blocker|blockers|enhancements?)*$",
    re.IGNORECASE,
)
_PLAIN_GROUP = re.compile(r"P[0-4]\b")
_WORD = re.compile(r"[\w+.-]{1,30}")
_NUMBER = re.compile(r"[0-9]{1,3}[.)]\s+")
_TITLE_NAMES = frozenset({"enhancement", "title", "feature", "item", "name"})


class EnhancementBlock(NamedTuple):
    """An enhancement, and the lines of the block that say it."""

    enhancement: Enhancement
    used: tuple[int, ...]


def read_group(line: str) -> str | None:
    """The priority that a heading, or a line in bold, gives to the list below it."""
    words = read_block_heading(line)
    if words is None:
        text = line.strip()
        words = without_emphasis(text.rstrip(":"))
        if words == text.rstrip(":") and not _PLAIN_GROUP.match(text):
            return None
    found = _GROUP.match(re.sub(r"^[^\w\s]{1,3}\s", "", words).strip("*_ "))
    if found is None:
        return None
    return found["level"].upper() if found["level"] else found["word"].lower()


def read_enhancement_block(lines: Sequence[str]) -> EnhancementBlock | None:
    """The enhancement whose heading is the first of the lines, None where nothing says that it is one.

    Its description is what a line says to be it, else the other lines of the block, word for word.
    """
    words = read_block_heading(lines[0])
    if words is None or read_group(lines[0]) is not None:
        return None
    below = range(1, len(lines))
    if any((read := read_enhancement(lines[at])) and read.enhancement.priority for at in below):
        return None
    parts = {one.label: one for one in labelled_lines(lines, PARTS)}
    read = read_words(_NUMBER.sub("", words, count=1))
    if read.note or (read.enhancement.priority is None and not parts):
        return None
    enhancement = read.enhancement
    used = [0]
    for one in parts.values():
        if (more := _with_part(enhancement, one.label, one.value)) is not None:
            enhancement = more
            used.append(one.at)
    others = _paragraphs(lines, used)
    if enhancement.description is None and others:
        enhancement = replace(enhancement, description="\n".join(lines[at] for at in others).rstrip())
        used += [at for at in others if lines[at].strip()]
    return EnhancementBlock(enhancement, tuple(sorted(used)))


def _paragraphs(lines: Sequence[str], used: Sequence[int]) -> list[int]:
    """The lines of a block that describe it: those that are no labelled ones, up to a rule or a comment."""
    found: list[int] = []
    for at in range(1, len(lines)):
        text = lines[at].strip()
        if text.startswith("<!--") or (len(text) >= 3 and not text.strip("-*_ ")):
            break
        if at in used or ((labelled := read_labelled(lines[at])) and labelled[0] in PARTS) or not (text or found):
            continue
        found.append(at)
    return found


def read_enhancement_row(cells: dict[str, str]) -> EnhancementLine | None:
    """The enhancement in a row of a table, given by its columns' names in small letters, and what else the row says."""
    names = [name for name in cells if name in _TITLE_NAMES]
    if not names or not cells[names[0]] or "priority" not in cells:
        return None
    enhancement = Enhancement(title=without_emphasis(cells[names[0]]))
    left = []
    for name, value in cells.items():
        if name == names[0] or not value:
            continue
        part = PARTS.get(name)
        more = _with_part(enhancement, part, value) if part else None
        if more is None:
            left.append(f"{name}: {value}")
        else:
            enhancement = more
    return EnhancementLine(enhancement, "; ".join(left))


def _with_part(enhancement: Enhancement, part: str, text: str) -> Enhancement | None:
    """The enhancement with one more value, None where it has the value or the text is none."""
    words = without_emphasis(text)
    match part:
        case "priority" if enhancement.priority is None and _WORD.fullmatch(words):
            return replace(enhancement, priority=words.lower() if words.lower() in ("high", "medium", "low") else words)
        case "quarter" if enhancement.target_quarter is None and (quarter := read_quarter(words)):
            return replace(enhancement, target_quarter=quarter)
        case "status" if enhancement.status is None and words.lower() in _STATUSES:
            return replace(enhancement, status=words.lower())
        case "description" if enhancement.description is None and words:
            return replace(enhancement, description=text)
        case _:
            return None
