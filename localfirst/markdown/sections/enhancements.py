"""The enhancements of a status file: list items, alone or in groups by priority, tables, or headings with text below them."""

from __future__ import annotations

from localfirst.markdown.document import Enhancement
from localfirst.markdown.enhancement import read_enhancement
from localfirst.markdown.enhancement_block import read_enhancement_block, read_enhancement_row, read_group
from localfirst.markdown.outline import Region
from localfirst.markdown.sections.page import Page, located, spans
from localfirst.markdown.table import read_table

NESTED_INDENT = 2
"""A list item of this many blanks more than its section's first one belongs to the item above it."""


class Enhancements:
    """What has been read of the sections of enhancements."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.entries: list[Enhancement] = []

    def read(self, region: Region) -> None:
        """One enhancement per list item, row or block, except for items nested in one."""
        owners: dict[int, str] = {}
        first_indent: int | None = None
        group: tuple[int, str] | None = None
        taken = -1
        for at in self._page.candidates(region):
            line = self._page.lines[at]
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
            self.entries.append(located(enhancement, spans(lines)))
            owners.update(dict.fromkeys(lines, enhancement.title))
            self._page.single("enhancements", owners, at, enhancement.title, read.note, read.error)
        self._page.keep("enhancements", region, owners)

    def _enhancement_block(self, region: Region, start: int, owners: dict[int, str]) -> int:
        """A heading with what stands below it; returns the last line that was read."""
        visible = self._page.block(region, start)
        read = read_enhancement_block([self._page.lines[at] for at in visible])
        if read is None:
            return start
        numbers = [visible[index] for index in read.used]
        self.entries.append(located(read.enhancement, spans(numbers)))
        owners.update(dict.fromkeys(numbers, read.enhancement.title))
        return visible[-1]

    def _enhancement_table(self, region: Region, start: int, owners: dict[int, str]) -> int:
        """A table with one enhancement per row; returns its last line, or the line itself where it begins none."""
        table = read_table(self._page.lines, start, region.end)
        head = [start, start + 1]
        for row in table.rows if table else ():
            read = read_enhancement_row(row.cells)
            if read is None:
                continue
            lines = [*head, row.at]
            head = []
            self.entries.append(located(read.enhancement, spans(lines)))
            owners.update(dict.fromkeys(lines, read.enhancement.title))
            note = f" {read.note}" if read.note else ""
            self._page.single("enhancements", owners, lines[-1], read.enhancement.title, note, None)
        return table.last if table else start
