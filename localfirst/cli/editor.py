"""A title and a text in a person's own editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from localfirst_schema.errors import InvalidStateError, ValidationError

from localfirst import terminal

EDITORS = ("VISUAL", "EDITOR")
NO_EDITOR = "vi"


class Text(NamedTuple):
    """What is edited: the first line, and what stands below it."""

    title: str
    body: str


@contextmanager
def edited(text: Text) -> Iterator[Text]:
    """The text as the person leaves it. What was typed is kept in its file, which is named, when the block fails.

    Raises ValidationError for a file without a title, InvalidStateError where the editor cannot be run or fails.
    """
    descriptor, name = tempfile.mkstemp(prefix="localfirst-", suffix=".md")  # made 0600
    path = Path(name)
    content = f"{text.title}\n\n{text.body}".rstrip("\n") + "\n"
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    try:
        _run(path)
        yield _read(path)
    except BaseException:  # an interruption as well: nothing that was typed is thrown away
        if path.read_bytes() == content.encode():
            path.unlink()
        else:
            terminal.note(f"What you typed is kept in {path}.")
        raise
    path.unlink(missing_ok=True)


def _run(path: Path) -> None:
    command = next((os.environ[name] for name in EDITORS if os.environ.get(name)), NO_EDITOR)
    try:
        status = subprocess.run([*shlex.split(command), str(path)], check=False).returncode  # noqa: S603 (the user's own)
    except (OSError, ValueError):
        raise InvalidStateError(f"the editor {command!r} cannot be run; set EDITOR to one that can.") from None
    if status != 0:
        raise InvalidStateError(f"the editor {command!r} ended with status {status}; nothing was changed.")


def _read(path: Path) -> Text:
    content = path.read_text(encoding="utf-8", errors="replace").strip("\n")
    title, _, body = content.partition("\n")
    if not title.strip():
        raise ValidationError("title", "must not be empty", "title: the first line of the file must be the item's title.")
    return Text(title.strip(), body.strip("\n"))
