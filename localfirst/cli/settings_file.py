"""The project's name in `.localfirst.toml`: written where somebody asks for it, without touching what else stands there."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from pathlib import Path

from localfirst_schema.errors import InvalidStateError, UnavailableError, ValidationError

from localfirst.checkout import file_of_checkout
from localfirst.disk import in_words
from localfirst.settings import FILE_NAME, file, load, trust
from localfirst.settings.file import SettingsFile
from localfirst.settings.origin import Origin, may_say

_LINE = re.compile(
    rb"""^ (?P<key> (?:\xef\xbb\xbf)? [ \t]* ["']? (?:localfirst_)? project ["']? [ \t]* = [ \t]* )
    (?: "(?: [^"\\\n] | \\. )*" | '[^'\n]*' )""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
"""Where a line names the project, up to the end of the name."""


def named(root: Path, name: str) -> bytes:
    """What the file says once it names this project; nothing is written.

    Raises ValidationError for what is no name, InvalidStateError where the line with the present one cannot be found.
    """
    if not 1 <= len(name) <= 200 or not name.isprintable():
        raise ValidationError("project", "must have 1 to 200 printable characters")
    return _named(file.read(root / FILE_NAME, within=root), name)


def write_project(root: Path, name: str) -> None:
    """Has the file name the project, and allows it: whoever types the name means it. All else in the file stays.

    A file that says more, which the user has not allowed, is not allowed by the way. Raises InvalidStateError if the name does
    not count then, and what `named` raises.
    """
    present = file.read(root / FILE_NAME, within=root)
    content = _named(present, name)
    before = b"" if present is None else present.content
    values = {} if present is None else present.values
    others = [key for key, value in values.items() if key != "project" and not may_say(Origin.CHECKOUT, key, value)]
    is_clear = not others or trust.is_allowed(root, before)
    if content != before:
        try:
            file_of_checkout(root, root / FILE_NAME).write(content)
        except OSError as error:
            raise UnavailableError(f"{FILE_NAME} cannot be written: {in_words(error)}.", cause="file") from None
    if is_clear:
        trust.allow(root, content)
    elif load(root).project != name:
        raise InvalidStateError(
            f"{FILE_NAME} names the project now, and says more ({', '.join(others)}), so it does not count until you allow it:"
            " look at it with `localfirst trust --show`, then `localfirst trust`.",
            settings=others,
        )


def _named(present: SettingsFile | None, name: str) -> bytes:
    if present is None:
        return _assignment(name) + b"\n"
    known = present.values.get("project")
    if known == name:
        return present.content
    if known is None:
        return _assignment(name) + b"\n" + present.content.removeprefix(BOM_UTF8)
    value = json.dumps(name, ensure_ascii=False).encode()
    content, count = _LINE.subn(lambda found: found["key"] + value, present.content)
    if count != 1 or not _says(content, {**present.values, "project": name}):
        raise InvalidStateError(
            f"{FILE_NAME} names the project {known!r} in a way that only you can change: write {name!r} there yourself.",
            project=known,
        )
    return content


def _assignment(name: str) -> bytes:
    return f"project = {json.dumps(name, ensure_ascii=False)}".encode()


def _says(content: bytes, values: dict[str, str]) -> bool:
    try:
        return file.parse(FILE_NAME, content, secrets=False) == values
    except ValidationError:
        return False
