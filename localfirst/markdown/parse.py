"""Reads a status file: `parse` takes any text and never raises.

Each section's reader says which lines its entries were read from; every other line that is not blank is kept, word
for word, with the place where it stood. So no line can be lost by not being understood.

Older and hand-kept files have blocks and tables where the format has lines: they are read where they stand, entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from itertools import pairwise
from typing import NamedTuple, TypeVar
from unicodedata import normalize

from localfirst.markdown.capitals import is_in_capitals, words_behind
from localfirst.markdown.deployment import Block as DeploymentBlock
from localfirst.markdown.deployment import as_heading, read_deployment, read_deployment_row, read_titled_deployment
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
from localfirst.markdown.enhancement_block import read_enhancement_block, read_enhancement_row, read_group
from localfirst.markdown.labelled import read_labelled
from localfirst.markdown.outline import Outline, Region, outline
from localfirst.markdown.session import Block, read_session
from localfirst.markdown.source import Source, split_lines
from localfirst.markdown.table import read_table
from localfirst.markdown.vendor import VendorLine, continues, read_vendor
from localfirst.markdown.vendor_block import read_vendor_block, read_vendor_row
from localfirst.markdown.work_item import WorkItemLine, read_work_item
from localfirst.markdown.work_item_block import read_work_item_block

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
    reading = _Reading(source.lines, plan, readers)
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


def _spans(lines: Sequence[int]) -> tuple[Span, ...]:
    """Each of these lines, counted from 0, as a stretch of the text."""
    return tuple((at + 1, at + 1) for at in lines)


def _layout(source: Source, plan: Outline) -> Layout:
    """How the file is laid out; a blank text is laid out like a new file."""
    if not any(line.strip() for line in source.lines):
        return Layout(newline=source.newline, byte_order_mark=source.byte_order_mark)
    titles = [heading.text for heading in plan.headings if heading.section is None]
    sections = dict.fromkeys(region.kind for region in plan.regions if region.kind != "foreign")
    first = {heading.section: heading for heading in reversed(plan.headings)}
    own = [heading for heading in first.values() if heading.count is None and is_in_capitals(heading.text)]
    return Layout(
        headings=tuple((heading.section, heading.text) for heading in own if heading.section is not None),
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

    def __init__(self, lines: list[str], plan: Outline, readers: Readers) -> None:
        self.readers = readers
        self.lines = lines
        self.hidden = plan.hidden
        self.headings = {heading.line - 1 + heading.height: heading for heading in plan.headings if heading.section}
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
        """One vendor per line, row or block; a second one of a name is kept, not read."""
        owners: dict[int, str] = {}
        taken = -1
        for at in self._candidates(region):
            line = self.lines[at]
            if at <= taken:
                continue
            if line.lstrip().startswith("###"):
                taken = self._vendor_block(region, at, owners)
            elif line.lstrip().startswith("|"):
                taken = self._vendor_table(region, at, owners)
            elif at not in owners and (read := read_vendor(line)) is not None:
                end = at + 1
                while end < region.end and not self.hidden[end] and continues(self.lines[end]):
                    whole = read_vendor(" ".join((line, *map(str.strip, self.lines[at + 1 : end + 1]))))
                    if read.note or whole is None or whole.note:
                        break
                    read = whole
                    end += 1
                self._vendor(read, range(at, end), owners)
        self._keep("vendors", region, owners)

    def _vendor(self, read: VendorLine, lines: Sequence[int], owners: dict[int, str]) -> bool:
        """Takes a vendor in, unless one of its name is there; the note stands behind the last of the lines."""
        name = normalize("NFC", read.vendor.name)
        first = self._vendor_names.get(name)
        if first is not None:
            owners.update(dict.fromkeys(lines, first))
            text = "\n".join(self.lines[at] for at in lines)
            self.kept.append(Kept(text=text, place="entry", section="vendors", after=first, line=lines[0] + 1))
            self._problem(lines[0], "duplicate", f"the vendor {first!r} is given twice; the first line counts")
            return False
        self._vendor_names[name] = read.vendor.name
        self.vendors.append(_located(read.vendor, _spans(lines)))
        owners.update(dict.fromkeys(lines, read.vendor.name))
        self._single("vendors", owners, lines[-1], read.vendor.name, read.note, read.error)
        return True

    def _vendor_block(self, region: Region, start: int, owners: dict[int, str]) -> int:
        """A heading with labelled lines below it; returns the last line that can be no vendor of its own."""
        visible = self._block(region, start)
        read = read_vendor_block([self.lines[at] for at in visible])
        if read is None or normalize("NFC", read.vendor.name) in self._vendor_names:
            return start
        numbers = [visible[index] for index in read.used]
        if self._vendor(VendorLine(read.vendor, ""), numbers, owners):
            for index, note in read.notes:
                self._note("vendors", visible[index], read.vendor.name, f" {note}", None)
        behind = [at for at in visible if at > numbers[-1]]
        return next((at for at in behind if not self.lines[at].strip()), visible[-1])

    def _vendor_table(self, region: Region, start: int, owners: dict[int, str]) -> int:
        """A table with one vendor per row; returns its last line, or the line itself where it begins none."""
        table = read_table(self.lines, start, region.end)
        head = [start, start + 1]
        for row in table.rows if table else ():
            read = read_vendor_row(row.cells)
            if read is None or normalize("NFC", read[0].name) in self._vendor_names:
                continue
            note = f" {read[1]}" if read[1] else ""
            self._vendor(VendorLine(read[0], note), [*head, row.at], owners)
            head = []
        return table.last if table else start

    def enhancement_lines(self, region: Region) -> None:
        """One enhancement per list item, row or block, except for items nested in one."""
        owners: dict[int, str] = {}
        first_indent: int | None = None
        group: tuple[int, str] | None = None
        taken = -1
        for at in self._candidates(region):
            line = self.lines[at]
            if at <= taken:
                continue
            if (priority := read_group(line)) is not None:
                group, first_indent = (at, priority), None
                continue
            if line.lstrip().startswith("###"):
                group, first_indent = None, None
                taken = self._enhancement_block(region, at, owners)
                continue
            if line.lstrip().startswith("|") and (last := self._enhancement_table(region, at, owners)) > at:
                taken = last
                continue
            read = read_enhancement(line, group[1] if group else None)
            if read is None:
                continue
            indent = len(line) - len(line.lstrip())
            nested = first_indent is not None and indent >= first_indent + NESTED_INDENT
            if nested and (read.enhancement.priority is None or group is not None):
                continue
            first_indent = indent if first_indent is None else first_indent
            lines = [at] if group is None or group[0] in owners else [group[0], at]
            enhancement = read.enhancement
            self.enhancements.append(_located(enhancement, _spans(lines)))
            owners.update(dict.fromkeys(lines, enhancement.title))
            self._single("enhancements", owners, at, enhancement.title, read.note, read.error)
        self._keep("enhancements", region, owners)

    def _enhancement_block(self, region: Region, start: int, owners: dict[int, str]) -> int:
        """A heading with what stands below it; returns the last line that was read."""
        visible = self._block(region, start)
        read = read_enhancement_block([self.lines[at] for at in visible])
        if read is None:
            return start
        numbers = [visible[index] for index in read.used]
        self.enhancements.append(_located(read.enhancement, _spans(numbers)))
        owners.update(dict.fromkeys(numbers, read.enhancement.title))
        return visible[-1]

    def _enhancement_table(self, region: Region, start: int, owners: dict[int, str]) -> int:
        """A table with one enhancement per row; returns its last line, or the line itself where it begins none."""
        table = read_table(self.lines, start, region.end)
        head = [start, start + 1]
        for row in table.rows if table else ():
            read = read_enhancement_row(row.cells)
            if read is None:
                continue
            lines = [*head, row.at]
            head = []
            self.enhancements.append(_located(read.enhancement, _spans(lines)))
            owners.update(dict.fromkeys(lines, read.enhancement.title))
            note = f" {read.note}" if read.note else ""
            self._single("enhancements", owners, lines[-1], read.enhancement.title, note, None)
        return table.last if table else start

    def work_item_lines(self, region: Region) -> None:
        """One work item per line or block."""
        owners: dict[int, str] = {}
        above: list[tuple[int, str]] = []
        for at in self._candidates(region):
            line = self.lines[at]
            if line.lstrip().startswith("###"):
                self._work_item_block(region, at, owners, above)
                continue
            read = self.readers.work_item(line)
            if read is not None:
                self.work_items.append(_located(read.item, ((at + 1, at + 1),)))
                self._single("work_items", owners, at, entry_key(read.item), read.note, read.error)
        self._keep("work_items", region, owners)

    def _work_item_block(self, region: Region, start: int, owners: dict[int, str], above: list[tuple[int, str]]) -> None:
        """A heading with labelled lines below it. One that is indented and names no parent is below what is above it."""
        visible = self._block(region, start)
        read = read_work_item_block([self.lines[at] for at in visible])
        if read is None:
            return
        item = read.item
        indent = len(self.lines[start]) - len(self.lines[start].lstrip())
        while above and above[-1][0] >= indent:
            above.pop()
        if above and item.parent_title is None:
            item = replace(item, parent_title=above[-1][1])
        above.append((indent, item.title))
        numbers = [visible[index] for index in read.used]
        self.work_items.append(_located(item, _spans(numbers)))
        owners.update(dict.fromkeys(numbers, entry_key(item)))

    def deployment_blocks(self, region: Region) -> None:
        """A deployment runs from its heading, or from a list item with day and PR, to the next."""
        owners: dict[int, str] = {}
        candidates = self._candidates(region)
        starts = [at for at in candidates if as_heading(self.lines[at]) is not None]
        taken = -1
        for at in candidates:
            if at > taken and self.lines[at].lstrip().startswith("|"):
                taken = self._deployment_table(region, at, owners)
        self._latest_deployment(region, starts[0] if starts else region.end, owners)
        for start, end in pairwise([*starts, region.end]):
            visible = [at for at in range(start, end) if not self.hidden[at]]
            lines = [as_heading(self.lines[start]) or "", *(self.lines[at] for at in visible[1:])]
            read = self.readers.deployment(lines) or read_titled_deployment(lines)
            if read is not None:
                self._deployment(read, visible, owners)
        self._keep("deployments", region, owners)

    def _deployment_table(self, region: Region, start: int, owners: dict[int, str]) -> int:
        """A table with one deployment per row; returns its last line, or the line itself where it begins none."""
        table = read_table(self.lines, start, region.end)
        head = [start, start + 1]
        for row in table.rows if table else ():
            read = read_deployment_row(row.cells)
            if read is None:
                continue
            deployment, note = read
            lines = [*head, row.at]
            head = []
            key = entry_key(deployment)
            owners.update(dict.fromkeys(lines, key))
            self.deployments.append(_located(deployment, _spans(lines)))
            if note:
                self._note("deployments", row.at, key, f" {note}", "heading")
        return table.last if table else start

    def _latest_deployment(self, region: Region, end: int, owners: dict[int, str]) -> None:
        """The deployment that has no heading of its own: it is titled by the section's, or by its first line."""
        visible = [at for at in range(region.start, end) if self.lines[at].strip() and not self.hidden[at] and at not in owners]
        if not visible:
            return
        heading = self.headings.get(region.start)
        title = words_behind(heading.text) if heading else ""
        is_untitled = title or read_labelled(self.lines[visible[0]]) is not None
        numbers = [region.start - 1, *visible] if is_untitled else visible
        first = title if is_untitled else self.lines[visible[0]]
        read = read_titled_deployment([first, *(self.lines[at] for at in numbers[1:])])
        if read is not None:
            self._deployment(read, numbers, owners, is_untitled=bool(is_untitled))

    def _deployment(
        self, read: DeploymentBlock, visible: Sequence[int], owners: dict[int, str], *, is_untitled: bool = False
    ) -> None:
        """Takes a deployment in; the first line of an untitled one is the section's heading."""
        numbers = [visible[index] for index in read.used if index or not is_untitled]
        key = entry_key(read.deployment)
        owners.update(dict.fromkeys(numbers, key))
        self.deployments.append(_located(read.deployment, _spans(numbers)))
        for index, part, note in read.notes:
            self._note("deployments", visible[index], key, note, part)
        for index, error in read.errors:
            self._problem(visible[index], "value", error)

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

    def _block(self, region: Region, start: int) -> list[int]:
        """The visible lines of a block: from its heading to the next heading."""
        visible = [start]
        for at in range(start + 1, region.end):
            if not self.hidden[at]:
                if self.lines[at].lstrip().startswith("###"):
                    break
                visible.append(at)
        return visible

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
