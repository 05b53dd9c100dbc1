"""Headings in capitals, as hand-kept files have them.

`## 🚀 LATEST DEPLOYMENT: new layouts (2025-10-04)`, `# PRODUCTION CAPABILITIES`, `**FUTURE ENHANCEMENTS**`, the bare
`PRODUCTION CAPABILITIES`, or that with a line of `=` or `-` below it. What follows the name is the heading's own and is kept by
who reads it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from localfirst.markdown.document import SectionName

LENGTH_LIMIT = 120

SECTIONS_IN_CAPITALS: dict[str, SectionName] = {
    "PRODUCTION CAPABILITIES": "vendors",
    "PRODUCTION VENDORS": "vendors",
    "OPERATIONAL VENDORS": "vendors",
    "VENDOR STATUS": "vendors",
    "VENDORS": "vendors",
    "LATEST DEPLOYMENT": "deployments",
    "LATEST DEPLOYMENTS": "deployments",
    "RECENT DEPLOYMENTS": "deployments",
    "PREVIOUS DEPLOYMENTS": "deployments",
    "DEPLOYMENT HISTORY": "deployments",
    "DEPLOYMENTS": "deployments",
    "FUTURE ENHANCEMENTS": "enhancements",
    "PLANNED ENHANCEMENTS": "enhancements",
    "ENHANCEMENTS": "enhancements",
    "SESSION PROMPTS": "sessions",
    "ACTIVE WORK ITEMS": "work_items",
    "WORK ITEMS": "work_items",
}

_NAMES = "|".join(sorted(SECTIONS_IN_CAPITALS, key=len, reverse=True))
# Marks before the name (a picture, stars), the name, then its end, a mark or words behind a separator.
_MARK = r"(?:[*_]{2})?(?:[^\w\s#*_<>|-]{1,3} ?)?"
_KNOWN = re.compile(rf"(?P<hash>#{{1,3}} )?{_MARK}(?P<name>{_NAMES})(?P<rest>[^\w].*)?$")
_UNKNOWN = re.compile(rf"(?:# )?{_MARK}[A-Z][A-Z0-9]*(?:[ /&-]{{1,3}}[A-Z0-9]+)+ ?:?(?:[*_]{{2}})? ?:?$")
_CANDIDATE = re.compile(r"[^\w<>|`-]{0,6}[A-Z]{2}")
_MARKS = re.compile(r"[\W_]*")
_UNDERLINE = re.compile(r" {0,3}(={3,}|-{3,})\s*$")


class Capitals(NamedTuple):
    """A heading in capitals: its section, None for one that is not ours, and its number of lines."""

    section: SectionName | None
    lines: int


def read_capitals(lines: list[str], at: int, *, is_style: bool) -> Capitals | None:
    """The heading in capitals that begins in this line, None where there is none.

    Args:
        is_style: whether the file has had a heading by capitals alone. Only then may one without `#`, a line below it or a
            known name be a heading: elsewhere a line in capitals is what a person wrote.
    """
    text = lines[at].strip()
    if len(text) > LENGTH_LIMIT or not _CANDIDATE.match(text.lstrip("#")):
        return None
    text = " ".join(text.split())
    follows_blank = at == 0 or not lines[at - 1].strip()
    is_underlined = at + 1 < len(lines) and not text.startswith("#") and _UNDERLINE.match(lines[at + 1]) is not None
    height = 2 if is_underlined else 1
    if (found := _KNOWN.match(text)) is not None:
        stands_alone = follows_blank and (is_underlined or _MARKS.fullmatch(found["rest"] or "") is not None)
        is_clear = is_style or is_underlined or " " in found["name"] or text.startswith(("# ", "## "))
        return Capitals(SECTIONS_IN_CAPITALS[found["name"]], height) if is_clear and (found["hash"] or stands_alone) else None
    is_dressed = is_underlined or text.startswith("# ")
    if follows_blank and (is_style or is_dressed) and _UNKNOWN.match(text):
        return Capitals(None, height)
    return None


def is_in_capitals(heading: str) -> bool:
    """Whether a section's heading is one of these."""
    return _KNOWN.match(" ".join(heading.split("\n")[0].split())) is not None


def words_behind(heading: str) -> str:
    """What a heading in capitals says behind its name, without the marks around it: `new layouts (2025-10-04)`."""
    found = _KNOWN.match(" ".join(heading.split("\n")[0].split()))
    return (found["rest"] or "").strip(" \t:–—-|*_#").strip() if found else ""
