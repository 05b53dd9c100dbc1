"""Rows in a few bytes, so that two stores can say over a thin line whether they hold the same: one digest for each of 256
ranges of ids.

A row is the JSON array of its columns as text, in the order of `Entity.column_names`, printed as PostgreSQL prints it, and
hashed; a range is the hash of its rows' hashes by rising id. Where two ranges differ their rows are compared one by one, by
what they mean: a number that is printed otherwise costs that, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from localfirst_schema.entities import Entity
from localfirst_schema.json_merge import same
from localfirst_schema.wire import decode_json

PREFIX = 2
"""A range are the ids that begin with so many equal digits."""


class Unlike(NamedTuple):
    """One row that two stores do not hold alike; `here` or `there` is None where it is not at all."""

    entity: Entity
    id: str
    columns: Sequence[str]
    here: Sequence[Any] | None
    there: Sequence[Any] | None


def bounds(prefix: str) -> tuple[str, str]:
    """The first and the last id of a range."""
    return _id(prefix.ljust(32, "0")), _id(prefix.ljust(32, "f"))


def digests(entity: Entity, rows: Iterable[Sequence[Any]]) -> dict[str, str]:
    """The digest of each range of these rows, which come by rising id."""
    found: dict[str, Any] = {}
    json_places = _json_places(entity)
    for row in rows:
        hashed = found.setdefault(row[0][:PREFIX], hashlib.sha256())
        hashed.update(_row_digest(row, json_places).encode())
    return {prefix: hashed.hexdigest() for prefix, hashed in found.items()}


def unlike(entity: Entity, here: Iterable[Sequence[Any]], there: Iterable[Sequence[Any]]) -> list[Unlike]:
    """The rows of a range that differ, by what their columns mean."""
    mine, theirs = {row[0]: row for row in here}, {row[0]: row for row in there}
    json_places = _json_places(entity)
    found = []
    for row_id in sorted(mine.keys() | theirs.keys()):
        one, other = mine.get(row_id), theirs.get(row_id)
        if one is None or other is None:
            found.append(Unlike(entity, row_id, (), one, other))
            continue
        places = [n for n in range(len(one)) if not _means_the_same(one[n], other[n], is_json=n in json_places)]
        if places:
            found.append(Unlike(entity, row_id, [entity.column_names[n] for n in places], one, other))
    return found


def _id(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _json_places(entity: Entity) -> frozenset[int]:
    return frozenset(n for n, name in enumerate(entity.column_names) if name in entity.json_columns)


def _row_digest(row: Sequence[Any], json_places: frozenset[int]) -> str:
    texts = [None if value is None else jsonb(value) if n in json_places else str(value) for n, value in enumerate(row)]
    return hashlib.sha256(json.dumps(texts, ensure_ascii=False).encode()).hexdigest()


def jsonb(text: str) -> str:
    """JSON text as `jsonb` prints it: shorter keys first, a space after colon and comma, numbers without an exponent."""
    return _printed(decode_json(text))


def _printed(value: Any) -> str:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_printed(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_printed, value)) + "]"
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return json.dumps(value, ensure_ascii=False)


def _means_the_same(one: Any, other: Any, *, is_json: bool) -> bool:
    if is_json and one is not None and other is not None:
        return same(decode_json(one), decode_json(other))
    return bool(one == other)
