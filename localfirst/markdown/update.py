"""Brings a status file up to date with the store, keeping what people wrote into it.

`refresh` decides the text, `write_file` puts it on the disk. The known sections say afterwards exactly what the store
says; entries that only the file had are gone (`only_in` names them for a caller who wants to take them over first),
texts that are not entries stand where they stood. The result is read again before it is used: kept text that would
change the meaning of what stands around it (a forgotten fence, a line that now looks like an entry) is moved, quoted, to
a section of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from localfirst.checkout import CheckoutFile, file_named_by_user
from localfirst.markdown.deployment import read_deployment
from localfirst.markdown.document import SECTIONS, Entry, Kept, Session, StatusDocument, entry_key
from localfirst.markdown.parse import Readers, parse
from localfirst.markdown.session import read_session
from localfirst.markdown.verified import Refreshed, is_small_change
from localfirst.markdown.work_item import read_work_item
from localfirst.markdown.write import render, section_order

QUARANTINE = "## Notes kept from an earlier version of this file"

_read_item = lru_cache(maxsize=8192)(read_work_item)
_read_session = lru_cache(maxsize=1024)(read_session)
_read_deployment = lru_cache(maxsize=1024)(read_deployment)
_REMEMBERING = Readers(_read_item, lambda lines: _read_session(tuple(lines)), lambda lines: _read_deployment(tuple(lines)))


@lru_cache(maxsize=4)
def _parse(text: str) -> StatusDocument:
    """The document of a text, for this module only: entries are shared between documents.

    The text that was written last is the one that is read next, and most of its lines are those of the one before.
    """
    return parse(text, _REMEMBERING)


def refresh(existing_text: str | None, document: StatusDocument) -> str:
    """The text that says what `document` says, with the hand-written parts and the layout of `existing_text`.

    `document` comes from the store: where there is an existing text, its `kept` and `layout` are not used. Session
    prompts with malformed front matter, which a store may not hold, are kept as well.
    """
    return refreshed(None if existing_text is None else _parse(existing_text), document).text


def refreshed(existing: StatusDocument | None, document: StatusDocument, verified: Refreshed | None = None) -> Refreshed:
    """As `refresh`, for an existing text that has been read; `verified` is what an earlier call has returned for it."""
    if existing is None or _is_blank(existing):
        return Refreshed(render(document), document)
    wanted = replace(
        document,
        sessions=_with_malformed(existing.sessions, document.sessions),
        kept=existing.kept,
        layout=existing.layout,
    )
    text = render(wanted)
    result = Refreshed(text, wanted)
    if not wanted.kept or (verified is not None and is_small_change(verified, result)) or _says(text, wanted):
        return result
    for places in (("line", "entry", "section start", "section end"), ("outside",)):
        wanted = _quarantined(wanted, places)
        text = render(wanted)
        if _says(text, wanted):
            break
    return Refreshed(text, wanted)


def _is_blank(document: StatusDocument) -> bool:
    """Whether a text held nothing at all, so that it has no layout to be kept."""
    return not document.headings and not document.kept and not any(getattr(document, section) for section in SECTIONS)


def only_in(existing: StatusDocument, document: StatusDocument) -> list[Entry]:
    """The entries of `existing` that `document` has none of the same key for: a refresh drops them from the file."""
    missing: list[Entry] = []
    for section in SECTIONS:
        keys = {entry_key(entry) for entry in getattr(document, section)}
        missing += [entry for entry in getattr(existing, section) if entry_key(entry) not in keys]
    return missing


def _with_malformed(existing: tuple[Session, ...], sessions: tuple[Session, ...]) -> tuple[Session, ...]:
    """`sessions` and, after the ones that they followed, the malformed ones of the file that are not among them."""
    texts = {session.malformed_text for session in sessions} - {None}
    prompts = {(session.date, session.prompt) for session in sessions}
    seen: Counter[str] = Counter()
    anchor: tuple[str, int] | None = None
    carried: dict[tuple[str, int] | None, list[Session]] = {}
    for session in existing:
        is_stored = session.malformed_text in texts or (session.date, session.prompt) in prompts
        if session.malformed_text is not None and not is_stored:
            carried.setdefault(anchor, []).append(session)
        else:
            key = entry_key(session)
            seen[key] += 1
            anchor = (key, seen[key])
    if not carried:
        return sessions
    result = carried.pop(None, [])
    seen.clear()
    for session in sessions:
        key = entry_key(session)
        seen[key] += 1
        result += [session, *carried.pop((key, seen[key]), [])]
    return (*result, *(session for rest in carried.values() for session in rest))


def _says(text: str, wanted: StatusDocument) -> bool:
    """Whether a text says what is wanted, with every kept line still kept."""
    read = _parse(text)
    lost = Counter(_kept_lines(wanted)) - Counter(_kept_lines(read))
    return not lost and all(getattr(read, section) == getattr(wanted, section) for section in SECTIONS)


def _kept_lines(document: StatusDocument) -> Iterator[str]:
    for kept in document.kept:
        yield from (line.strip() for line in kept.text.split("\n") if line.strip())


def _quarantined(document: StatusDocument, places: tuple[str, ...]) -> StatusDocument:
    """The document with the kept texts of these places quoted in a section at the end of the file.

    A quoted line begins with `>`: it can be no heading, no list item, no fence and no marker.
    """
    quoted = [
        f"> {line}" if line.strip() else ">" for kept in document.kept if kept.place in places for line in kept.text.split("\n")
    ]
    rest = tuple(kept for kept in document.kept if kept.place not in places)
    order = section_order(document)
    block = Kept(
        text="\n".join([QUARANTINE, "", *quoted]), place="outside", section=order[-1] if order else None, blank_before=True
    )
    return replace(document, kept=(*rest, block))


def write_file(file: CheckoutFile | Path, text: str) -> None:
    """Replaces the file's content at once: whoever reads it sees the old text or the new one, whole.

    A path is one that the user has named. A link is followed and its target replaced. A new file is its owner's alone
    (0600), an existing one keeps its mode. Raises `OSError`, with the old content untouched, when the disk, the folder or
    the permissions do not allow it, or a checkout's file leads out of its root.
    """
    (file_named_by_user(file) if isinstance(file, Path) else file).write(text.encode("utf-8"))
