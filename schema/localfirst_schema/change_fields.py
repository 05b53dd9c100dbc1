"""The fields of a change, with values as rows have them.

What somebody changed by SQL stands in the log with times as PostgreSQL writes them into JSON: in UTC with an offset, in
boards from before in the time zone of whoever wrote. Whoever carries a change out, or compares it with a row, reads it here, so
that one moment is one text everywhere.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from localfirst_schema import timestamps
from localfirst_schema.entities import Entity
from localfirst_schema.wire import Fields, decode_fields


def fields_of(entity: Entity, text: str) -> Fields:
    """The JSON text of the fields of a change of this entity, decoded, with times in the canonical form.

    A text that is no time of ours (a server without limits may have had it) stays as it is. Raises `msgspec.DecodeError`.
    """
    fields = decode_fields(text)
    for name in entity.timestamp_columns & fields.keys():
        fields[name] = {side: _canonical(value) for side, value in fields[name].items()}
    return fields


def _canonical(value: Any) -> Any:
    if isinstance(value, str):
        with suppress(ValueError):
            return timestamps.of_line(value)
    return value
