"""What a status file says, as plain values.

A `StatusDocument` is what `parse` makes of a text and what `render` makes a text of. The caller turns it into rows of
the store and back. Equality means "says the same": where a thing stood in a text (`lines`) and how it was laid out
are left out of it.

What a file may say and the store cannot hold stays here as written: a short commit hash, a status word that is
neither operational nor broken (`status_text`), a date that is none (`date_text`), front matter that is no YAML
(`malformed_text`), and every line that was not understood (`Kept`).

Each entry has `record`: fields of the store's row that the format has no words for (`id`, `version`, `created_at`
and the like, any JSON). Vendors, deployments and work items have `metadata`: the keys of the row's metadata that have
no field of their own here. Both are written only where they are not empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

Span = tuple[int, int]
"""First and last line number of a stretch of text, counted from 1, both included."""

SectionName = Literal["vendors", "deployments", "enhancements", "sessions", "work_items"]

SECTIONS: tuple[SectionName, ...] = ("vendors", "deployments", "enhancements", "sessions", "work_items")
"""The sections in the order in which a new file has them."""

Place = Literal["line", "entry", "section start", "section end", "outside"]
"""Where a kept text stands: at the end of an entry's line, under an entry, before a section's first entry, after its
last one, or outside (after a section of the format, or before all of them)."""


ProblemCode = Literal["front_matter", "heading_count", "duplicate", "comment", "value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What all entries have: the lines of the source that they were read from."""

    lines: tuple[Span, ...] = field(default=(), compare=False)

    @property
    def line(self) -> int:
        """The first line of the entry, 0 when it was not read from a text."""
        return self.lines[0][0] if self.lines else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor(Entry):
    """`- name: operational (10/12 tests passed, 2 skipped) [Excel, CSV] v1.2.3`.

    `operational` is None, and `status_text` the word as written, where it is neither `operational` nor `broken`.
    `test_results` has `passing`, `total` and, where the line says so, `skipped`; `format_support` has `excel`, `csv`,
    `pdf`, `ocr`.
    """

    name: str
    operational: bool | None = None
    status_text: str | None = None
    test_results: dict[str, int] | None = None
    format_support: dict[str, bool] | None = None
    extractor_version: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment(Entry):
    """`### 2025-10-01 - PR #100` and the lines below it.

    `deployed_on` is the day of the heading and `deployed_at` the moment, as text, where one is known; `date_text` is
    what stands in the day's place and is no date. `commit_hash` is as written, of any length. `work_item_refs` are
    without their `#`. `tests` maps a name (`passed`) to a count.
    """

    deployed_on: date | None = None
    deployed_at: str | None = None
    date_text: str | None = None
    pr_number: int | None = None
    pr_title: str | None = None
    commit_hash: str | None = None
    work_item_refs: tuple[str, ...] = ()
    vendor_names: tuple[str, ...] = ()
    tests: dict[str, int] | None = None
    constitutional_compliance: bool | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enhancement(Entry):
    """`- title (Priority: High, Q1 2026)`.

    `priority` is `high`, `medium`, `low`, or another word as written, or None. `target_quarter` is written `Q1 2026`.
    """

    title: str
    priority: str | None = None
    target_quarter: str | None = None
    status: str | None = None
    description: str | None = None
    requires_constitutional_principles: bool | None = None
    record: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(Entry):
    """`### Session 2025-10-01`, its front matter and its prompt.

    `front_matter` is None where there is none, or where it could not be read: then `malformed` is the reason and
    `malformed_text` what stands between its two `---` lines. Front matter that is never closed is left, with its
    opening `---`, in the prompt. `front_matter_text` is the front matter as written; it is used again when written.
    `prompt` is verbatim, without blank lines around it. `record` holds what the store says of the session's work item
    beyond that: `id`, `title`, `status`, `parent_id`, `metadata`, ….
    """

    date: date | None = None
    date_text: str | None = None
    front_matter: dict[str, Any] | None = None
    front_matter_text: str | None = field(default=None, compare=False)
    malformed: str | None = field(default=None, compare=False)
    malformed_text: str | None = None
    prompt: str | None = ""
    record: dict[str, Any] = field(default_factory=dict)

    def _text(self, key: str) -> str | None:
        value = (self.front_matter or {}).get(key)
        return value if isinstance(value, str) and value else None

    @property
    def session_id(self) -> str | None:
        """The front matter's `session_id`, where that is a text."""
        return self._text("session_id")

    @property
    def title(self) -> str | None:
        """The work item's title, else the front matter's."""
        title = self.record.get("title")
        return title if isinstance(title, str) and title else self._text("title")

    @property
    def token_budget(self) -> int | None:
        """The front matter's `token_budget`, where that is a whole number."""
        value = (self.front_matter or {}).get("token_budget")
        return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem(Entry):
    """`- [task] title (active)`: a work item that has no place in the sections above.

    `parent_title` is what an older file has instead of `parent_id`.
    """

    title: str
    item_type: str = "task"
    status: str = "active"
    id: str | None = None
    parent_id: str | None = None
    parent_title: str | None = None
    version: int | None = None
    branch_name: str | None = None
    commit_hash: str | None = None
    pr_number: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Text that was not understood, verbatim, and where it stood.

    `text` may span lines; `line` is the number of its first. `section` is None only for text before all sections.
    `after` is the key (see `entry_key`) of the entry that it follows, and `part` names the line of that entry whose end
    it is, where the entry has several (`tests`).
    """

    text: str
    place: Place
    section: SectionName | None = None
    after: str | None = None
    part: str | None = None
    blank_before: bool = False
    blank_after: bool = False
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that a person should look at; nothing was lost. `code` is for programs."""

    line: int
    code: ProblemCode
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The title of the file or the heading of a section of the format; `count` is the number that it claims.

    `text` has two lines where the heading is underlined.
    """

    line: int
    text: str
    section: SectionName | None
    count: int | None = None

    @property
    def height(self) -> int:
        """How many lines it has."""
        return self.text.count("\n") + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the file is laid out: its title line, the sections that it has in their order, its line ends, its BOM.

    `headings` has the headings of sections that are a person's own (in capitals, with words of theirs), as written.
    """

    title: str | None = "# Project Status"
    sections: tuple[SectionName, ...] = ("vendors", "deployments", "enhancements", "sessions")
    headings: tuple[tuple[SectionName, str], ...] = ()
    newline: Literal["\n", "\r\n"] = "\n"
    byte_order_mark: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDocument:
    """A whole status file. `problems`, `headings` and `layout` say how it was written, not what it says."""

    vendors: tuple[Vendor, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    enhancements: tuple[Enhancement, ...] = ()
    sessions: tuple[Session, ...] = ()
    work_items: tuple[WorkItem, ...] = ()
    kept: tuple[Kept, ...] = ()
    problems: tuple[Problem, ...] = field(default=(), compare=False)
    headings: tuple[Heading, ...] = field(default=(), compare=False)
    layout: Layout = field(default_factory=Layout, compare=False)


def entries(document: StatusDocument) -> Iterable[Entry]:
    """All entries, section by section."""
    yield from document.vendors
    yield from document.deployments
    yield from document.enhancements
    yield from document.sessions
    yield from document.work_items


def accounted_lines(document: StatusDocument) -> set[int]:
    """The numbers of the source's lines that an entry was read from, that are kept, or that are a heading."""
    accounted = {line for heading in document.headings for line in range(heading.line, heading.line + heading.height)}
    for entry in entries(document):
        for first, last in entry.lines:
            accounted.update(range(first, last + 1))
    for kept in document.kept:
        accounted.update(range(kept.line, kept.line + kept.text.count("\n") + 1))
    return accounted


def entry_key(entry: Entry) -> str:
    """The text by which an entry is found again in another version of the file, unique only as far as the file is."""
    match entry:
        case Vendor():
            return entry.name
        case Deployment():
            return f"{entry.deployed_on or entry.date_text} PR #{entry.pr_number}"
        case Session():
            return f"{entry.date or entry.date_text} {entry.session_id}"
        case WorkItem():
            return entry.id or entry.title
        case Enhancement():
            return entry.title
        case _:
            raise TypeError(f"not an entry of a status file: {type(entry).__name__}")
