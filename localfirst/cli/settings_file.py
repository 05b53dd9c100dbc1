"""The project's name in `.localfirst.toml`: written where somebody asks for it, without touching what else stands there."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from pathlib import Path

from localfirst_schema.errors import InvalidStateError, UnavailableError, ValidationError

from localfirst.checkout import file_of_checkout
from localfirst.disk_words import in_words
from localfirst.settings import FILE_NAME, file, load, trust
from localfirst.settings.file import SettingsFile
from localfirst.settings.origin import Origin, may_say


def require_free(root: Path, name: str) -> SettingsFile | None:
    """The file, in which the name could stand. Raises ValidationError for what is no name, InvalidStateError for another."""
    if not 1 <= len(name) <= 200 or not name.isprintable():
        raise ValidationError("project", "must have 1 to 200 printable characters")
    present = file.read(root / FILE_NAME, within=root)
    known = None if present is None else present.values.get("project")
    if known not in (None, name):
        raise InvalidStateError(f"{FILE_NAME} names the project {known!r} already; change it there.", project=known)
    return present


def write_project(root: Path, name: str) -> None:
    """Adds ``project = NAME`` to the file, and allows it: whoever types the name means it.

    A file that says more, which the user has not allowed, is not allowed by the way. Raises InvalidStateError if the name does
    not count then, and if the file names another project already.
    """
    present = require_free(root, name)
    values = {} if present is None else present.values
    content = b"" if present is None else present.content
    known = values.get("project")
    others = [key for key, value in values.items() if key != "project" and not may_say(Origin.CHECKOUT, key, value)]
    is_clear = not others or trust.is_allowed(root, content)
    if known is None:
        content = f"project = {json.dumps(name, ensure_ascii=False)}\n".encode() + content.removeprefix(BOM_UTF8)
        try:
            file_of_checkout(root, root / FILE_NAME).write(content)
        except OSError as error:
            raise UnavailableError(f"{FILE_NAME} cannot be written: {in_words(error)}.") from None
    if is_clear:
        trust.allow(root, content)
    elif load(root).project != name:
        raise InvalidStateError(
            f"{FILE_NAME} names the project now, and says more ({', '.join(others)}), so it does not count until you allow it:"
            " look at it with `localfirst trust --show`, then `localfirst trust`.",
            settings=others,
        )
