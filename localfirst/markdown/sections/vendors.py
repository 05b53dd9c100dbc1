"""The vendors of a status file: lines, tables, or headings with labelled lines below them."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import normalize

from localfirst.markdown.document import Kept, Vendor
from localfirst.markdown.outline import Region
from localfirst.markdown.sections.page import Page, located, spans
from localfirst.markdown.table import read_table
from localfirst.markdown.vendor import VendorLine, continues, read_vendor
from localfirst.markdown.vendor_block import read_vendor_block, read_vendor_row


class Vendors:
    """What has been read of the sections of vendors."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._vendor_names: dict[str, str] = {}
        self.entries: list[Vendor] = []

    def read(self, region: Region) -> None:
        """One vendor per line, row or block; a second one of a name is kept, not read."""
        owners: dict[int, str] = {}
        taken = -1
        for at in self._page.candidates(region):
            line = self._page.lines[at]
            if at <= taken:
                continue
            if line.lstrip().startswith("###"):
                taken = self._vendor_block(region, at, owners)
            elif line.lstrip().startswith("|"):
                taken = self._vendor_table(region, at, owners)
            elif at not in owners and (read := read_vendor(line)) is not None:
                end = at + 1
                while end < region.end and not self._page.hidden[end] and continues(self._page.lines[end]):
                    whole = read_vendor(" ".join((line, *map(str.strip, self._page.lines[at + 1 : end + 1]))))
                    if read.note or whole is None or whole.note:
                        break
                    read = whole
                    end += 1
                self._vendor(read, range(at, end), owners)
        self._page.keep("vendors", region, owners)

    def _vendor(self, read: VendorLine, lines: Sequence[int], owners: dict[int, str]) -> bool:
        """Takes a vendor in, unless one of its name is there; the note stands behind the last of the lines."""
        name = normalize("NFC", read.vendor.name)
        first = self._vendor_names.get(name)
        if first is not None:
            owners.update(dict.fromkeys(lines, first))
            text = "\n".join(self._page.lines[at] for at in lines)
            self._page.kept.append(Kept(text=text, place="entry", section="vendors", after=first, line=lines[0] + 1))
            self._page.problem(lines[0], "duplicate", f"the vendor {first!r} is given twice; the first line counts")
            return False
        self._vendor_names[name] = read.vendor.name
        self.entries.append(located(read.vendor, spans(lines)))
        owners.update(dict.fromkeys(lines, read.vendor.name))
        self._page.single("vendors", owners, lines[-1], read.vendor.name, read.note, read.error)
        return True

    def _vendor_block(self, region: Region, start: int, owners: dict[int, str]) -> int:
        """A heading with labelled lines below it; returns the last line that can be no vendor of its own."""
        visible = self._page.block(region, start)
        read = read_vendor_block([self._page.lines[at] for at in visible])
        if read is None or normalize("NFC", read.vendor.name) in self._vendor_names:
            return start
        numbers = [visible[index] for index in read.used]
        if self._vendor(VendorLine(read.vendor, ""), numbers, owners):
            for index, note in read.notes:
                self._page.note("vendors", visible[index], read.vendor.name, f" {note}", None)
        behind = [at for at in visible if at > numbers[-1]]
        return next((at for at in behind if not self._page.lines[at].strip()), visible[-1])

    def _vendor_table(self, region: Region, start: int, owners: dict[int, str]) -> int:
        """A table with one vendor per row; returns its last line, or the line itself where it begins none."""
        table = read_table(self._page.lines, start, region.end)
        head = [start, start + 1]
        for row in table.rows if table else ():
            read = read_vendor_row(row.cells)
            if read is None or normalize("NFC", read[0].name) in self._vendor_names:
                continue
            note = f" {read[1]}" if read[1] else ""
            self._vendor(VendorLine(read[0], note), [*head, row.at], owners)
            head = []
        return table.last if table else start
