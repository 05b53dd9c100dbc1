"""Differences and three-way merges of JSON documents: objects key by key at every level, lists and scalars whole.

Labels and acceptance criteria (`labels`) are lists that are sets: they merge element by element, and never clash.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from localfirst_schema.labels import SETS


class _Absent:
    """Stands for a key that is not there (JSON null is a value)."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


class Clash(NamedTuple):
    """One place that both sides changed differently; a side that lacks the key has `ABSENT`."""

    path: tuple[str, ...]
    base: Any
    mine: Any
    theirs: Any


def same(a: Any, b: Any) -> bool:
    """Whether two JSON values are equal; unlike in Python, true is not 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(value, b[key]) for key, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def difference(old: Any, new: Any) -> tuple[Any, Any] | None:
    """What changed from `old` to `new`: both sides reduced to the keys that differ, or None if nothing does."""
    if same(old, new):
        return None
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return old, new
    old_part, new_part = {}, {}
    for key in old.keys() | new.keys():
        before, after = old.get(key, ABSENT), new.get(key, ABSENT)
        if before is ABSENT:
            new_part[key] = after
        elif after is ABSENT:
            old_part[key] = before
        elif (part := difference(before, after)) is not None:
            old_part[key], new_part[key] = part
    return old_part, new_part


def apply(old_part: Any, new_part: Any, onto: Any) -> Any:
    """Carries out a difference on `onto`, whatever stood there before."""
    return merge(old_part, new_part, onto, [], overwrite=True)


def merge(
    base: Any, mine: Any, theirs: Any, clashes: list[Clash], path: tuple[str, ...] = (), *, overwrite: bool = False
) -> Any:
    """Carries out my change (`base` → `mine`, as from `difference`) on `theirs`, and returns the result.

    Where `theirs` was changed too and differently, theirs stays and a `Clash` is appended to `clashes`; with `overwrite`
    mine goes in instead and nothing is appended.
    """
    if base is ABSENT and isinstance(mine, dict) and isinstance(theirs, dict):
        base = {}  # both sides added an object here: their keys meet one by one
    if isinstance(base, dict) and isinstance(mine, dict) and isinstance(theirs, dict):
        result = dict(theirs)
        for key in {**base, **mine}:
            value = merge(
                base.get(key, ABSENT),
                mine.get(key, ABSENT),
                theirs.get(key, ABSENT),
                clashes,
                (*path, key),
                overwrite=overwrite,
            )
            if value is ABSENT:
                result.pop(key, None)
            else:
                result[key] = value
        return result
    if path in SETS and not (overwrite and same(theirs, base)) and (met := _met(path, base, mine, theirs)) is not None:
        return met
    if overwrite or theirs is base or same(theirs, base) or same(theirs, mine):
        return mine
    clashes.append(Clash(path, base, mine, theirs))
    return theirs


def _met(path: tuple[str, ...], base: Any, mine: Any, theirs: Any) -> Any:
    """What two changes of a list that is a set come to; None for what is no such list."""
    is_set, merged = SETS[path]
    sides = [[] if side is ABSENT else side for side in (base, mine, theirs)]
    if not all(is_set(side) for side in sides):
        return None
    return merged(*sides) or (ABSENT if mine is ABSENT or theirs is ABSENT else [])


def patched_places(patch: Any, path: tuple[str, ...]) -> list[Clash]:
    """The places that a merge patch wants to change, of which nobody knows what stood there: a removed key had a null."""
    if not isinstance(patch, dict):
        return [Clash(path, ABSENT, patch, ABSENT)]
    return [
        Clash((*path, key), None, ABSENT, ABSENT) if value is None else Clash((*path, key), ABSENT, without_null(value), ABSENT)
        for key, value in patch.items()
    ]


def unlike_patch(patch: Any, theirs: Any, path: tuple[str, ...]) -> list[Clash]:
    """The places where a document says something else than a merge patch wants; what stood there before is not known."""
    if not (isinstance(patch, dict) and isinstance(theirs, dict)):
        return [] if same(merge_patch(theirs, patch), theirs) else [Clash(path, ABSENT, without_null(patch), theirs)]
    found: list[Clash] = []
    for key, value in patch.items():
        there = theirs.get(key, ABSENT)
        if value is None:
            if there is not ABSENT:
                found.append(Clash((*path, key), None, ABSENT, there))
        elif isinstance(value, dict) and isinstance(there, dict):
            found += unlike_patch(value, there, (*path, key))
        elif there is ABSENT or not same(without_null(value), there):
            found.append(Clash((*path, key), ABSENT, without_null(value), there))
    return found


def without_null(patch: Any) -> Any:
    """What a merge patch makes where nothing was."""
    return merge_patch(None, patch)


def merge_patch(target: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7396): null removes a key, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result
