"""One work item as an older generator wrote it: a heading with its type, and labelled lines below.

### Session 001 (session)
- **Status**: active
- **Created**: 2025-10-05 09:00:00 UTC
- **Parent**: Vendor tracking
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from localfirst.markdown.document import WorkItem
from localfirst.markdown.labelled import labelled_lines, read_block_heading, without_emphasis

PARTS = {
    "status": "status",
    "created": "created_at",
    "created at": "created_at",
    "branch": "branch_name",
    "parent": "parent_title",
    "commit": "commit_hash",
    "pr": "pr_number",
}

_HEADING = re.compile(r"(?P<title>.*\S) \((?P<type>project|session|task|research)\)$", re.IGNORECASE)
_NUMBER = re.compile(r"#?([0-9]{1,15})")
_UTC = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}(?::[0-9]{2})?) (?:UTC|GMT)")


class WorkItemBlock(NamedTuple):
    """A work item, and the lines of the block that say it."""

    item: WorkItem
    used: tuple[int, ...]


def read_work_item_block(lines: Sequence[str]) -> WorkItemBlock | None:
    """The work item whose heading is the first of the lines, None where the heading does not name its type."""
    words = read_block_heading(lines[0])
    found = _HEADING.match(words) if words else None
    if found is None:
        return None
    item = WorkItem(title=found["title"], item_type=found["type"].lower())
    used = [0]
    for one in labelled_lines(lines, PARTS):
        value = _value(one.label, without_emphasis(one.value))
        if value is not None:
            said = {"record": {"created_at": value}} if one.label == "created_at" else {one.label: value}
            item = replace(item, **said)
            used.append(one.at)
    return WorkItemBlock(item, tuple(used))


def _value(part: str, text: str) -> Any:
    """The value of a part, None where the text is none."""
    match part:
        case "pr_number":
            found = _NUMBER.fullmatch(text)
            return int(found[1]) if found else None
        case "created_at":
            utc = _UTC.fullmatch(text)
            return f"{utc[1]}Z" if utc else text or None
        case "parent_title" if text.lower() in ("none", "unknown"):
            return None
        case "status":
            return text.lower() or None
        case _:
            return text or None
