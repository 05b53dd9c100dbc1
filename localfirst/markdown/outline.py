"""Where the sections of a status file begin and end, and what of it is nobody's heading.

Rules, in the order in which they win:

1. Lines between `<!-- localfirst: prompt -->` and `<!-- localfirst: prompt end -->` are never headings.
2. Nor are those of a fenced code block that is closed. A fence that is never closed, or runs into the opening of
   another with a language, or is longer than 400 lines, was forgotten and hides nothing.
3. `## Vendors (45 total)` and its like, with a count, begin a section anywhere. So does `### Session …` with front
   matter, and, outside prompts, foreign sections and hidden lines, `### 2025-10-01 - PR #1`: the heading above it was
   lost.
4. Within the session prompts any other `## ` heading, a known name without a count included, belongs to the prompt
   that it stands in when another session follows in the section; after the last session it ends the section. (An
   example of a heading in the middle stays in its prompt; notes at the end of the file are notes.)
5. Elsewhere a `## ` heading of a known name begins its section and any other begins foreign text, which is kept.
6. Files that are kept by hand have their headings in capitals, in any dress (see `capitals`). A known one begins its
   section, also where words follow it; any other ends the section it stands in. Within session prompts they mean
   nothing unless they are `## ` headings.

Headings may be indented; within a prompt only by up to three blanks, or as far as the heading of its session.
Everything here is linear in the text.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from localfirst.markdown.capitals import read_capitals
from localfirst.markdown.document import Heading, SectionName

PROMPT_BEGIN = "<!-- localfirst: prompt -->"
PROMPT_END = "<!-- localfirst: prompt end -->"

FENCE_LIMIT_LINES = 400

NAMES: dict[str, SectionName] = {
    "vendors": "vendors",
    "operational vendors": "vendors",
    "deployments": "deployments",
    "deployment history": "deployments",
    "recent deployments": "deployments",
    "future enhancements": "enhancements",
    "enhancements": "enhancements",
    "session prompts": "sessions",
    "sessions": "sessions",
    "work items": "work_items",
    "active work items": "work_items",
    "production capabilities": "vendors",
    "latest deployment": "deployments",
}

# Matched against a line whose runs of blanks are one blank: a regular expression with several `[ \t]*` is not linear.
_SECTION = re.compile(
    r"## (?P<name>[A-Za-z]+(?: [A-Za-z]+){0,2}) ?"
    r"(?:\( ?(?:[0-9]{1,9} ?/ ?|last )?(?P<count>[0-9]{1,9}) ?(?:total)? ?\))? ?:? ?#*$",
    re.IGNORECASE,
)
_SESSION = re.compile(r"###[ \t]+Session\b[ \t]*(?P<rest>.*)$", re.IGNORECASE)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]+(?:Z|[+-][0-9:]+)?)?[ \t]*$")
_DEPLOYMENT = re.compile(r"###[ \t]+[0-9]{4}-[0-9]{2}-[0-9]{2}\b[^#]*\bPR[ \t]*#?[0-9]", re.IGNORECASE)
_FENCE = re.compile(r"(`{3,}(?=[^`]*$)|~{3,})[ \t]*(.*)$")


class Region(NamedTuple):
    """The lines `start` to `end` (from 0, `end` not included) of one section, or of foreign text after `section`.

    `sessions` are the lines of the session headings in it.
    """

    kind: SectionName | Literal["foreign"]
    section: SectionName | None
    start: int
    end: int
    sessions: tuple[int, ...] = ()


class Outline(NamedTuple):
    """The regions in the order of the text, the headings that made them, and the lines that are in a code block."""

    regions: list[Region]
    headings: list[Heading]
    hidden: bytearray


class _Event(NamedTuple):
    at: int
    kind: Literal["section", "heading", "session", "deployment"]
    strong: bool
    indent: int
    section: SectionName | None = None
    claim: int | None = None
    lines: int = 1
    """How many lines the heading has."""
    bare: bool = False
    """Whether it is a heading by its capitals alone, which means nothing among prompts."""


def outline(lines: list[str]) -> Outline:
    """Divides the lines into regions; together they hold every line except the headings."""
    hidden = hidden_lines(lines)
    title = _title(lines)
    events = _events(lines, hidden)
    follows = _session_follows(events)
    headings = [] if title is None else [Heading(line=title + 1, text=lines[title], section=None)]
    regions: list[Region] = []
    kind: SectionName | Literal["foreign"] = "foreign"
    section: SectionName | None = None
    start = 0 if title is None else title + 1
    sessions: list[int] = []
    indent_limit = 0

    for event, session_follows in zip(events, follows, strict=True):
        if kind == "sessions" and sessions:
            if event.bare:
                continue
            if event.indent > indent_limit or event.kind == "deployment":
                continue
            if event.kind in ("section", "heading") and not event.strong and session_follows:
                continue
        next_kind = _next_kind(kind, event)
        if next_kind is None:
            continue
        if next_kind != kind or event.kind == "section":
            regions.append(Region(kind, section, start, event.at, tuple(sessions)))
            sessions = []
            kind, start = next_kind, event.at
            section = section if kind == "foreign" else kind
        if event.kind == "section":
            start = event.at + event.lines
            text = "\n".join(lines[event.at : start])
            headings.append(Heading(line=event.at + 1, text=text, section=event.section, count=event.claim))
        if event.kind == "session":
            sessions.append(event.at)
            indent_limit = max(3, event.indent)
    regions.append(Region(kind, section, start, len(lines), tuple(sessions)))
    return Outline(regions, headings, hidden)


def _next_kind(kind: SectionName | Literal["foreign"], event: _Event) -> SectionName | Literal["foreign"] | None:
    """The kind of region that an event leads to, None where it means nothing in this one."""
    match event.kind:
        case "section":
            return event.section
        case "heading":
            return "foreign"
        case "session":
            return "sessions" if event.strong or kind != "foreign" else None
        case "deployment":
            return None if kind == "foreign" and event.strong else "deployments"


def _title(lines: list[str]) -> int | None:
    """The first line that is not blank, where it is a heading of the first level and not a section's."""
    at = next((at for at, line in enumerate(lines) if line and not line.isspace()), None)
    if at is None or not lines[at].lstrip().startswith("# "):
        return None
    section = read_capitals(lines, at, is_style=False)
    return at if section is None or section.section is None else None


def _events(lines: list[str], hidden: bytearray) -> list[_Event]:
    """Every heading that may mean something, in order."""
    events: list[_Event] = []
    foreign = False
    is_style = False
    for at, line in enumerate(lines):
        text = line.lstrip()
        if hidden[at]:
            continue
        indent = len(line) - len(text)
        if not text.startswith("##"):
            if (capitals := read_capitals(lines, at, is_style=is_style)) is not None:
                is_section = capitals.section is not None
                is_style = is_style or (is_section and not text.startswith("#"))
                foreign = not is_section
                kind: Literal["section", "heading"] = "section" if is_section else "heading"
                events.append(_Event(at, kind, False, indent, capitals.section, None, capitals.lines, bare=True))
            continue
        if found := _SECTION.match(" ".join(text.split())):
            name = NAMES.get(found["name"].lower())
            if name is not None:
                count = int(found["count"]) if found["count"] else None
                events.append(_Event(at, "section", count is not None, indent, name, count))
                foreign = False
                continue
        if (capitals := read_capitals(lines, at, is_style=is_style)) is not None and capitals.section is not None:
            bare = not text.startswith("## ")
            events.append(_Event(at, "section", False, indent, capitals.section, None, capitals.lines, bare))
            foreign = False
            continue
        if text.startswith("## ") or text == "##":
            events.append(_Event(at, "heading", False, indent))
            foreign = True
        elif found := _SESSION.match(text):
            strong = _front_matter_follows(lines, at)
            if strong or _DAY.match(found["rest"]):
                events.append(_Event(at, "session", strong, indent))
        elif _DEPLOYMENT.match(text):
            events.append(_Event(at, "deployment", foreign, indent))
    return events


def _front_matter_follows(lines: list[str], at: int) -> bool:
    """Whether `---` is the next line, or the one after a few blank ones."""
    for line in lines[at + 1 : at + 5]:
        text = line.strip()
        if text:
            return text == "---"
    return False


def _session_follows(events: list[_Event]) -> list[bool]:
    """For each event, whether a session comes after it and before the next heading that certainly ends the section."""
    follows = [False] * len(events)
    seen = False
    for index in range(len(events) - 1, -1, -1):
        follows[index] = seen
        event = events[index]
        if event.kind == "session":
            seen = True
        elif event.kind == "section" and event.strong:
            seen = False
    return follows


def hidden_lines(lines: list[str]) -> bytearray:
    """One byte per line, 1 for the lines of closed code blocks and of marked prompts, their markers included."""
    hidden = bytearray(len(lines))
    ends = [at for at, line in enumerate(lines) if PROMPT_END in line and line.strip() == PROMPT_END]
    ends.reverse()
    fence = ""
    opened = 0
    at = 0
    while at < len(lines):
        text = lines[at].strip()
        if text == PROMPT_BEGIN:
            while ends and ends[-1] < at:
                ends.pop()
            if ends:
                hidden[at : ends[-1] + 1] = b"\1" * (ends[-1] + 1 - at)
                at = ends[-1] + 1
                fence = ""
                continue
        if text.startswith(("```", "~~~")) and (found := _FENCE.match(text)):
            marks, language = found[1], found[2]
            if fence and marks[0] == fence[0] and len(marks) >= len(fence) and not language:
                if at - opened <= FENCE_LIMIT_LINES:
                    hidden[opened : at + 1] = b"\1" * (at + 1 - opened)
                fence = ""
            elif not fence or (language and marks[0] == fence[0] and len(marks) >= len(fence)):
                fence, opened = marks, at
        at += 1
    return hidden


def fences_are_closed(lines: list[str]) -> bool:
    """Whether every fence of a text is closed, so that it cannot hide what follows it."""
    hidden = hidden_lines(lines)
    return all(hidden[at] or not _FENCE.match(line.strip()) for at, line in enumerate(lines))


def structure_of(lines: list[str]) -> Literal["none", "weak", "strong"]:
    """Whether a prompt holds headings: `strong` ones would end it anywhere, `weak` ones where no session follows it.

    Code blocks and indentation are not taken into account, so that the answer holds whatever stands around the text.
    """
    events = [event for event in _events(lines, bytearray(len(lines))) if event.kind != "deployment" and not event.bare]
    if any(event.kind == "session" or event.strong for event in events):
        return "strong"
    return "weak" if events else "none"
