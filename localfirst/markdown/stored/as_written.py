"""What a file says and a typed key cannot hold: it stands in the metadata beside it, as `KEY_as_written`.

`commit_hash: "2080f2a"` breaks the rule of 40 digits, so the row has `commit_hash_as_written`. Going back to a file the
value takes its own place again. Text that no store can hold (U+0000) is refused with a `ValidationError`.
"""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import msgspec
from localfirst_schema import timestamps, values
from localfirst_schema.errors import ValidationError
from localfirst_schema.metadata import check
from pydantic import BaseModel

from localfirst.markdown.comment import same

SUFFIX = "_as_written"


class Mapped(NamedTuple):
    """A field whose value had to be changed or moved to be stored."""

    field: str
    as_written: Any
    stored: Any


class Stored(NamedTuple):
    """The columns of a row, `metadata` among them as an object, and what had to be mapped on the way."""

    columns: dict[str, Any]
    mapped: tuple[Mapped, ...] = ()


def fit(model: type[BaseModel], metadata: dict[str, Any]) -> tuple[dict[str, Any], list[Mapped]]:
    """The metadata with every value that breaks its key's rule moved to `KEY_as_written`, and those values.

    Raises ValidationError for what can be stored under no key.
    """
    try:
        return check(model, metadata), []
    except ValidationError:
        pass
    fitted: dict[str, Any] = {}
    mapped = []
    for key, value in metadata.items():
        if keeps_rule(model, key, value):
            fitted[key] = value
        else:
            fitted[f"{key}{SUFFIX}"] = value
            mapped.append(Mapped(key, value, None))
    return check(model, fitted), mapped


def keeps_rule(model: type[BaseModel], key: str, value: Any) -> bool:
    """Whether a value may stand under its key."""
    try:
        check(model, {key: value})
    except ValidationError:
        return False
    return True


def take(metadata: dict[str, Any], key: str, kind: Any, model: type[BaseModel]) -> Any:
    """Takes a value out of the metadata, from its key or from `KEY_as_written`; None where there is none of that type.

    Args:
        kind: the type that the entry's field has.
    """
    written = f"{key}{SUFFIX}"
    if key in metadata:
        return metadata.pop(key) if _is(metadata[key], kind) else None
    if written in metadata and _is(metadata[written], kind) and not keeps_rule(model, key, metadata[written]):
        return metadata.pop(written)
    return None


def _is(value: Any, kind: Any) -> bool:
    try:
        return value is not None and same(msgspec.convert(value, kind), value)
    except msgspec.ValidationError:
        return False


def put_notes(metadata: dict[str, Any], notes: list[str]) -> None:
    """Adds what a person wrote beside an entry, as the list `notes`; what stands there already is not repeated."""
    if not notes:
        return
    key = "notes" if isinstance(metadata.get("notes", []), list) else "notes_kept"
    present = metadata.get(key)
    old = list(present) if isinstance(present, list) else []
    metadata[key] = old + [note for note in notes if note not in old]


def cut(text: str, limit: int) -> str:
    """The text, or as much of it as fits, ending in an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def day_of(moment: str) -> date | None:
    """The day of a store's time; None for one that the calendar of a file does not have (SQL can write the year 10000)."""
    try:
        return timestamps.parse(moment).date()
    except ValueError:
        return None


UNTITLED = "Untitled"
"""The title of an entry that shows none."""


def fitting_title(text: str, limit: int) -> str:
    """As much of a title as the store takes: one line, of which something can be seen."""
    return cut(values.fitting_line(checked("title", text), UNTITLED), limit)


def checked(field: str, text: str) -> str:
    """The text. Raises ValidationError if no store can hold it."""
    return values.check_text(field, text)
