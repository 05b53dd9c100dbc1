"""Work items as callers name them: by the id, by the beginning of it, or by the ref. An operation is given the id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.errors import NotFoundError, ValidationError
from localfirst_schema.identifiers import UUID_LENGTH
from localfirst_schema.types import Arguments

from localfirst.replica import refs
from localfirst.replica.rows import find

if TYPE_CHECKING:
    from localfirst.client.ports import Reader


def resolved(session: Reader, arguments: Arguments) -> Arguments:
    """The arguments with whole ids. One that is whole is taken as it is, known or not.

    Raises NotFoundError for what names nothing, also after a pull; ValidationError for what names several items.
    """
    changed: dict[str, Any] = {}
    for field in arguments.item_names():
        value = getattr(arguments, field)
        if isinstance(value, list):
            ids = [item_id(session, f"{field}[{place}]", name) for place, name in enumerate(value)]
            if ids != value:
                changed[field] = ids
        elif value is not None and len(value) != UUID_LENGTH:
            changed[field] = item_id(session, field, value)
    return arguments.model_copy(update=changed) if changed else arguments


def item_id(session: Reader, field: str, name: str) -> str:
    """The id of the item that `name` (as `types.ItemId` has it) names. Raises as `resolved` does."""
    if len(name) == UUID_LENGTH:
        return name
    found = refs.named(session.replica, name)
    if not found and session.catch_up():
        found = refs.named(session.replica, name)
    if not found:
        raise NotFoundError(
            f"there is no work item {name} in this project; list or search to find it.", entity=WORK_ITEM.name, id=name
        )
    if len(found) > 1:
        raise _ambiguous(session, field, name, found)
    return found[0]


def _ambiguous(session: Reader, field: str, name: str, found: list[str]) -> ValidationError:
    reported = found[: refs.CANDIDATES_LISTED]
    candidates = [
        {"ref": ref, "id": one, "title": cast("dict[str, Any]", find(session.replica, WORK_ITEM, one))["title"]}
        for ref, one in zip(refs.displayed_refs(session.replica, reported), reported, strict=True)
    ]
    listed = ", ".join(f"{one['ref']} ({one['title']})" for one in candidates)
    more = " and more" if len(found) > len(reported) else ""
    return ValidationError(
        field,
        "must name one work item",
        f"{name} names several work items: {listed}{more}; give more of the one you mean.",
        candidates=candidates,
    )
