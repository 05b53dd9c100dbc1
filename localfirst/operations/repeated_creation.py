"""A creation that comes again is answered again if it is the one that was carried out, whatever happened to the row since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.errors import DuplicateError
from localfirst_schema.json_merge import same
from localfirst_schema.wire import Row, decode_fields, decode_json

# Two machines may have created it; an item's type is given by its creation alone.
_CREATIONS = """
    SELECT fields FROM history WHERE entity_id = ? AND entity = ? AND fields LIKE '%"item_type"%' ORDER BY version, history_id
"""


def check_repeated(connection: apsw.Connection, found: Row, values: dict[str, Any]) -> None:
    """Raises DuplicateError unless `values` are what the item was created with, or what it holds now.

    The last is for creations that this replica's history does not reach back to.
    """
    other: str | None = None
    for content in _contents(connection, found):
        differing = next((name for name, value in values.items() if not same(content[name], value)), None)
        if differing is None:
            return
        other = other or differing
    raise DuplicateError(
        f"there is a work item {found['id']} already, with another {other}; leave out `id` to create a new one, or use"
        " update_work_item.",
        entity="work_item",
        id=found["id"],
        field=other,
    )


def _contents(connection: apsw.Connection, found: Row) -> Iterator[dict[str, Any]]:
    """What the item holds, and what it was created with."""
    present = found | {"metadata": decode_json(found["metadata"])}
    nothing = dict.fromkeys(found) | {"metadata": {}} | {name: found[name] for name in ("id", "created_at")}
    for (text,) in connection.execute(_CREATIONS, (found["id"], WORK_ITEM.name)):
        fields = decode_fields(str(text))
        if fields.get("item_type", {}).get("old", "") is None:
            yield nothing | {name: change.get("new") for name, change in fields.items()}
    yield present
