"""The work items of a status file: lines, or headings with labelled lines below them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from localfirst.markdown.document import WorkItem, entry_key
from localfirst.markdown.outline import Region
from localfirst.markdown.sections.page import Page, located, spans
from localfirst.markdown.work_item import WorkItemLine
from localfirst.markdown.work_item_block import read_work_item_block


class WorkItems:
    """What has been read of the sections of work items."""

    def __init__(self, page: Page, read_work_item: Callable[[str], WorkItemLine | None]) -> None:
        self._page = page
        self._read_work_item = read_work_item
        self.entries: list[WorkItem] = []

    def read(self, region: Region) -> None:
        """One work item per line or block."""
        owners: dict[int, str] = {}
        above: list[tuple[int, str]] = []
        for at in self._page.candidates(region):
            line = self._page.lines[at]
            if line.lstrip().startswith("###"):
                self._work_item_block(region, at, owners, above)
                continue
            read = self._read_work_item(line)
            if read is not None:
                self.entries.append(located(read.item, ((at + 1, at + 1),)))
                self._page.single("work_items", owners, at, entry_key(read.item), read.note, read.error)
        self._page.keep("work_items", region, owners)

    def _work_item_block(self, region: Region, start: int, owners: dict[int, str], above: list[tuple[int, str]]) -> None:
        """A heading with labelled lines below it. One that is indented and names no parent is below what is above it."""
        visible = self._page.block(region, start)
        read = read_work_item_block([self._page.lines[at] for at in visible])
        if read is None:
            return
        item = read.item
        indent = len(self._page.lines[start]) - len(self._page.lines[start].lstrip())
        while above and above[-1][0] >= indent:
            above.pop()
        if above and item.parent_title is None:
            item = replace(item, parent_title=above[-1][1])
        above.append((indent, item.title))
        numbers = [visible[index] for index in read.used]
        self.entries.append(located(item, spans(numbers)))
        owners.update(dict.fromkeys(numbers, entry_key(item)))
