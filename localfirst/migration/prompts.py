"""Session prompts that stand in files of their own, one Markdown file per session, with YAML front matter.

The folder is the one that the caller names, else one of a telling name that the status file refers to, else, where the status
file holds no prompts itself, one of the usual names; from that only files with front matter are taken, since such a folder may
hold prompts of another kind. Nothing outside the status file's folder is read unless the caller names it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

from localfirst_schema.errors import ValidationError

from localfirst.markdown.document import Kept, Problem, Session, StatusDocument, entry_key
from localfirst.markdown.session import read_session
from localfirst.markdown.source import SIZE_LIMIT_BYTES, read_source, split_lines
from localfirst.status_rows.sources import Sources

USUAL_FOLDERS = (
    "docs/session-prompts",
    "docs/session_prompts",
    "session-prompts",
    "session_prompts",
    "docs/prompts",
    "prompts",
    ".claude/session-prompts",
    ".claude/sessions",
)

FILES_LIMIT = 10_000

PROMPT_FILE = "prompt_file"
"""The key of a session's metadata that names the file it came from."""

_ABOUT_PROMPTS = re.compile(r"prompt|session", re.IGNORECASE)
_NO_PATH = re.compile(r"[^\w./-]+")
_DAY = re.compile(r"(?<![0-9])([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])")
_INDEXES = frozenset({"readme.md", "index.md"})


class Folder(NamedTuple):
    """A folder with prompts, and whether a file without front matter is one too."""

    path: Path
    is_named: bool


class WithPrompts(NamedTuple):
    """A document that has the prompts of a folder too, and what is to be said about the files."""

    document: StatusDocument
    warnings: tuple[str, ...]


def find_folder(status_file: Path, document: StatusDocument, given: Path | None) -> Folder | None:
    """The folder of the prompts, None where there is none. Raises ValidationError for a given one that is no folder."""
    if given is not None:
        if not given.is_dir():
            raise ValidationError("--prompts", "must be a folder", f"--prompts: {given} is not a folder.")
        return Folder(given, is_named=True)
    root = Path(os.path.realpath(status_file)).parent
    # In prose alone: a prompt may speak of any folder.
    for path in _referred(root, "\n".join(kept.text for kept in document.kept)):
        if next(_markdown_files(path), None) is not None:
            return Folder(path, is_named=True)
    if not document.sessions:
        for name in USUAL_FOLDERS:
            path = root / name
            if _is_within(path, root) and any(_has_front_matter(file) for file in _markdown_files(path)):
                return Folder(path, is_named=False)
    return None


def _referred(root: Path, text: str) -> Iterator[Path]:
    """The folders below `root` that lines about prompts or sessions name, also by a file in them; their names say so too."""
    for line in text.split("\n"):
        if not _ABOUT_PROMPTS.search(line):
            continue
        for found in filter(_is_path, _NO_PATH.split(line)):
            path = Path(os.path.realpath(root / found))
            folder = path.parent if path.is_file() else path
            if folder.is_relative_to(root) and _ABOUT_PROMPTS.search(str(folder.relative_to(root))) and folder.is_dir():
                yield folder


def _is_path(text: str) -> bool:
    return len(text) < 400 and ("/" in text.strip("/") or text.endswith(("/", ".md")))


def _is_within(path: Path, root: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(root)


def _markdown_files(folder: Path) -> Iterator[Path]:
    """The Markdown files of a folder and the folders in it, by name; links that leave it are not followed."""
    top = Path(os.path.realpath(folder))
    found = []
    for path, folders, names in os.walk(top):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(path, name) for name in names if name.lower().endswith(".md") and not name.startswith(".")]
    for file in sorted(found):
        if _is_within(file, top) and file.is_file():
            yield file


def _has_front_matter(file: Path) -> bool:
    """Whether the first line that is not blank is `---`. A file that cannot be read has none as far as this goes."""
    try:
        with file.open("rb") as opened:
            beginning = opened.read(4096)
    except OSError:
        return False
    return beginning.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"---")


def add_prompts(document: StatusDocument, sources: Sources, folder: Folder, status_file: Path) -> WithPrompts:
    """The document with a session for each file of the folder; the files' lines go into the sources.

    Raises ValidationError for a file that is no text, for too many or too much of them, and OSError.
    """
    root = Path(os.path.realpath(status_file)).parent
    sessions, kept, problems, warnings = list(document.sessions), list(document.kept), list(document.problems), []
    size = 0
    for number, file in enumerate(_markdown_files(folder.path), 1):
        name = _name(file, root)
        size += file.stat().st_size
        if number > FILES_LIMIT or size > SIZE_LIMIT_BYTES:
            raise ValidationError("prompts", f"must be at most {FILES_LIMIT} files and {SIZE_LIMIT_BYTES // 1024 // 1024} MiB")
        if not _has_front_matter(file) and (not folder.is_named or file.name.lower() in _INDEXES):
            warnings.append(f"{name}: no front matter, so not taken for a session prompt; it was left out.")
            continue
        text = _read(file, name)
        read = _read_file(name, text, sources)
        sessions.append(read.session)
        kept += read.kept
        problems += read.problems
    found = replace(document, sessions=tuple(sessions), kept=tuple(kept), problems=tuple(problems))
    return WithPrompts(found, tuple(warnings))


def _name(file: Path, root: Path) -> str:
    """The file's path as the status file would write it, its name alone where it is elsewhere."""
    path = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
    return os.fsencode(path).decode("utf-8", "replace")


def _read(file: Path, name: str) -> str:
    try:
        return read_source(file)
    except ValidationError as error:
        raise ValidationError(name, error.message.removeprefix("file ").rstrip("."), f"{name}: {error.message}") from error


class _Read(NamedTuple):
    session: Session
    kept: list[Kept]
    problems: list[Problem]


def _read_file(name: str, text: str, sources: Sources) -> _Read:
    """One session. Its day is the front matter's `date`, else the one in the file's name."""
    lines = split_lines(text).lines
    before = sources.add(name, text, lines)
    block = read_session(["### Session", *lines])
    used = block.used - 1
    day = _day(str((block.session.front_matter or {}).get("date", ""))) or _day(name)
    filled = [at for at in range(used) if lines[at].strip()]
    record = {**block.session.record, "metadata": {PROMPT_FILE: name}}
    session = replace(
        block.session,
        date=block.session.date or day,
        record=record,
        lines=((before + filled[0] + 1, before + filled[-1] + 1),) if filled else (),
    )
    rest = [at for at in range(used, len(lines)) if lines[at].strip()]
    kept = []
    if rest:
        first, last = rest[0], rest[-1]
        kept.append(
            Kept(
                text="\n".join(lines[first : last + 1]),
                place="entry",
                section="sessions",
                after=entry_key(session),
                line=before + first + 1,
            )
        )
    problems = [Problem(line=before + at, code="front_matter", message=message) for at, message in block.errors]
    return _Read(session, kept, problems)


def _day(text: str) -> date | None:
    for found in _DAY.finditer(text):
        try:
            return date.fromisoformat(found[1])
        except ValueError:
            continue
    return None
