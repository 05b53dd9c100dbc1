"""What a row says, whoever stores it: compared value by value, JSON as JSON, without what each change brings by itself."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from localfirst_schema.entities import ENTITY, Entity, Role
from localfirst_schema.json_merge import ABSENT, merge, same
from localfirst_schema.wire import Fields, Row

Path = tuple[str, ...]


@lru_cache(maxsize=50_000)
def parsed(text: str) -> Any:
    """JSON text as a value, which nobody may change."""
    return json.loads(text)


@lru_cache(maxsize=50_000)
def canonical(text: str) -> str:
    """JSON text in the one form that equal documents share."""
    return json.dumps(parsed(text), sort_keys=True)


def data_columns(entity: Entity) -> tuple[str, ...]:
    """The columns that people fill."""
    return tuple(column.name for column in entity.columns if column.role not in (Role.AUDIT, Role.DERIVED))


def content(entity: Entity, row: Row | None) -> Row | None:
    """The data of a row; JSON decoded, booleans as booleans."""
    return None if row is None else {name: value_of(entity, row, name) for name in data_columns(entity)}


def whole(entity: Entity, row: Row) -> Row:
    """Everything that a row has, in the form that both stores share."""
    return {name: value_of(entity, row, name) for name in entity.column_names}


def value_of(entity: Entity, row: Row, name: str) -> Any:
    """One value."""
    value = row[name]
    if value is not None and name in entity.json_columns:
        return parsed(value)
    return bool(value) if name in entity.boolean_columns else value


def undone(entity: Entity, after: Row, fields: Fields) -> Row:
    """The content that somebody had before them who changed `fields` and now has `after`."""
    before = dict(after)
    for name, change in fields.items():
        if name not in before or change.get("blind"):
            continue
        if name in entity.json_columns:
            value = merge(change["new"], change["old"], after[name], [], overwrite=True)
            before[name] = None if value is ABSENT else value
        else:
            before[name] = change["old"]
    return before


def places(entity: str, fields: Fields, theirs: Row) -> Iterator[tuple[Path, Any, Any, Any]]:
    """Each place that a change touches: (path, old, new, what the row has there), `ABSENT` for a key that is not there."""
    json_columns = ENTITY[entity].json_columns
    for name, change in fields.items():
        there = theirs.get(name)
        if name in json_columns:
            if there is None and isinstance(change["old"], dict):
                there = {}
            yield from _places((name,), change["old"], change["new"], there)
        else:
            yield (name,), change["old"], change["new"], there


def _places(path: Path, old: Any, new: Any, theirs: Any) -> Iterator[tuple[Path, Any, Any, Any]]:
    if old is ABSENT and isinstance(new, dict) and isinstance(theirs, dict):
        old = {}
    if isinstance(old, dict) and isinstance(new, dict) and isinstance(theirs, dict):
        for key in {**old, **new}:
            yield from _places((*path, key), old.get(key, ABSENT), new.get(key, ABSENT), theirs.get(key, ABSENT))
    else:
        yield path, old, new, theirs


def at(tree: Any, path: Path) -> Any:
    """What stands at a path, or `ABSENT`."""
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return ABSENT
        tree = tree[key]
    return tree


def spelled_alike(entity: Entity, name: str, a: Any, b: Any) -> bool:
    """Whether two texts name one thing: what identifies a row is compared in its normal form."""
    if name not in entity.natural_key or not (isinstance(a, str) and isinstance(b, str)):
        return False
    return unicodedata.normalize("NFC", a) == unicodedata.normalize("NFC", b)


def equal(a: Any, b: Any) -> bool:
    """Whether two values are equal; absent is equal to absent alone."""
    return a is b if a is ABSENT or b is ABSENT else same(a, b)
