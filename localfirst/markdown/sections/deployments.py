"""The deployments of a status file: headings with lines below them, tables, or one that the section itself is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from localfirst.markdown.capitals import words_behind
from localfirst.markdown.deployment import Block, as_heading, read_deployment_row, read_titled_deployment
from localfirst.markdown.document import Deployment, entry_key
from localfirst.markdown.labelled import read_labelled
from localfirst.markdown.outline import Region
from localfirst.markdown.sections.page import Page, located, spans
from localfirst.markdown.table import read_table


class Deployments:
    """What has been read of the sections of deployments."""

    def __init__(self, page: Page, read_deployment: Callable[[Sequence[str]], Block | None]) -> None:
        self._page = page
        self._read_deployment = read_deployment
        self.entries: list[Deployment] = []

    def read(self, region: Region) -> None:
        """A deployment runs from its heading, or from a list item with day and PR, to the next."""
        owners: dict[int, str] = {}
        candidates = self._page.candidates(region)
        starts = [at for at in candidates if as_heading(self._page.lines[at]) is not None]
        taken = -1
        for at in candidates:
            if at > taken and self._page.lines[at].lstrip().startswith("|"):
                taken = self._deployment_table(region, at, owners)
        self._latest_deployment(region, starts[0] if starts else region.end, owners)
        for start, end in pairwise([*starts, region.end]):
            visible = [at for at in range(start, end) if not self._page.hidden[at]]
            lines = [as_heading(self._page.lines[start]) or "", *(self._page.lines[at] for at in visible[1:])]
            read = self._read_deployment(lines) or read_titled_deployment(lines)
            if read is not None:
                self._deployment(read, visible, owners)
        self._page.keep("deployments", region, owners)

    def _deployment_table(self, region: Region, start: int, owners: dict[int, str]) -> int:
        """A table with one deployment per row; returns its last line, or the line itself where it begins none."""
        table = read_table(self._page.lines, start, region.end)
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
            self.entries.append(located(deployment, spans(lines)))
            if note:
                self._page.note("deployments", row.at, key, f" {note}", "heading")
        return table.last if table else start

    def _latest_deployment(self, region: Region, end: int, owners: dict[int, str]) -> None:
        """The deployment that has no heading of its own: it is titled by the section's, or by its first line."""
        visible = [
            at
            for at in range(region.start, end)
            if self._page.lines[at].strip() and not self._page.hidden[at] and at not in owners
        ]
        if not visible:
            return
        heading = self._page.headings.get(region.start)
        title = words_behind(heading.text) if heading else ""
        is_untitled = title or read_labelled(self._page.lines[visible[0]]) is not None
        numbers = [region.start - 1, *visible] if is_untitled else visible
        first = title if is_untitled else self._page.lines[visible[0]]
        read = read_titled_deployment([first, *(self._page.lines[at] for at in numbers[1:])])
        if read is not None:
            self._deployment(read, numbers, owners, is_untitled=bool(is_untitled))

    def _deployment(self, read: Block, visible: Sequence[int], owners: dict[int, str], *, is_untitled: bool = False) -> None:
        """Takes a deployment in; the first line of an untitled one is the section's heading."""
        numbers = [visible[index] for index in read.used if index or not is_untitled]
        key = entry_key(read.deployment)
        owners.update(dict.fromkeys(numbers, key))
        self.entries.append(located(read.deployment, spans(numbers)))
        for index, part, note in read.notes:
            self._page.note("deployments", visible[index], key, note, part)
        for index, error in read.errors:
            self._page.problem(visible[index], "value", error)
