"""One session prompt: its heading, its front matter, its text.

The text runs to where `outline` says that the next thing begins; blank lines around it are not part of it. A text
that would be read differently stands between two marker comments, or, if it holds characters that no line may hold, in
the JSON of a comment in the front matter (`# localfirst: {…}`, which YAML does not see).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

from localfirst.markdown.comment import OPEN, YAML_OPEN, differing, dump_json, is_plain, load_object, overlay
from localfirst.markdown.document import Session
from localfirst.markdown.front_matter import read_front_matter, reads_back, write_front_matter
from localfirst.markdown.outline import PROMPT_BEGIN, PROMPT_END, fences_are_closed, structure_of

_HEADING = re.compile(r"\s*###\s+Session\b(.*)$", re.IGNORECASE)
_DAY = re.compile(r"\s*([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ][0-9:.]+(?:Z|[+-][0-9:]+)?)?(?=\s|$)")
_LINE_IN_PROMPT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


class Block(NamedTuple):
    """A session, the note behind its heading, how many of the lines given are its own, and what is wrong where."""

    session: Session
    note: str
    used: int
    errors: tuple[tuple[int, str], ...] = ()


def read_session(lines: Sequence[str]) -> Block:
    """The session whose heading is the first of `lines` and whose text ends with the last of them, or before."""
    session, note, indent = _read_heading(lines[0])
    body = [_dedent(line, indent) for line in lines]
    errors: list[tuple[int, str]] = []
    opening = next((at for at in range(1, min(5, len(body))) if body[at].strip()), 0)
    closing = 0
    data: dict[str, Any] | None = None
    if opening and body[opening].strip() == "---":
        closing = next((at for at in range(opening + 1, len(body)) if body[at].strip() == "---"), 0)
        if closing:
            session, data, errors = _read_front_matter(session, body, opening, closing)
        else:
            session = replace(session, malformed="the front matter is never closed")
            errors.append((opening, "the front matter is never closed"))
    prompt, used = _read_prompt(body, closing + 1)
    session = replace(session, prompt=prompt)
    if data is not None:
        session = overlay(session, data)
    return Block(session, note, used, tuple(errors))


def _read_heading(line: str) -> tuple[Session, str, int]:
    """A session with its date, the rest of the heading, and the heading's indentation."""
    found = _HEADING.match(line)
    rest = found[1] if found else ""
    indent = len(line) - len(line.lstrip())
    day = _DAY.match(rest)
    if day is not None:
        try:
            return Session(date=date.fromisoformat(day[1])), rest[day.end(1) :].rstrip(), indent
        except ValueError:
            pass
    return Session(date_text=rest.strip() or None), "", indent


def _dedent(line: str, indent: int) -> str:
    """The line without the indentation that its session has, as far as it has it."""
    if not indent:
        return line
    blanks = len(line) - len(line.lstrip())
    return line[min(indent, blanks) :]


def _read_front_matter(
    session: Session, body: list[str], opening: int, closing: int
) -> tuple[Session, dict[str, Any] | None, list[tuple[int, str]]]:
    """The session with what stands between the two lines, the data of the comment there, and what is wrong."""
    lines = body[opening + 1 : closing]
    data: dict[str, Any] | None = None
    errors: list[tuple[int, str]] = []
    for at, line in enumerate(lines):
        if line.startswith(YAML_OPEN):
            try:
                data = load_object(line[len(YAML_OPEN) :])
                overlay(session, data)
            except ValueError as reason:
                data = None
                errors.append((opening + 1 + at, f"the comment of localfirst cannot be read: {reason}"))
            else:
                lines = lines[:at] + lines[at + 1 :]
            break
    text = "\n".join(lines)
    read = read_front_matter(text)
    if read.values is None:
        session = replace(session, malformed=read.error, malformed_text=text)
        if data is None or "malformed_text" not in data:
            errors.append((opening + read.line, f"the front matter cannot be read: {read.error}"))
    else:
        session = replace(session, front_matter=read.values, front_matter_text=text)
    return session, data, errors


def _read_prompt(body: list[str], start: int) -> tuple[str, int]:
    """The text, and the line after its last."""
    first = next((at for at in range(start, len(body)) if body[at].strip()), len(body))
    if first == len(body):
        return "", start
    if body[first].strip() == PROMPT_BEGIN:
        end = next((at for at in range(first + 1, len(body)) if body[at].strip() == PROMPT_END), 0)
        if end:
            return "\n".join(body[first + 1 : end]), end + 1
    last = next(at for at in range(len(body) - 1, first - 1, -1) if body[at].strip())
    return "\n".join(body[first : last + 1]), last + 1


def write_session(session: Session, note: str = "", *, is_last: bool = True) -> list[str]:
    """The lines of a session; `is_last` says that no other follows it in its section."""
    heading = _write_heading(session)
    front_matter = _write_front_matter(session)
    prompt = _write_prompt(session.prompt, is_last=is_last, after_front_matter=front_matter is not None)
    lines = [heading, *_fenced(front_matter), *prompt]
    data = differing(read_session(lines).session, session)
    if data and front_matter is None:
        # The `---` lines that the comment needs are front matter themselves.
        lines = [heading, *_fenced([]), *prompt]
        data = differing(read_session(lines).session, session)
    if session.date is None and front_matter is None and not data:
        data = {"front_matter": None}
    if data:
        lines = [heading, *_fenced([f"{YAML_OPEN}{dump_json(data)}", *(front_matter or [])]), *prompt]
    lines[0] += note
    return lines


def _fenced(front_matter: list[str] | None) -> list[str]:
    return [] if front_matter is None else ["---", *front_matter, "---"]


def _write_heading(session: Session) -> str:
    if session.date is not None:
        return f"### Session {session.date.isoformat()}"
    text = session.date_text
    if text and is_plain(text) and _read_heading(f"### Session {text}")[0].date_text == text:
        return f"### Session {text}"
    return "### Session"


def _write_front_matter(session: Session) -> list[str] | None:
    """The lines between the `---`, None where there are to be none."""
    if session.malformed_text is not None:
        lines = session.malformed_text.split("\n")
        text_is_safe = all(is_plain(line) and line.strip() != "---" for line in lines) and fences_are_closed(lines)
        text_is_safe = text_is_safe and not any(line.startswith(YAML_OPEN) for line in lines)
        # The closing line belongs to the question: `---` after `### Session` makes a session of it.
        text_is_safe = text_is_safe and structure_of([*lines, "---"]) == "none"
        if text_is_safe and read_front_matter(session.malformed_text).values is None:
            return lines
        return []
    if session.front_matter is None:
        return None
    if session.front_matter_text is not None:
        lines = session.front_matter_text.split("\n") if session.front_matter_text else []
        if reads_back(lines, session.front_matter):
            return lines
    return write_front_matter(session.front_matter) or []


def _write_prompt(prompt: str | None, *, is_last: bool, after_front_matter: bool) -> list[str]:
    """The lines of the text: as it is, between markers, or none where only JSON can hold it."""
    if not prompt or _LINE_IN_PROMPT.search(prompt):
        return []
    lines = prompt.split("\n")
    structure = structure_of(lines)
    is_calm = structure == "none" or (structure == "weak" and not is_last)
    outer_blanks = not lines[0].strip() or not lines[-1].strip()
    front_matter = lines[0].strip() == "---" and not after_front_matter
    if is_calm and not outer_blanks and not front_matter and OPEN not in prompt and fences_are_closed(lines):
        return lines
    if any(line.strip() == PROMPT_END for line in lines):
        return []
    return [PROMPT_BEGIN, *lines, PROMPT_END]
