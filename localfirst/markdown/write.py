"""Writes a status file: `render` gives the text that `parse` reads as the same document.

Entries are written by the modules that read them. Kept texts go back to their places: a note to the end of its line, a
block under its entry, or, where that entry is gone, to the end of its section.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from localfirst.markdown.deployment import write_deployment
from localfirst.markdown.document import (
    SECTIONS,
    Entry,
    Kept,
    SectionName,
    StatusDocument,
    entry_key,
)
from localfirst.markdown.enhancement import write_enhancement
from localfirst.markdown.session import write_session
from localfirst.markdown.source import BYTE_ORDER_MARK
from localfirst.markdown.vendor import write_vendor
from localfirst.markdown.work_item import write_work_item

TITLES: dict[SectionName, str] = {
    "vendors": "Vendors",
    "deployments": "Deployments",
    "enhancements": "Future Enhancements",
    "sessions": "Session Prompts",
    "work_items": "Work Items",
}

_Notes = dict[str, str]
"""Notes behind the lines of an entry, by part; the part of a one-line entry is the empty text."""

_Writer = Callable[[Any, _Notes, bool], list[str]]
"""Writes one entry with its notes; the last argument says whether it is its section's last one."""

_WRITERS: dict[SectionName, _Writer] = {
    "vendors": lambda entry, notes, is_last: [write_vendor(entry, notes.get("", ""))],
    "deployments": lambda entry, notes, is_last: write_deployment(entry, notes),
    "enhancements": lambda entry, notes, is_last: [write_enhancement(entry, notes.get("", ""))],
    "sessions": lambda entry, notes, is_last: write_session(entry, notes.get("heading", ""), is_last=is_last),
    "work_items": lambda entry, notes, is_last: [write_work_item(entry, notes.get("", ""))],
}

MEMORY_LIMIT_ENTRIES = 8192

_memory: dict[tuple[SectionName, bytes, bool], tuple[str, ...]] = {}
"""The lines of entries, by section, content and whether it is the section's last; emptied when it is full."""


def render(document: StatusDocument) -> str:
    """The text of a document, in its layout, every kept text included."""
    page = _Page()
    if document.layout.title is not None:
        page.put(document.layout.title)
    page.outside(kept for kept in document.kept if kept.place == "outside" and kept.section is None)
    for section in section_order(document):
        page.blank()
        _write_section(page, document, section)
    text = page.text()
    if document.layout.newline != "\n":
        text = text.replace("\n", document.layout.newline)
    return BYTE_ORDER_MARK + text if document.layout.byte_order_mark else text


def section_order(document: StatusDocument) -> list[SectionName]:
    """The sections to write: the layout's, and each other one that holds something, after those that usually precede it."""
    order = list(dict.fromkeys(document.layout.sections))
    kept = {kept.section for kept in document.kept}
    for index, section in enumerate(SECTIONS):
        if section not in order and (getattr(document, section) or section in kept):
            before = [order.index(name) for name in SECTIONS[:index] if name in order]
            order.insert(max(before, default=-1) + 1, section)
    return order


def _written(section: SectionName, entry: Entry, notes: _Notes, is_last: bool) -> tuple[str, ...]:
    """The lines of an entry, remembered: from one writing of a file to the next few entries change."""
    try:
        key = (section, msgspec.msgpack.encode((entry, notes)), is_last)
    except (ValueError, OverflowError, TypeError, RecursionError):
        return tuple(_WRITERS[section](entry, notes, is_last))
    lines = _memory.get(key)
    if lines is None:
        if len(_memory) >= MEMORY_LIMIT_ENTRIES:
            _memory.clear()
        lines = _memory[key] = tuple(_WRITERS[section](entry, notes, is_last))
    return lines


class _Page:
    """Lines, with at most one blank one between two others where we put it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._blank = False

    def blank(self) -> None:
        """Asks for a blank line before the next one."""
        self._blank = bool(self.lines)

    def put(self, *lines: str) -> None:
        """Puts lines, after the blank one that was asked for."""
        if self._blank and lines:
            self.lines.append("")
            self._blank = False
        self.lines.extend(lines)

    def block(self, kept: Kept) -> None:
        """Puts a kept text with the blank lines that it had around it."""
        if kept.blank_before:
            self.blank()
        self.put(*kept.text.split("\n"))
        if kept.blank_after:
            self.blank()

    def outside(self, blocks: Iterable[Kept]) -> None:
        """Puts texts that belong to no section."""
        for kept in blocks:
            self.blank()
            self.block(kept)

    def text(self) -> str:
        """All lines, each with its end."""
        return "\n".join(self.lines) + "\n" if self.lines else ""


def _write_section(page: _Page, document: StatusDocument, section: SectionName) -> None:
    """The heading with its count, or a person's own, the entries, and what is kept among and after them."""
    found: Sequence[Entry] = getattr(document, section)
    kept = [block for block in document.kept if block.section == section]
    waiting: dict[str | None, list[Kept]] = {}
    for block in kept:
        if block.place in ("line", "entry"):
            waiting.setdefault(block.after, []).append(block)
    apart = section in ("deployments", "sessions")

    own = dict(document.layout.headings).get(section)
    page.put(*(own.split("\n") if own else (f"## {TITLES[section]} ({len(found)} total)",)))
    for block in kept:
        if block.place == "section start":
            page.block(block)
    for number, entry in enumerate(found, 1):
        notes_of = waiting.pop(entry_key(entry), []) if waiting else []
        if apart and number > 1:
            page.blank()
        notes: _Notes = {}
        for block in notes_of:
            if block.place == "line":
                notes[block.part or ""] = notes.get(block.part or "", "") + block.text
        page.put(*_written(section, entry, notes, number == len(found)))
        for block in notes_of:
            if block.place == "entry":
                page.block(block)
    for blocks in waiting.values():
        for block in blocks:
            page.blank()
            page.put(*block.text.strip("\n").split("\n"))
    for block in kept:
        if block.place == "section end":
            page.blank()
            page.block(block)
    page.outside(block for block in kept if block.place == "outside")
