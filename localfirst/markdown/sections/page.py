"""The lines of a status file while its sections are read: what was taken from them, and what is kept because nobody took it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TypeVar

from localfirst.markdown.document import (
    Deployment,
    Enhancement,
    Entry,
    Kept,
    Problem,
    ProblemCode,
    SectionName,
    Session,
    Span,
    Vendor,
    WorkItem,
)
from localfirst.markdown.outline import Outline, Region

E = TypeVar("E", bound=Entry)

_FIELD_NAMES: dict[type[Entry], tuple[str, ...]] = {
    kind: tuple(item.name for item in fields(kind)) for kind in (Vendor, Deployment, Enhancement, Session, WorkItem)
}


def located(entry: E, lines: tuple[Span, ...]) -> E:
    """The entry as it stands in these lines. `dataclasses.replace` takes three times as long: too long for every line."""
    copy = object.__new__(type(entry))
    for name in _FIELD_NAMES[type(entry)]:
        object.__setattr__(copy, name, getattr(entry, name))
    object.__setattr__(copy, "lines", lines)
    return copy


def spans(lines: Sequence[int]) -> tuple[Span, ...]:
    """Each of these lines, counted from 0, as a stretch of the text."""
    return tuple((at + 1, at + 1) for at in lines)


class Page:
    """The lines of a file, counted from 0. `owners` says by line which entry was read from it, by the entry's key.

    Attributes:
        hidden: by line, whether it stands in a code block.
        headings: of the sections, by the line below each.
        kept: what no entry was read from.
        problems: what a person should look at.
    """

    def __init__(self, lines: list[str], plan: Outline) -> None:
        self.lines = lines
        self.hidden = plan.hidden
        self.headings = {heading.line - 1 + heading.height: heading for heading in plan.headings if heading.section}
        self.kept: list[Kept] = []
        self.problems: list[Problem] = []

    def candidates(self, region: Region) -> list[int]:
        """The lines of a region that may be entries: not blank, and in no code block."""
        return [at for at in range(region.start, region.end) if self.lines[at] and not self.hidden[at]]

    def block(self, region: Region, start: int) -> list[int]:
        """The visible lines of a block: from its heading to the next heading."""
        visible = [start]
        for at in range(start + 1, region.end):
            if not self.hidden[at]:
                if self.lines[at].lstrip().startswith("###"):
                    break
                visible.append(at)
        return visible

    def single(self, section: SectionName, owners: dict[int, str], at: int, key: str, note: str, error: str | None) -> None:
        """What every entry of one line needs."""
        owners[at] = key
        if note:
            self.note(section, at, key, note, None)
        if error:
            self.problem(at, "comment", error)

    def note(self, section: SectionName, at: int, key: str, note: str, part: str | None) -> None:
        """Keeps the end of a line that an entry was read from."""
        self.kept.append(Kept(text=note, place="line", section=section, after=key, part=part, line=at + 1))

    def problem(self, at: int, code: ProblemCode, message: str) -> None:
        """Something in a line that a person should look at."""
        self.problems.append(Problem(line=at + 1, code=code, message=message))

    def keep_whole(self, region: Region) -> None:
        """Keeps a region as it is, without the blank lines around it."""
        filled = [at for at in range(region.start, region.end) if self.lines[at].strip()]
        if filled:
            first, last = filled[0], filled[-1]
            text = "\n".join(self.lines[first : last + 1])
            self.kept.append(
                Kept(text=text, place="outside", section=region.section, blank_before=True, blank_after=True, line=first + 1)
            )

    def keep(self, section: SectionName, region: Region, owners: Mapping[int, str]) -> None:
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
