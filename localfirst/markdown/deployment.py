"""One deployment: `### 2025-10-01 - PR #100` and the lines `- Key: value` below it.

Keys and values may be in bold or backticks; day and PR may stand in lines of their own, and the heading may be a title
(`### New layouts (2025-10-04)`).

Lines with another key, a second line of a key, and values that are not understood are not the deployment's: they are
kept by who reads the section. Reading and writing stand together: what is written here must be read here as the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

from localfirst.markdown.capitals import read_capitals
from localfirst.markdown.comment import CLOSE, OPEN, differing, displayed, is_plain, overlay, part_comment, write_comment
from localfirst.markdown.document import Deployment
from localfirst.markdown.labelled import read_labelled, without_emphasis

YES, NO = "✓", "✗"

_HEADING = re.compile(r"\s*###\s+(.*)$")
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])"
    r"((?:T|[ ])[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?(\s?(?:UTC|GMT)\b)?"
)
_PULL_REQUEST = re.compile(r"\bPR\s?#?\s?([0-9]{1,15})\b", re.IGNORECASE)
_COMMIT = re.compile(r"\[?`?([0-9a-fA-F]{4,64})`?\]?")
_COUNT = re.compile(r"([0-9]{1,15})\s(\S.*)")
_NAMED_COUNT = re.compile(r"([^:]{1,60}):\s?([0-9]{1,15})")
_SHARE = re.compile(
    r"([0-9]{1,15})\s?/\s?([0-9]{1,15})(?:\stests?)?(?:\spass(?:ed|ing))?(?:\s?[,(]\s?([0-9]{1,15})\sskipped\)?)?"
)
_OWN_NUMBER = re.compile(r"\[?(?:PR\s?)?#?([0-9]{1,15})\b\]?", re.IGNORECASE)
_DATED_ITEM = re.compile(r"\s*[-*+•]\s+(?:\*\*|__)?([0-9]{4}-[0-9]{2}-[0-9]{2}\b.*\bPR\s?#?[0-9].*)$", re.IGNORECASE)
_EDGES = " \t-–—:|,()[]*_`"
_NONE = frozenset({"none", "n/a", "-", "—"})
_TRUTH = {"✓": True, "✔": True, "✅": True, "yes": True, "true": True, "pass": True, "passed": True}
_TRUTH |= {"✗": False, "✘": False, "❌": False, "no": False, "false": False, "fail": False, "failed": False}

PARTS = {
    "title": "pr_title",
    "commit": "commit_hash",
    "commit hash": "commit_hash",
    "work items": "work_item_refs",
    "work item": "work_item_refs",
    "vendors": "vendor_names",
    "vendor": "vendor_names",
    "tests": "tests",
    "constitutional compliance": "constitutional_compliance",
    "pr": "pr_number",
    "pull request": "pr_number",
    "date": "deployed_on",
    "deployed": "deployed_on",
    "deployed at": "deployed_on",
    "deployed on": "deployed_on",
    "deployment date": "deployed_on",
    "merged": "deployed_on",
    "merged at": "deployed_on",
    "deployment": "pr_title",
    "deployment name": "pr_title",
    "name": "pr_title",
    "merge commit": "commit_hash",
    "test results": "tests",
    "vendors affected": "vendor_names",
    "affected vendors": "vendor_names",
}

_TELLING = frozenset({"pr_number", "commit_hash", "deployed_on"})
"""Parts of which one makes a deployment of a block whose heading is only a title."""


class Block(NamedTuple):
    """A deployment, and which of the lines given were its own; `notes` stand behind the heading's or a line's value."""

    deployment: Deployment
    used: tuple[int, ...]
    notes: tuple[tuple[int, str, str], ...] = ()
    errors: tuple[tuple[int, str], ...] = ()


def read_heading(line: str) -> tuple[Deployment, str] | None:
    """The deployment that a heading announces and the note behind it, None where it announces none."""
    heading = _HEADING.match(line)
    if heading is None:
        return None
    text = heading[1].strip()
    found = _PULL_REQUEST.search(text)
    before = (text[: found.start()] if found else text).strip()
    after = text[found.end() :].rstrip() if found else ""
    moment = _MOMENT.match(before)
    if found is None and moment is None:
        return None
    if moment is None and (titled := _read_title(text)).deployed_on is not None:
        return titled, ""
    deployment = Deployment(pr_number=int(found[1]) if found else None)
    if moment is not None and (day := _day(moment[1])) is not None:
        deployment = replace(deployment, deployed_on=day, deployed_at=_moment_text(moment))
        before = before[moment.end() :]
        if found is None:
            before, after = "", before
    before = before.strip(" \t-–—:|")
    if before:
        deployment = replace(deployment, date_text=before)
    title = after.lstrip(" \t-–—:|")
    if title and title != after.strip():
        return replace(deployment, pr_title=title), ""
    return deployment, after


def _moment_text(found: re.Match[str]) -> str | None:
    """The moment where a time follows the day, `UTC` written as the store does."""
    if not found[2]:
        return None
    return f"{found[1]}{found[2]}Z" if found[3] and found[2][-1].isdigit() else f"{found[1]}{found[2]}"


def _read_title(line: str) -> Deployment:
    """What a heading or a first line says as a title, perhaps with its day and its PR in it."""
    text = line.strip().lstrip("#").strip()
    said = Deployment()
    moment = _MOMENT.search(text)
    if moment is not None and (day := _day(moment[1])) is not None:
        said = replace(said, deployed_on=day, deployed_at=_moment_text(moment))
        text = _without(text, moment)
    if found := _PULL_REQUEST.search(text):
        said = replace(said, pr_number=int(found[1]))
        text = _without(text, found)
    text = without_emphasis(text)
    return replace(said, pr_title=text or None)


def _without(text: str, found: re.Match[str]) -> str:
    """The text without what was found in it, and without the brackets and dashes around that."""
    before, after = text[: found.start()].rstrip(_EDGES), text[found.end() :].lstrip(_EDGES)
    if before.startswith("**") and before.count("**") == 1:
        before = f"{before}**" if text[: found.start()].rstrip(" (-–—:|,[").endswith("**") else before[2:]
    return f"{before} {after}".strip()


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def as_heading(line: str) -> str | None:
    """The heading that a line is, or that a list item with day and PR stands for; None for any other line."""
    if line.lstrip().startswith("###"):
        return line
    found = _DATED_ITEM.match(line)
    return "### " + found[1].replace("**", "").replace("__", "") if found else None


def read_deployment(lines: Sequence[str]) -> Block | None:
    """The deployment whose heading is the first of `lines`, None where that is no heading of a deployment."""
    heading = read_heading(lines[0])
    if heading is None:
        return None
    block = _read_parts(heading[0], lines)
    return block._replace(notes=((0, "heading", heading[1]), *block.notes)) if heading[1] else block


def read_titled_deployment(lines: Sequence[str]) -> Block | None:
    """The deployment whose title is the first of `lines`, None where no line below says PR, commit or day.

    A title may hold the day and the PR: `**New layouts** (2025-10-04)`, `Previous: new layouts - PR #42 (2025-09-12)`.
    """
    block = _read_parts(_read_title(lines[0]), lines)
    is_reported = any(getattr(block.deployment, part) is not None for part in _TELLING)
    return block if is_reported and len(block.used) > 1 else None


def read_deployment_row(cells: Mapping[str, str]) -> tuple[Deployment, str] | None:
    """The deployment in a row of a table, given by its columns' names in small letters, and what else the row says."""
    values: dict[str, Any] = {}
    left = []
    for name, text in cells.items():
        part = PARTS.get(name)
        value, note = _value(part, without_emphasis(text)) if part and part not in values else (None, "")
        if value is None or part is None:
            left += [f"{name}: {text}"] if text.strip(" -–—") else []
            continue
        values |= value if part == "deployed_on" else {part: value}
        left += [note.strip()] if note.strip() else []
    is_reported = values.get("deployed_on") is not None and len(values) > 2
    return (Deployment(**values), "; ".join(left)) if is_reported or "pr_number" in values else None


def _read_parts(deployment: Deployment, lines: Sequence[str]) -> Block:
    """The deployment with what the lines below the first say of it."""
    used = [0]
    notes: list[tuple[int, str, str]] = []
    errors: list[tuple[int, str]] = []
    given = {part for part in ("pr_title", "pr_number", "deployed_on") if getattr(deployment, part) is not None}
    values: dict[str, Any] = {}
    data: dict[str, Any] | None = None
    for at, line in enumerate(lines[1:], 1):
        text = line.strip()
        if text.startswith(OPEN) and text.endswith(CLOSE) and data is None:
            parted = part_comment(text)
            if parted.error is None and parted.data is not None and not parted.text:
                try:
                    overlay(deployment, parted.data)
                except ValueError as reason:
                    errors.append((at, str(reason)))
                else:
                    data = parted.data
                    used.append(at)
            elif parted.error:
                errors.append((at, parted.error))
            continue
        found = read_labelled(line)
        part = PARTS.get(found[0]) if found else None
        if found is None or part is None or part in given:
            continue
        value, note = _value(part, found[1])
        if value is None:
            if found[1]:
                errors.append((at, f"{found[0]} cannot be read"))
            continue
        given.add(part)
        used.append(at)
        values |= value if part == "deployed_on" else {part: value}
        if note:
            notes.append((at, part, note))
    deployment = replace(deployment, **values)
    if data is not None:
        deployment = overlay(deployment, data)
    return Block(deployment, tuple(used), tuple(notes), tuple(errors))


def _value(part: str, text: str) -> tuple[Any, str]:
    """The value in a line and the note behind it; None where it cannot be read."""
    stripped = text.strip()
    match part:
        case "pr_title":
            return stripped or None, ""
        case "commit_hash":
            found = _COMMIT.match(stripped)
            rest = stripped[found.end() :] if found else ""
            return (found[1], rest) if found and (not rest or rest[0].isspace() or rest[0] == "(") else (None, "")
        case "work_item_refs":
            return _listed([name.removeprefix("#") for name in _names(stripped)]), ""
        case "vendor_names":
            return () if stripped.lower() in _NONE else _listed(_names(stripped)), ""
        case "tests":
            return _counts(stripped.rstrip(" ✅✓✔")), ""
        case "pr_number":
            number = _OWN_NUMBER.match(stripped)
            return (int(number[1]), stripped[number.end() :]) if number else (None, "")
        case "deployed_on":
            moment = _MOMENT.match(stripped)
            day = _day(moment[1]) if moment else None
            if moment is None or day is None:
                return None, ""
            return {"deployed_on": day, "deployed_at": _moment_text(moment)}, stripped[moment.end() :]
        case _:
            word = (stripped.split(maxsplit=1) or [""])[0]
            return _TRUTH.get(word.lower()), stripped[len(word) :]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _listed(names: list[str]) -> tuple[str, ...] | None:
    return tuple(names) if all(names) else None


def _counts(text: str) -> dict[str, int] | None:
    """`45 passed, 0 failed`, `unit: 150, integration: 30`, or `42/45 tests passing (3 skipped)`."""
    if share := _SHARE.fullmatch(text):
        shared = {"passing": int(share[1]), "total": int(share[2])}
        return shared if share[3] is None else shared | {"skipped": int(share[3])}
    counts: dict[str, int] = {}
    for part in _names(text):
        if found := _COUNT.fullmatch(part):
            name, count = found[2].strip(), found[1]
        elif found := _NAMED_COUNT.fullmatch(part):
            name, count = found[1].strip(), found[2]
        else:
            return None
        if name in counts or not name:
            return None
        counts[name] = int(count)
    return counts


def write_deployment(deployment: Deployment, notes: dict[str, str] | None = None) -> list[str]:
    """The lines of a deployment; what they cannot say plainly stands in a comment on the last of them.

    `notes` are put behind the heading and the lines, by part; those of a line that is not there any more, below.
    """
    notes = notes or {}
    heading = _write_heading(deployment)
    lines = [("heading", heading)]
    wanted = {
        "pr_title": deployment.pr_title,
        "commit_hash": deployment.commit_hash,
        "work_item_refs": ", ".join(f"#{ref}" for ref in deployment.work_item_refs) or None,
        "vendor_names": ", ".join(deployment.vendor_names) or None,
        "tests": ", ".join(f"{count} {name}" for name, count in (deployment.tests or {}).items()) or None,
        "constitutional_compliance": {True: YES, False: NO, None: None}[deployment.constitutional_compliance],
    }
    labels = ("Title", "Commit", "Work Items", "Vendors", "Tests", "Constitutional Compliance")
    for label, (part, text) in zip(labels, wanted.items(), strict=True):
        writable = None if text is None else _writable(part, text, getattr(deployment, part))
        if writable is not None:
            lines.append((part, f"- {label}: {writable}"))
    read = read_deployment([line for _, line in lines])
    if read is None:
        raise AssertionError(f"a heading that cannot be read again: {heading!r}")
    data = differing(read.deployment, deployment)
    written = [f"{line}{notes.get(part, '')}" for part, line in lines]
    homeless = notes.keys() - dict(lines).keys()
    written += [note.strip() for part, note in notes.items() if part in homeless]
    return [*written, write_comment(data)] if data else written


def _writable(part: str, text: str, value: object) -> str | None:
    """The text where it reads back as the value, else a likeness of it that reads as some value, if there is one."""
    if is_plain(text) and _value(part, f" {text}") == (value, ""):
        return text
    likeness = displayed(text)
    read, note = _value(part, f" {likeness}")
    return likeness if read is not None and not note else None


def _write_heading(deployment: Deployment) -> str:
    day = deployment.deployed_on.isoformat() if deployment.deployed_on else None
    number = f"PR #{deployment.pr_number}" if deployment.pr_number is not None else None
    if number is not None and read_heading(f"### {number}") != (Deployment(pr_number=deployment.pr_number), ""):
        number = "PR #0"
    if day is None and deployment.date_text and is_plain(deployment.date_text):
        heading = f"### {deployment.date_text} - {number or 'PR #0'}"
        read = read_heading(heading)
        is_section = read_capitals([heading], 0, is_style=True) is not None
        if read is not None and read[0].date_text == deployment.date_text and not read[1] and not is_section:
            return heading
    if day is None and number is None:
        number = "PR #0"
    return f"### {' - '.join(part for part in (day, number) if part)}"
