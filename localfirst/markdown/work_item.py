"""One work item, one line: `- [task] title (active) <!-- localfirst: {"id": "…"} -->`.

A line is a work item's when it begins with one of the four types in brackets. Titles end before the last status in
brackets.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from localfirst.markdown.comment import differing, displayed, is_plain, overlay, part_comment, write_comment
from localfirst.markdown.document import WorkItem

_TYPES = ("project", "session", "task", "research")
_STATUSES = ("active", "completed", "blocked")
_ITEM = re.compile(r"\s*[-*+•]\s+\[(project|session|task|research)\]\s", re.IGNORECASE)
_STATUS = re.compile(r"\((active|completed|blocked)\)", re.IGNORECASE)


class WorkItemLine(NamedTuple):
    """A work item, the note behind it with the blanks before it, and what is wrong with its comment."""

    item: WorkItem
    note: str
    error: str | None = None


def read_work_item(line: str) -> WorkItemLine | None:
    """The work item in a line, None where the line is none's."""
    found = _ITEM.match(line)
    if found is None:
        return None
    rest = line[found.end() :]
    text, data, error = part_comment(rest)
    plain = _read_plain(found[1].lower(), text)
    if plain is None or data is None:
        return plain and plain._replace(error=error)
    try:
        return plain._replace(item=overlay(plain.item, data))
    except ValueError as reason:
        plain = _read_plain(found[1].lower(), rest)
        return plain and plain._replace(error=str(reason))


def _read_plain(item_type: str, text: str) -> WorkItemLine | None:
    status = max(_STATUS.finditer(text), key=re.Match.start, default=None)
    if status is None:
        title = text.strip()
        return WorkItemLine(WorkItem(title=title, item_type=item_type), "") if title else None
    title = text[: status.start()].strip()
    if not title:
        return None
    item = WorkItem(title=title, item_type=item_type, status=status[1].lower())
    return WorkItemLine(item, text[status.end() :].rstrip())


def write_work_item(item: WorkItem, note: str = "") -> str:
    """The work item's line; what it cannot say plainly stands in a comment at its end."""
    head = f"- [{item.item_type if item.item_type in _TYPES else 'task'}] "
    status = item.status if item.status in _STATUSES else "active"
    for title in (item.title, displayed(item.title)):
        line = f"{head}{title} ({status})"
        read = read_work_item(line) if is_plain(line) else None
        if read is not None and not read.note and (read.item.title == item.title or title != item.title):
            data = differing(read.item, item)
            return f"{line}{note} {write_comment(data)}" if data else f"{line}{note}"
    raise AssertionError(f"a line that cannot be read again: {line!r}")
