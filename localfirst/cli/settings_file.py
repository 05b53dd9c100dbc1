"""The project's name in `.localfirst.toml`: written where somebody asks for it, without touching what else stands there."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from localfirst_schema.errors import InvalidStateError, UnavailableError, ValidationError


def write_project(path: Path, name: str) -> None:
    """Adds ``project = NAME`` to the file. Raises InvalidStateError if it names another project already."""
    if not 1 <= len(name) <= 200 or not name.isprintable():
        raise ValidationError("project", "must have 1 to 200 printable characters")
    try:
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        known = tomllib.loads(present).get("project")
        if known is None:
            path.write_text(f"project = {json.dumps(name, ensure_ascii=False)}\n{present}", encoding="utf-8")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UnavailableError(f"{path.name} cannot be read or written ({error}); correct it by hand.") from None
    if known not in (None, name):
        raise InvalidStateError(f"{path.name} names the project {known!r} already; change it there.", project=known)
