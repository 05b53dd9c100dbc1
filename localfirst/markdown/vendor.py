"""One vendor, one line: `- name: operational (10/12 tests passed, 2 skipped) [Excel, CSV] v1.2.3`.

A line is a vendor's when a status word follows one of its colons, or a dash. Tests, formats and version may come in any
order and any spacing; what follows them is a note of a person's, returned beside the vendor. An older generator put tests
and formats on lines of their own below (see `continues`); files kept by hand mark the status (`✅ **Operational**`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from localfirst.markdown.comment import differing, displayed, is_plain, overlay, part_comment, write_comment
from localfirst.markdown.document import Vendor

FORMATS = {"excel": "Excel", "csv": "CSV", "pdf": "PDF", "ocr": "OCR"}

_OTHER_STATUS = (
    "planned|deprecated|degraded|partial|partially operational|unknown|retired|disabled|inactive|paused|untested"
    "|not operational|in progress|testing|failing|in development|in_development|ready for production|ready_for_production"
)
_BULLET = re.compile(r"\s*[-*+•]\s+")
_MARK = r"(?:[^\w\s()\[\]{}<>:,;.]{1,3}\s?){0,2}"
_END = r"(?:\*\*|__)?(?=[\s(\[,;.]|$)"
_STATUS = re.compile(rf":\s*{_MARK}(operational|broken|{_OTHER_STATUS}){_END}", re.IGNORECASE)
_MARKED_STATUS = re.compile(r":\s*(✅|❌)\ufe0f?\s?(?=\(?[0-9]{1,15}/[0-9])")
_DASHED_STATUS = re.compile(rf"\s[-–—]\s{_MARK}(operational|broken|planned|deprecated|in development){_END}", re.IGNORECASE)
_TESTS = re.compile(
    r"\s*\(\s*([0-9]{1,15})\s*/\s*([0-9]{1,15})(?:\s+tests?)?(?:\s+pass(?:ed|ing))?(?:\s*,\s*([0-9]{1,15})\s+skipped)?\s*\)",
    re.IGNORECASE,
)
_BARE_TESTS = re.compile(
    r"(?:\s*[-–—,;])?\s*([0-9]{1,15})\s?/\s?([0-9]{1,15})(?:\stests?(?:\spass(?:ed|ing))?|\spass(?:ed|ing))"
    r"(?:\s?[,(]\s?([0-9]{1,15})\sskipped\)?)?",
    re.IGNORECASE,
)
_FORMATS = re.compile(r"\s*\[([^\[\]]{0,200})\]")
_VERSION = re.compile(r"(?:\s*[-–—,;])?\s*\bv([0-9][^\s<>()\[\],;]{0,49})(?=[\s,;]|$)")
_PLAIN_VERSION = re.compile(r"[0-9][^\s<>()\[\]]{0,49}")


_KNOWN = {"operational": True, "broken": False, "✅": True, "❌": False}

_LABELS = frozenset({"status", "state", "overall status", "production status", "current status"})
"""Bold words before a status that name no vendor."""


class VendorLine(NamedTuple):
    """A vendor, the note behind it with the blanks before it, and what is wrong with its comment."""

    vendor: Vendor
    note: str
    error: str | None = None


def read_vendor(line: str) -> VendorLine | None:
    """The vendor in a line, None where the line is none's."""
    bullet = _BULLET.match(line)
    if bullet is None:
        return None
    text, data, error = part_comment(line[bullet.end() :])
    plain = _read_plain(text)
    if plain is None or data is None:
        return plain and plain._replace(error=error)
    try:
        return plain._replace(vendor=overlay(plain.vendor, data))
    except ValueError as reason:
        plain = _read_plain(line[bullet.end() :])
        return plain and plain._replace(error=str(reason))


def _read_plain(text: str) -> VendorLine | None:
    status = _STATUS.search(text) or _DASHED_STATUS.search(text) or _MARKED_STATUS.search(text)
    if status is None:
        return None
    name = text[: status.start()].strip()
    if len(name) > 4 and name.startswith("**") and name.endswith("**"):
        name = name[2:-2].strip()
        if name.lower() in _LABELS:
            return None
    return VendorLine(*_read_details(name, status[1], text[status.end() :])) if name else None


def continues(line: str) -> bool:
    """Whether a line can be the rest of the vendor above it: indented, and tests, formats or a version."""
    text = line.strip()
    return text != line.rstrip() and (
        _TESTS.fullmatch(text) is not None or _FORMATS.fullmatch(text) is not None or _VERSION.fullmatch(text) is not None
    )


def _read_details(name: str, status: str, rest: str) -> tuple[Vendor, str]:
    """Takes tests, formats and version off the front of `rest`, each at most once."""
    tests: dict[str, int] | None = None
    formats: dict[str, bool] | None = None
    version: str | None = None
    while True:
        if tests is None and (found := _TESTS.match(rest) or _BARE_TESTS.match(rest)):
            tests = {"passing": int(found[1]), "total": int(found[2])}
            if found[3] is not None:
                tests["skipped"] = int(found[3])
        elif formats is None and (found := _FORMATS.match(rest)) and (listed := _format_support(found[1])) is not None:
            formats = listed
        elif version is None and (found := _VERSION.match(rest)):
            version = found[1]
        else:
            break
        rest = rest[found.end() :]
    word = status.lower()
    vendor = Vendor(
        name=name,
        operational=_KNOWN.get(word),
        status_text=None if word in _KNOWN else status,
        test_results=tests,
        format_support=formats,
        extractor_version=version,
    )
    return vendor, rest.rstrip()


def _format_support(text: str) -> dict[str, bool] | None:
    """The formats in a list, None where one of them is not ours."""
    names = {part.strip().lower() for part in text.split(",")} - {""}
    if names == {"none"}:
        names = set()
    return {name: name in names for name in FORMATS} if names <= FORMATS.keys() else None


def write_vendor(vendor: Vendor, note: str = "") -> str:
    """The vendor's line; what it cannot say plainly stands in a comment at its end."""
    if is_plain(vendor.name):
        line = _write_plain(vendor, vendor.name)
        read = read_vendor(line)
        if read is not None and not read.note and read.vendor.name == vendor.name:
            return _with_comment(line, note, read.vendor, vendor)
    line = _write_plain(vendor, displayed(vendor.name))
    read = read_vendor(line)
    if read is None or read.note:
        line = f"- {displayed(vendor.name)}: operational"
        read = VendorLine(Vendor(name=displayed(vendor.name), operational=True), "")
    return _with_comment(line, note, read.vendor, vendor)


def _with_comment(line: str, note: str, plain: Vendor, vendor: Vendor) -> str:
    data = differing(plain, vendor)
    return f"{line}{note} {write_comment(data)}" if data else f"{line}{note}"


def _write_plain(vendor: Vendor, name: str) -> str:
    status = {True: "operational", False: "broken", None: "unknown"}[vendor.operational]
    if vendor.operational is None and vendor.status_text and _STATUS.fullmatch(f":{vendor.status_text}"):
        status = vendor.status_text
    parts = [f"- {name}: {status}"]
    tests = vendor.test_results
    if tests is not None and tests.keys() - {"skipped"} == {"passing", "total"}:
        skipped = f", {tests['skipped']} skipped" if "skipped" in tests else ""
        parts.append(f"({tests['passing']}/{tests['total']} tests passed{skipped})")
        if not _TESTS.fullmatch(parts[-1]):
            parts.pop()
    support = vendor.format_support
    if support is not None and support.keys() == FORMATS.keys():
        parts.append(f"[{', '.join(label for name, label in FORMATS.items() if support[name])}]")
    version = vendor.extractor_version
    if version is not None and _PLAIN_VERSION.fullmatch(version) and is_plain(version):
        parts.append(f"v{version}")
    return " ".join(parts)
