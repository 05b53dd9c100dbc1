"""Whose a note is: a text that a person wrote behind or under an entry goes with that entry's row. Headings that say
more than the format's own are notes of nobody's."""

from __future__ import annotations

import re

from localfirst.markdown.document import Entry, Kept, SectionName, StatusDocument, entry_key

_PLAIN_TITLE = re.compile(r"# Project Status[ #]*", re.IGNORECASE)
_PLAIN = re.compile(
    r"(?:#{1,3} )?[A-Za-z]+(?: [A-Za-z]+){0,2}(?: ?\( ?(?:[0-9]+ ?/ ?|last )?[0-9]+(?: ?total)? ?\))? ?:? ?#*(?: [=-]+)?",
    re.IGNORECASE,
)
"""Headings of which nothing is lost with the words."""


def share_notes(document: StatusDocument) -> tuple[dict[int, list[Kept]], tuple[Kept, ...]]:
    """The notes of each entry (by the entry's `id()`), and the texts that belong to none.

    Enhancements have no place for notes in their rows.
    """
    by_key: dict[tuple[SectionName | None, str], list[Entry]] = {}
    for section in ("vendors", "deployments", "sessions", "work_items"):
        for entry in getattr(document, section):
            by_key.setdefault((section, entry_key(entry)), []).append(entry)
    notes: dict[int, list[Kept]] = {}
    rest: list[Kept] = []
    for kept in document.kept:
        owner = _owner(by_key.get((kept.section, kept.after or ""), []), kept)
        if owner is None:
            rest.append(kept)
        else:
            notes.setdefault(id(owner), []).append(kept)
    return notes, tuple(rest)


def _owner(entries: list[Entry], kept: Kept) -> Entry | None:
    """The last entry that begins on the note's line or above it."""
    if kept.place not in ("line", "entry"):
        return None
    above = [entry for entry in entries if entry.line <= kept.line]
    return above[-1] if above else None


def telling_headings(document: StatusDocument) -> list[Kept]:
    """The headings that say more than the format's own do: a title of its own, words behind a section's name."""
    return [
        Kept(text=heading.text, place="outside", section=heading.section, line=heading.line)
        for heading in document.headings
        if not (_PLAIN if heading.section else _PLAIN_TITLE).fullmatch(" ".join(heading.text.split()))
    ]


def note_text(kept: Kept) -> str:
    """The text of a note, without the blanks between it and what it stands behind."""
    return kept.text.strip() if kept.place == "line" else kept.text
