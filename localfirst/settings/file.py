"""A settings file: TOML in UTF-8, with or without a byte order mark, small, regular, and read without waiting for anybody."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

from localfirst_schema.errors import ValidationError

from localfirst.checkout import file_named_by_user, file_of_checkout
from localfirst.settings.origin import KEYS
from localfirst.settings.value import check

FILE_NAME = ".localfirst.toml"
"""At the root of a checkout."""

OWN_NAME = "config.toml"
"""In the user's own configuration directory."""

MAX_BYTES = 64 * 1024

SECRETS = ("embedding_token", "server_token")
"""What no checkout holds: everybody who works on it would have it."""


class SettingsFile(NamedTuple):
    """What stands in a file, by the settings' names, and the bytes that were read."""

    values: dict[str, str]
    content: bytes


def read(path: Path, *, within: Path | None = None) -> SettingsFile | None:
    """The file, or None where there is none. Raises ValidationError, which names the file, for one that makes no sense.

    Args:
        within: the checkout that it belongs to. A link out of it is not followed, and secrets are no settings there.
    """
    try:
        place = file_named_by_user(path) if within is None else file_of_checkout(within, path)
        content = place.read(MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _wrong(path, error.strerror or "it is not there in full") from None
    return SettingsFile(parse(path.name, content, secrets=within is None), content)


def parse(name: str, content: bytes, *, secrets: bool) -> dict[str, str]:
    """The settings in a file of this name. Raises ValidationError."""
    try:
        document = tomllib.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise _wrong(Path(name), str(error) or "it is nested too deeply") from None
    known = [key for key in KEYS if secrets or key not in SECRETS]
    values: dict[str, str] = {}
    for written, value in document.items():
        key = written.lower().removeprefix("localfirst_")
        if key not in known:
            raise ValidationError(f"{name}:{key}", f"is not a setting; there are {', '.join(known)}")
        if not isinstance(value, str):
            raise ValidationError(f"{name}:{key}", "must be text")
        if value:
            check(key, value)
        values[key] = value
    return values


def _wrong(path: Path, why: str) -> ValidationError:
    return ValidationError(
        path.name, "must be a readable TOML file", f"{path.name} cannot be read ({why}); mend it or take it away."
    )
