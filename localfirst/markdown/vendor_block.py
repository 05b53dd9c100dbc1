"""One vendor as hand-kept files have it: a heading, and labelled lines or a row of a table instead of one line.

    ### AMINA ✅ Operational
    - **Tests**: 42/45 passing (3 skipped)
    - **Formats**: Excel, CSV
    - **Version**: 1.2.0

A heading is a vendor's when it or a line below it says the status. What a value says beyond what a vendor holds is a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from localfirst.markdown.document import Vendor
from localfirst.markdown.labelled import labelled_lines, read_block_heading, without_emphasis
from localfirst.markdown.vendor import FORMATS, read_vendor

PARTS = {
    "status": "status",
    "state": "status",
    "tests": "tests",
    "test results": "tests",
    "test status": "tests",
    "test coverage": "tests",
    "formats": "formats",
    "format support": "formats",
    "supported formats": "formats",
    "version": "version",
    "extractor version": "version",
}

_MARKS = {"✅": True, "✔": True, "✓": True, "🟢": True, "❌": False, "✗": False, "✘": False, "🔴": False}
_LEADING_MARK = re.compile(r"[^\w\s(\[*_`]{1,3}")
_MARK = re.compile(r"[✅✔✓🟢❌✗✘🔴🚧⚠🟡]\ufe0f?")
_IN_BRACKETS = re.compile(r"(?P<name>.+) \((?P<status>[^()]{1,40})\)$")
_TESTS = re.compile(r"\(?([0-9]{1,15})\s?(?:/|of)\s?([0-9]{1,15})\b\)?")
_SKIPPED = re.compile(r"\b([0-9]{1,15})\sskipped\b", re.IGNORECASE)
_WORDS_OF_TESTS = re.compile(r"\b(?:tests?|pass(?:ed|ing))\b|[\s(),;]+", re.IGNORECASE)
_VERSION = re.compile(r"v?([0-9][^\s<>()\[\],;]{0,49})", re.IGNORECASE)
_NOTHING = frozenset({"", "-", "–", "—"})
_TABLE_NAMES = frozenset({"vendor", "name", "vendor name", "extractor"})


class VendorBlock(NamedTuple):
    """A vendor, the lines of the block that say it, and what is left of each of them."""

    vendor: Vendor
    used: tuple[int, ...]
    notes: tuple[tuple[int, str], ...] = ()


def read_vendor_block(lines: Sequence[str]) -> VendorBlock | None:
    """The vendor whose heading is the first of the lines, None where nothing says that it is one."""
    words = read_block_heading(lines[0])
    if words is None:
        return None
    parts = {one.label: one for one in labelled_lines(lines, PARTS)}
    heading = read_vendor(f"- {words}")
    if heading is not None:
        vendor, note, has_status = heading.vendor, heading.note.strip(), True
    else:
        vendor, has_status = _named(words)
        note = ""
    notes = [(0, note)] if note else []
    used = [0]
    if "status" in parts and heading is None:
        one = parts.pop("status")
        vendor, rest = _with_status(vendor, one.value)
        has_status = True
        used.append(one.at)
        notes += [(one.at, rest)] if rest else []
    if not has_status:
        return None
    for one in parts.values():
        if (read := _with_part(vendor, one.label, one.value)) is not None:
            vendor, rest = read
            used.append(one.at)
            notes += [(one.at, rest)] if rest else []
    return VendorBlock(vendor, tuple(sorted(used)), tuple(notes))


def read_vendor_row(cells: Mapping[str, str]) -> tuple[Vendor, str] | None:
    """The vendor in a row of a table, given by its columns' names in small letters, and what else the row says."""
    names = [name for name in cells if name in _TABLE_NAMES]
    if not names or not without_emphasis(cells[names[0]]) or "status" not in cells:
        return None
    vendor, rest = _with_status(Vendor(name=without_emphasis(cells[names[0]])), cells["status"])
    left = [rest] if rest else []
    for name, value in cells.items():
        if name == names[0] or name == "status" or value in _NOTHING:
            continue
        part = PARTS.get(name)
        read = _with_part(vendor, part, value) if part else None
        if read is None:
            left.append(f"{name}: {value}")
        else:
            vendor = read[0]
            left += [read[1]] if read[1] else []
    return vendor, "; ".join(left)


def _named(words: str) -> tuple[Vendor, bool]:
    """A vendor by a heading: `Amber Life ✅ OPERATIONAL`, `✅ Amber Life`, `Amber Life (planned)`, or the name alone."""
    mark = _MARK.search(words)
    if mark is not None:
        before, behind = without_emphasis(words[: mark.start()].rstrip(" -–—:(")), words[mark.end() :].strip(" )")
        sign = _MARKS.get(mark[0].rstrip("\ufe0f"))
        said = read_vendor(f"- {before}: {behind}") if before and behind else None
        if said is not None and not said.note and said.vendor.name == before:
            return said.vendor, True
        if sign is not None and bool(before) != bool(behind):
            return Vendor(name=without_emphasis(before or behind), operational=sign), True
    found = _IN_BRACKETS.match(words)
    said = read_vendor(f"- {without_emphasis(found['name'])}: {found['status']}") if found else None
    if said is not None and not said.note:
        return said.vendor, True
    return Vendor(name=without_emphasis(words)), False


def _with_status(vendor: Vendor, text: str) -> tuple[Vendor, str]:
    """The vendor with a status in words or as a mark, and the rest of the text."""
    words = without_emphasis(text)
    found = read_vendor(f"- x: {words}")
    if found is not None:
        said = found.vendor
        return (
            replace(
                vendor,
                operational=said.operational,
                status_text=said.status_text,
                test_results=said.test_results,
                format_support=said.format_support,
                extractor_version=said.extractor_version,
            ),
            found.note.strip(),
        )
    mark = _LEADING_MARK.match(words)
    if mark is not None and (known := _MARKS.get(mark[0].rstrip("\ufe0f"))) is not None:
        return replace(vendor, operational=known), words[mark.end() :].strip()
    return replace(vendor, operational=None, status_text=words or None), ""


def _with_part(vendor: Vendor, part: str, text: str) -> tuple[Vendor, str] | None:
    """The vendor with one more value and the rest of its text, None where it has the value or the text is none."""
    words = without_emphasis(text)
    match part:
        case "tests" if vendor.test_results is None and (found := _TESTS.search(words)):
            tests = {"passing": int(found[1]), "total": int(found[2])}
            rest = words[: found.start()] + words[found.end() :]
            if skipped := _SKIPPED.search(rest):
                tests["skipped"] = int(skipped[1])
                rest = rest[: skipped.start()] + rest[skipped.end() :]
            return replace(vendor, test_results=tests), words if _WORDS_OF_TESTS.sub("", rest) else ""
        case "formats" if vendor.format_support is None:
            listed, _, remark = words.strip("[]").partition("(")
            names = {name.strip(" `*").lower() for name in re.split(r"[,/+&]|\band\b", listed)} - {""}
            names -= {"none"}
            if names <= FORMATS.keys():
                return replace(vendor, format_support={name: name in names for name in FORMATS}), f"({remark}" if remark else ""
        case "version" if vendor.extractor_version is None and (found := _VERSION.match(words)):
            return replace(vendor, extractor_version=found[1]), words[found.end() :].strip()
    return None
