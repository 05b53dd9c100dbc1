"""Conflicts as they are kept: base, mine and theirs of the fields that clash, as trees of columns and metadata keys.

Pure. Later clashes of the same row from the same replica join its open conflict, so that a person settles a row once. A
conflict's own changes are logged like those of any row, under the entity name `conflict`, with versions from 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from localfirst_schema.entities import Column, Entity, Kind
from localfirst_schema.identifiers import natural_id
from localfirst_schema.json_merge import ABSENT, Clash, apply, same
from localfirst_schema.wire import Fields, Mutation, Row, decode_json

from localfirst_sync.ports import CONFLICT_COLUMNS, CONFLICT_TABLE

CONFLICT = "conflict"
"""The entity name under which changes of conflicts are logged and pushed."""

_KINDS = {
    **dict.fromkeys(("id", "entity_id", "act_id", "replica_id"), Kind.UUID),
    **dict.fromkeys(("fields", "base", "mine", "theirs"), Kind.JSON),
    **dict.fromkeys(("base_version", "my_version", "their_version"), Kind.INTEGER),
    **dict.fromkeys(("created_at", "resolved_at"), Kind.TIMESTAMP),
}

CONFLICTS = Entity(CONFLICT, CONFLICT_TABLE, tuple(Column(name, _KINDS.get(name, Kind.TEXT)) for name in CONFLICT_COLUMNS))
"""The table of conflicts, for whoever treats it like those of the entities."""

SETTLING_FIELDS = ("resolved_at", "resolved_by", "resolution")
"""What a mutation of a conflict may set, once."""

Tree: TypeAlias = dict[str, Any]


class Draft(NamedTuple):
    """One change that clashed: `base` and `mine` hold what it touched, `current` is the server's row before it."""

    mutation: Mutation
    entity: Entity | None
    base: Tree
    mine: Tree
    current: Row | None
    reason: str


class Record(NamedTuple):
    """A conflict as a row, and the version of it that the log has."""

    row: Row
    version: int


def trees(clashes: Iterable[Clash]) -> tuple[Tree, Tree]:
    """Base and mine of all clashes, nested by their paths; a side that lacks a key lacks it here too."""
    base: Tree = {}
    mine: Tree = {}
    for clash in clashes:
        _put(base, clash.path, clash.base)
        _put(mine, clash.path, clash.mine)
    return base, mine


def record(project_id: str, replica_id: str, draft: Draft, act_id: str) -> Row:
    """The row of a new conflict. `created_at` is left to the server."""
    mutation, current = draft.mutation, draft.current
    return {
        "id": conflict_id(project_id, replica_id, mutation.number, mutation.at),
        "entity": mutation.entity,
        "entity_id": mutation.id,
        "fields": leaves(draft.base, draft.mine),
        "base": draft.base,
        "mine": draft.mine,
        "theirs": theirs(draft),
        "base_version": mutation.base_version,
        "my_version": mutation.version,
        "their_version": None if current is None else current["version"],
        "my_by": mutation.by,
        "their_by": None if current is None else current["updated_by"],
        "reason": draft.reason,
        "act_id": act_id,
        "replica_id": replica_id,
        "created_at": None,
        **dict.fromkeys(SETTLING_FIELDS),
    }


def joined(earlier: Row, draft: Draft, act_id: str) -> Row:
    """The open conflict `earlier` after one more clash: its base stays, mine is the newest, theirs the present."""
    base, mine = _one_after_the_other(earlier["base"], earlier["mine"], draft.base, draft.mine)
    whole = draft._replace(base=base, mine=mine)
    later = record("", earlier["replica_id"], whole, act_id)
    kept = {name: earlier[name] for name in ("id", "base_version", "created_at")}
    if draft.current is None and earlier["their_version"] is not None:
        kept |= {"theirs": earlier["theirs"], "their_version": earlier["their_version"], "their_by": earlier["their_by"]}
    return later | kept


def followed(earlier: Row, mutation: Mutation, entity: Entity, changes: Fields, current: Row) -> Row | None:
    """The open conflict `earlier` after a change of the same branch that does not clash itself: it goes on from mine there.

    What a branch comes to is what counts: where that is what the row has, nothing is left to settle, and where nothing is left
    anywhere the conflict is settled by whoever made the change. None: the change is not of that branch.
    """
    old = {name: sides["old"] for name, sides in changes.items() if not sides.get("blind")}
    new = {name: sides["new"] for name, sides in changes.items() if not sides.get("blind")}
    base, mine = _of_branch(earlier["base"], earlier["mine"], old, new)
    if not (base or mine):
        return None
    draft = Draft(mutation, entity, base, mine, current, earlier["reason"])
    later = joined(earlier, draft, earlier["act_id"])
    if is_about_something(later):
        return _without_settled(later, _leaf_paths(base, mine, ()))
    return settled_by(later, mutation)


def settled_by(conflict: Row, mutation: Mutation) -> Row:
    """The conflict, settled by a change of its own branch: nothing is left that differs from the row."""
    return conflict | {"resolved_at": mutation.at, "resolved_by": mutation.by, "resolution": "theirs"}


def is_about_something(conflict: Row) -> bool:
    """Whether mine differs from theirs in any place. Of a row that is not there everything differs."""
    if conflict["their_version"] is None:
        return bool(conflict["base"] or conflict["mine"])
    paths = _leaf_paths(conflict["base"], conflict["mine"], ())
    return any(not _equal(_at(conflict["mine"], path), _at(conflict["theirs"], path)) for path in paths)


def _without_settled(conflict: Row, paths: Iterable[tuple[str, ...]]) -> Row:
    """The conflict without those of the places at which mine is what the row has."""
    for path in paths:
        if _equal(_at(conflict["mine"], path), _at(conflict["theirs"], path)):
            conflict |= {side: _cut(conflict[side], path) for side in ("base", "mine", "theirs")}
    return conflict | {"fields": leaves(conflict["base"], conflict["mine"])}


def conflict_id(project_id: str, replica_id: str, number: int, at: str) -> str:
    """The id of the conflict that a mutation opens. Its time is part of it: a copy of a replica's file may use a number again
    after the server that knew the first was set back, and the conflict of the first may have been brought back."""
    return natural_id(project_id, CONFLICT, replica_id, str(number), at)


def theirs(draft: Draft) -> Tree:
    """The server's values of everything that the draft touches."""
    if draft.current is None or draft.entity is None:
        return {}
    found: Tree = {}
    for name in {**draft.base, **draft.mine}:
        value = draft.current.get(name)
        if value is not None and name in draft.entity.json_columns:
            value = decode_json(value)
        found[name] = _picked(value, draft.base.get(name, ABSENT), draft.mine.get(name, ABSENT))
    return found


def leaves(base: Tree, mine: Tree) -> list[str]:
    """The dotted names of the places that clash, in order: ``["metadata.priority", "title"]``."""
    return sorted(".".join(path) for path in _leaf_paths(base, mine, ()))


def settles(mutation: Mutation, changes: Mapping[str, Any]) -> bool:
    """Whether a mutation of a conflict is of the one form that there is."""
    return mutation.entity == CONFLICT and "resolved_at" in changes and changes.keys() <= set(SETTLING_FIELDS)


def _of_branch(base: Tree, mine: Tree, old: Tree, new: Tree) -> tuple[Tree, Tree]:
    """The part of a change (`old` → `new`) that goes on from `mine`, place by place."""
    before: Tree = {}
    after: Tree = {}
    for key in {**old, **new}:
        if key not in base and key not in mine:
            continue
        sides = [side.get(key, ABSENT) for side in (mine, old, new)]
        if all(isinstance(side, dict) for side in sides):
            inner = base.get(key)
            first, second = _of_branch(inner if isinstance(inner, dict) else {}, *sides)
            if first or second:
                before[key], after[key] = first, second
        elif _equal(sides[0], sides[1]):
            _put(before, (key,), sides[1])
            _put(after, (key,), sides[2])
    return before, after


def _cut(tree: Tree, path: tuple[str, ...]) -> Tree:
    rest = {key: value for key, value in tree.items() if key != path[0]}
    inner = tree.get(path[0])
    if len(path) > 1 and isinstance(inner, dict):
        return rest | {path[0]: _cut(inner, path[1:])}
    return rest


def _equal(one: Any, other: Any) -> bool:
    return one is other if one is ABSENT or other is ABSENT else same(one, other)


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return ABSENT
        tree = tree[key]
    return tree


def _put(tree: Tree, path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    if value is not ABSENT:
        tree[path[-1]] = value


def _leaf_paths(base: Tree, mine: Tree, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    paths: list[tuple[str, ...]] = []
    for key in {**base, **mine}:
        one, other = base.get(key, ABSENT), mine.get(key, ABSENT)
        if isinstance(one, dict) and isinstance(other, dict) and (one or other):
            paths += _leaf_paths(one, other, (*path, key))
        else:
            paths.append((*path, key))
    return paths


def _picked(value: Any, base: Any, mine: Any) -> Any:
    if not (isinstance(value, dict) and isinstance(base, dict) and isinstance(mine, dict)):
        return value
    return {key: _picked(value[key], base.get(key, ABSENT), mine.get(key, ABSENT)) for key in {**base, **mine} if key in value}


def _one_after_the_other(old_1: Any, new_1: Any, old_2: Any, new_2: Any) -> tuple[Any, Any]:
    """Two differences as one: where both touch a place, the first one's old value and the second one's new value."""
    old: Tree = {}
    new: Tree = {}
    for key in {**old_1, **new_1, **old_2, **new_2}:
        sides = [side.get(key, ABSENT) for side in (old_1, new_1, old_2, new_2)]
        first, second = sides[:2] != [ABSENT, ABSENT], sides[2:] != [ABSENT, ABSENT]
        if first and second and all(isinstance(side, dict) for side in sides):
            before, after = _one_after_the_other(*sides)
        else:
            before, after = sides[0] if first else sides[2], sides[3] if second else sides[1]
            # Of an object that came as a whole the second names only what it changed in it; so does the first of one that goes.
            if first and second and all(isinstance(side, dict) for side in sides[1:]):
                after = apply(sides[2], sides[3], sides[1])
            elif first and second and all(isinstance(side, dict) for side in sides[:3]):
                before = apply(sides[1], sides[0], sides[2])
        if first and second and before == after == {}:
            continue  # all that the first changed in this object the second has taken back
        if before is not ABSENT:
            old[key] = before
        if after is not ABSENT:
            new[key] = after
    return old, new
