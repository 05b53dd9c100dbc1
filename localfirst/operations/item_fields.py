"""The fields of a work item that stand in its metadata: given as arguments, they become keys of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from localfirst_schema.errors import ValidationError
from localfirst_schema.labels import labels
from localfirst_schema.metadata import ITEM_FIELDS


def with_given(metadata: dict[str, Any] | None, given: dict[str, Any]) -> dict[str, Any] | None:
    """Metadata, or a merge patch of it, with the fields that stand beside it. Raises ValidationError for one that is in both.

    Args:
        given: argument → value; None empties the field.
    """
    fields = {name: value for name, value in given.items() if name in ITEM_FIELDS}
    for name in fields:
        if name in (metadata or {}):
            raise ValidationError(name, "must not stand beside the same key in metadata; give one of the two")
    return metadata if not fields else {**(metadata or {}), **fields}


def check_label_changes(add: Iterable[str], remove: Iterable[str], *, is_given: bool) -> None:
    """Raises ValidationError for labels that are added and removed at once, or named beside the whole list."""
    if is_given and (add or remove):
        raise ValidationError("labels", "must not stand beside add_labels or remove_labels; give the list or the changes")
    if both := sorted({*add} & {*remove}):
        raise ValidationError("add_labels", f"must not name what remove_labels names too ({', '.join(both)})")


def with_labels_changed(before: dict[str, Any], add: Iterable[str], remove: Iterable[str]) -> list[str]:
    """The labels of an item with some added and some removed. Raises ValidationError for too many."""
    there = before.get("labels")
    kept = {one for one in there if isinstance(one, str)} if isinstance(there, list) else set()
    try:
        return labels([*((kept | {*add}) - {*remove})])
    except ValueError as error:
        raise ValidationError("add_labels", str(error)) from None
