"""What a row was at each of its versions: its history, carried out from the creation on.

Pure. A line of the history tells a change as it was made; its outcome and what stood before it say what it came to:

==========  ==========================================================================================================
outcome     what the line left in the row
==========  ==========================================================================================================
accepted    all of it
merged      all of it: what another had set alike was so already. Of two times of archiving the earlier one stands, of two
            deletions the first, of two ends of a lease the later, of two spellings of a name the one that is there. A creation
            of what is there fills in the rest, one of what was deleted makes all of it anew. A change of such a time that knew
            the one which is there says when it was: it stands.
lost        nothing. What did not clash of it has a line of its own, merged, at the same version.
==========  ==========================================================================================================
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from localfirst_schema.change_fields import fields_of
from localfirst_schema.entities import Entity, Role
from localfirst_schema.json_merge import ABSENT, merge, merge_patch
from localfirst_schema.wire import Fields, Row, decode_fields, decode_json

from localfirst_sync.ports import Line

Content: TypeAlias = dict[str, Any]
"""Column → value, JSON decoded, of the columns that changes can name."""

_NEVER_EMPTY = ("item_type", "name", "title", "work_item_id", "deployment_id", "deployed_at", "active_context_type")
"""Columns without which no row is created, and of which one was empty before its creation alone."""


def nothing(entity: Entity) -> Content:
    """The content of a row before it was created."""
    return dict.fromkeys(name for name in entity.sent_columns if name != "created_at")


def content(entity: Entity, row: Row) -> Content:
    """The content of a row; of a vendor too, whichever store it comes from."""
    return {name: _value(entity, row, name) for name in nothing(entity)}


def is_creation(fields: Fields) -> bool:
    """Whether a change is the creation of its row: it fills in what is never empty."""
    return any(
        name in fields
        and fields[name].get("old") is None
        and not fields[name].get("blind")
        and fields[name].get("new") is not None
        for name in _NEVER_EMPTY
    )


def begins_with_creation(lines: Sequence[Line]) -> bool:
    """Whether these lines, in their order, go back to where there was nothing. What was lost before has left nothing."""
    first = next((line for line in lines if line.outcome != "lost"), None)
    return first is not None and is_creation(decode_fields(first.fields))


def replayed(entity: Entity, lines: Sequence[Line], begin: Content) -> Iterator[Content]:
    """The content after each line, in their order, from `begin` on."""
    now = begin
    for line in lines:
        now = now if line.outcome == "lost" else _after(entity, now, fields_of(entity, line.fields), line.outcome)
        yield now


def _after(entity: Entity, before: Content, fields: Fields, outcome: str) -> Content:
    if before["deleted_at"] is not None and is_creation(fields):
        before = nothing(entity) | {name: before[name] for name in entity.natural_key if name in before}
    after = dict(before)
    for name, change in fields.items():
        if name in after:
            after[name] = _value_after(entity, name, change, before[name], outcome)
    return after


def _value_after(entity: Entity, name: str, change: dict[str, Any], there: Any, outcome: str) -> Any:
    new = change.get("new")
    if name in entity.json_columns:
        if change.get("blind"):
            return merge_patch(there, new)
        if there is None and isinstance(new, dict):
            there = {}
        value = merge(change.get("old"), new, there, [], (name,), overwrite=True)
        return None if value is ABSENT else value
    if change.get("old") is None and _names_the_same(entity, name, there, new):
        return there  # (what has an old spelling is logged by a recovery, which says how the name is spelled now)
    if outcome != "merged" or there is None or change.get("old") == there:
        return new
    if entity.by_name[name].role is Role.EARLIEST:
        return min(there, new or there)
    if entity.by_name[name].role is Role.LATEST:
        return new and max(there, new)
    return there if name == "deleted_at" and new is not None else new


def _names_the_same(entity: Entity, name: str, there: Any, new: Any) -> bool:
    if name not in entity.natural_key or not (isinstance(there, str) and isinstance(new, str)):
        return False
    return unicodedata.normalize("NFC", there) == unicodedata.normalize("NFC", new)


def _value(entity: Entity, row: Row, name: str) -> Any:
    value = row[name]
    if value is not None and name in entity.json_columns:
        return decode_json(value)
    return bool(value) if value is not None and name in entity.boolean_columns else value
