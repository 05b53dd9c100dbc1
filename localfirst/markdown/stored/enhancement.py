"""An enhancement's line and its row.

The row has no metadata: what its columns cannot hold is reported as mapped, and whoever writes the row keeps it.
"""

from __future__ import annotations

import re
from typing import Any

from localfirst_schema import values
from localfirst_schema.wire import Row, decode_json

from localfirst.markdown.document import Enhancement
from localfirst.markdown.enhancement import PRIORITIES, read_quarter
from localfirst.markdown.stored.as_written import Mapped, Stored, checked, cut, fitting_title

TITLE_LIMIT = 200
DESCRIPTION_LIMIT = 10_000
STATUSES = ("planned", "approved", "implementing", "completed")
_PRINCIPLES = "requires_constitutional_principles"

_WORDS = {"p0": "high", "p1": "high", "p2": "medium", "p3": "low"}
_WORDS |= {"1": "high", "2": "high", "3": "medium", "4": "low", "5": "low"}


def enhancement_of(row: Row) -> Enhancement:
    """The line's content of a row. `planned`, what every new one is, is not said."""
    principles = row[_PRINCIPLES]
    return Enhancement(
        title=row["title"],
        priority=row["priority"],
        target_quarter=row["target_quarter"],
        status=None if row["status"] == "planned" else row["status"],
        description=row["description"],
        record={} if principles is None else {_PRINCIPLES: decode_json(principles)},
    )


def enhancement_columns(enhancement: Enhancement) -> Stored:
    """The columns that a line stands for. One without a priority gets the store's default, and that is said."""
    title = enhancement.title
    quarter = read_quarter(enhancement.target_quarter) if enhancement.target_quarter else None
    description = enhancement.description
    status = enhancement.status if enhancement.status in STATUSES else "planned"
    principles = _principles(enhancement.record)
    columns: dict[str, Any] = {
        "title": fitting_title(title, TITLE_LIMIT),
        "description": None if description is None else cut(checked("description", description), DESCRIPTION_LIMIT),
        "priority": priority_of(enhancement.priority),
        "status": status,
        "target_quarter": quarter,
        _PRINCIPLES: principles,
    }
    mapped = [
        Mapped(field, written, columns[field])
        for field in ("title", "description", "priority", "target_quarter")
        if (written := getattr(enhancement, field)) != columns[field] and not (field == "target_quarter" and quarter)
    ]
    if enhancement.status not in (None, status):
        mapped.append(Mapped("status", enhancement.status, status))
    rest = {key: value for key, value in enhancement.record.items() if not (key == _PRINCIPLES and value == principles)}
    if rest:
        mapped.append(Mapped("record", rest, None))
    if enhancement.requires_constitutional_principles is not None:
        mapped.append(Mapped(_PRINCIPLES, enhancement.requires_constitutional_principles, principles))
    for one in mapped:
        values.check_json(one.field, one.as_written)
    return Stored(columns, tuple(mapped))


def priority_of(word: str | None) -> str:
    """The store's priority for a file's: high, medium, low, `P0` to `P3`, 1 to 5; medium for anything else and none."""
    if word is None:
        return "medium"
    folded = re.sub(r"\s", "", word).lower()
    return folded if folded in PRIORITIES else _WORDS.get(folded, "medium")


def _principles(record: dict[str, Any]) -> list[str] | None:
    value = record.get(_PRINCIPLES)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return list(values.check_json(_PRINCIPLES, value))
    return None
