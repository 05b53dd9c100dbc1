"""Reads a status file: `parse` takes any text and never raises.

Each section's reader says which lines its entries were read from; every other line that is not blank is kept, word
for word, with the place where it stood. So no line can be lost by not being understood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from itertools import pairwise
from typing import NamedTuple, TypeVar
from unicodedata import normalize

from localfirst.markdown.deployment import Block as DeploymentBlock
from localfirst.markdown.deployment import read_deployment
from localfirst.markdown.document import (
    SECTIONS,
    Deployment,
    Enhancement,
    Entry,
    Heading,
    Kept,
    Layout,
    Problem,
    ProblemCode,
    SectionName,
    Session,
    Span,
    StatusDocument,
    Vendor,
    WorkItem,
    entry_key,
)
from localfirst.markdown.enhancement import read_enhancement
from localfirst.markdown.outline import Outline, Region, outline
from localfirst.markdown.session import Block, read_session
from localfirst.markdown.source import Source, split_lines
from localfirst.markdown.vendor import read_vendor
from localfirst.markdown.work_item import WorkItemLine, read_work_item

E = TypeVar("E", bound=Entry)

_FIELD_NAMES: dict[type[Entry], tuple[str, ...]] = {
    kind: tuple(item.name for item in fields(kind)) for kind in (Vendor, Deployment, Enhancement, Session, WorkItem)
}

NESTED_INDENT = 2
"""A list item of this many blanks more than its section's first one belongs to the item above it."""


class Readers(NamedTuple):
    """How the entries that a file may have very many of are read; a caller may put a memory before them."""

    work_item: Callable[[str], WorkItemLine | None] = read_work_item
    session: Callable[[Sequence[str]], Block] = read_session
    deployment: Callable[[Sequence[str]], DeploymentBlock | None] = read_deployment


PLAIN = Readers()


def parse(text: str, readers: Readers = PLAIN) -> StatusDocument:
    """What the text says. `problems` lists what a person should look at; nothing in the text is lost."""
    source = split_lines(text)
    plan = outline(source.lines)
    reading = _Reading(source.lines, plan.hidden, readers)
    for region in plan.regions:
        match region.kind:
            case "foreign":
                reading.foreign(region)
            case "vendors":
                reading.vendor_lines(region)
            case "deployments":
                reading.deployment_blocks(region)
            case "enhancements":
                reading.enhancement_lines(region)
            case "sessions":
                reading.session_blocks(region)
            case "work_items":
                reading.work_item_lines(region)
    document = StatusDocument(
        vendors=tuple(reading.vendors),
        deployments=tuple(reading.deployments),
        enhancements=tuple(reading.enhancements),
        sessions=tuple(reading.sessions),
        work_items=tuple(reading.work_items),
        kept=tuple(sorted(reading.kept, key=lambda kept: kept.line)),
        headings=tuple(plan.headings),
        layout=_layout(source, plan),
    )
    problems = [*reading.problems, *_wrong_counts(document)]
    return replace(document, problems=tuple(sorted(problems, key=lambda problem: problem.line)))


def _located(entry: E, lines: tuple[Span, ...]) -> E:
    """The entry as it stands in these lines. `dataclasses.replace` takes three times as long: too long for every line."""
    located = object.__new__(type(entry))
    for name in _FIELD_NAMES[type(entry)]:
        object.__setattr__(located, name, getattr(entry, name))
    object.__setattr__(located, "lines", lines)
    return located


def _layout(source: Source, plan: Outline) -> Layout:
    """How the file is laid out; a blank text is laid out like a new file."""
    if not any(line.strip() for line in source.lines):
        return Layout(newline=source.newline, byte_order_mark=source.byte_order_mark)
    titles = [heading.text for heading in plan.headings if heading.section is None]
    sections = dict.fromkeys(region.kind for region in plan.regions if region.kind != "foreign")
    return Layout(
        title=titles[0] if titles else None,
        sections=tuple(sections),
        newline=source.newline,
        byte_order_mark=source.byte_order_mark,
    )


def _wrong_counts(document: StatusDocument) -> list[Problem]:
    """One problem for each section whose headings claim another number than was found."""
    claimed: dict[SectionName, list[Heading]] = {}
    for heading in document.headings:
        if heading.section is not None and heading.count is not None:
            claimed.setdefault(heading.section, []).append(heading)
    problems = []
    for section in SECTIONS:
        headings = claimed.get(section, [])
        claim = sum(heading.count or 0 for heading in headings)
        found = len(getattr(document, section))
        if headings and claim != found:
            message = f"the heading says {claim}, there are {found}"
            problems.append(Problem(line=headings[0].line, code="heading_count", message=message))
    return problems


class _Reading:
    """What has been read so far."""

    def __init__(self, lines: list[str], hidden: bytearray, readers: Readers) -> None:
        self.readers = readers
        self.lines = lines
        self.hidden = hidden
        self.vendors: list[Vendor] = []
        self.deployments: list[Deployment] = []
        self.enhancements: list[Enhancement] = []
        self.sessions: list[Session] = []
        self.work_items: list[WorkItem] = []
        self.kept: list[Kept] = []
        self.problems: list[Problem] = []
        self._vendor_names: dict[str, str] = {}

    def foreign(self, region: Region) -> None:
        """Keeps a region as it is, without the blank lines around it."""
        filled = [at for at in range(region.start, region.end) if self.lines[at].strip()]
        if filled:
            first, last = filled[0], filled[-1]
            text = "\n".join(self.lines[first : last + 1])
            self.kept.append(
                Kept(text=text, place="outside", section=region.section, blank_before=True, blank_after=True, line=first + 1)
            )

    def vendor_lines(self, region: Region) -> None:
        """One vendor per line; a second one of a name is kept, not read."""
        owners: dict[int, str] = {}
        for at in self._candidates(region):
            read = read_vendor(self.lines[at])
            if read is None:
                continue
            name = normalize("NFC", read.vendor.name)
            if name in self._vendor_names:
                first = self._vendor_names[name]
                owners[at] = first
                self.kept.append(Kept(text=self.lines[at], place="entry", section="vendors", after=first, line=at + 1))
                self._problem(at, "duplicate", f"the vendor {first!r} is given twice; the first line counts")
                continue
            self._vendor_names[name] = read.vendor.name
            self.vendors.append(_located(read.vendor, ((at + 1, at + 1),)))
            self._single("vendors", owners, at, read.vendor.name, read.note, read.error)
        self._keep("vendors", region, owners)

    def enhancement_lines(self, region: Region) -> None:
        """One enhancement per list item, except for items nested in one."""
        owners: dict[int, str] = {}
        first_indent: int | None = None
        for at in self._candidates(region):
            line = self.lines[at]
            read = read_enhancement(line)
            if read is None:
                continue
            indent = len(line) - len(line.lstrip())
            nested = first_indent is not None and indent >= first_indent + NESTED_INDENT
            if nested and read.enhancement.priority is None:
                continue
            first_indent = indent if first_indent is None else first_indent
            self.enhancements.append(_located(read.enhancement, ((at + 1, at + 1),)))
            self._single("enhancements", owners, at, read.enhancement.title, read.note, read.error)
        self._keep("enhancements", region, owners)

    def work_item_lines(self, region: Region) -> None:
        """One work item per line."""
        owners: dict[int, str] = {}
        for at in self._candidates(region):
            read = self.readers.work_item(self.lines[at])
            if read is not None:
                self.work_items.append(_located(read.item, ((at + 1, at + 1),)))
                self._single("work_items", owners, at, entry_key(read.item), read.note, read.error)
        self._keep("work_items", region, owners)

    def deployment_blocks(self, region: Region) -> None:
        """A deployment runs from its heading to the next heading of the third level."""
        owners: dict[int, str] = {}
        starts = [at for at in self._candidates(region) if self.lines[at].lstrip().startswith("###")]
        for start, end in pairwise([*starts, region.end]):
            visible = [at for at in range(start, end) if not self.hidden[at]]
            read = self.readers.deployment([self.lines[at] for at in visible])
            if read is None:
                continue
            numbers = [visible[index] for index in read.used]
            key = entry_key(read.deployment)
            owners.update(dict.fromkeys(numbers, key))
            self.deployments.append(_located(read.deployment, tuple((at + 1, at + 1) for at in numbers)))
            for index, part, note in read.notes:
                self._note("deployments", visible[index], key, note, part)
            for index, error in read.errors:
                self._problem(visible[index], "value", error)
        self._keep("deployments", region, owners)

    def session_blocks(self, region: Region) -> None:
        """A session runs from its heading to that of the next."""
        owners: dict[int, str] = {}
        for start, end in pairwise([*region.sessions, region.end]):
            read = self.readers.session(self.lines[start:end])
            key = entry_key(read.session)
            last = start + read.used
            owners.update(dict.fromkeys(range(start, last), key))
            self.sessions.append(_located(read.session, ((start + 1, last),)))
            if read.note:
                self._note("sessions", start, key, read.note, "heading")
            for index, error in read.errors:
                self._problem(start + index, "front_matter", error)
        self._keep("sessions", region, owners)

    def _candidates(self, region: Region) -> list[int]:
        """The lines of a region that may be entries: not blank, and in no code block."""
        return [at for at in range(region.start, region.end) if self.lines[at] and not self.hidden[at]]

    def _single(self, section: SectionName, owners: dict[int, str], at: int, key: str, note: str, error: str | None) -> None:
        """What every entry of one line needs."""
        owners[at] = key
        if note:
            self._note(section, at, key, note, None)
        if error:
            self._problem(at, "comment", error)

    def _note(self, section: SectionName, at: int, key: str, note: str, part: str | None) -> None:
        self.kept.append(Kept(text=note, place="line", section=section, after=key, part=part, line=at + 1))

    def _problem(self, at: int, code: ProblemCode, message: str) -> None:
        self.problems.append(Problem(line=at + 1, code=code, message=message))

    def _keep(self, section: SectionName, region: Region, owners: Mapping[int, str]) -> None:
        """Keeps, block by block, the lines of a region that no entry owns."""
        after: str | None = None
        block: list[int] = []
        for at in range(region.start, region.end):
            if at in owners:
                self._keep_block(section, region, after, block, is_last=False)
                block = []
                after = owners[at]
            elif self.lines[at].strip():
                block.append(at)
        self._keep_block(section, region, after, block, is_last=True)

    def _keep_block(self, section: SectionName, region: Region, after: str | None, block: list[int], *, is_last: bool) -> None:
        if not block:
            return
        first, last = block[0], block[-1]
        blank_before = first > region.start and not self.lines[first - 1].strip()
        blank_after = last + 1 < region.end and not self.lines[last + 1].strip()
        if after is None:
            kept = Kept(text="", place="section start", section=section)
        elif is_last and blank_before:
            kept = Kept(text="", place="section end", section=section)
        else:
            kept = Kept(text="", place="entry", section=section, after=after)
        text = "\n".join(self.lines[first : last + 1])
        self.kept.append(replace(kept, text=text, blank_before=blank_before, blank_after=blank_after, line=first + 1))
