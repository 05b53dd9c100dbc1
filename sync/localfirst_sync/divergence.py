"""One row with two histories: what the server remembers of it, and what a replica remembers, after the server was restored.

Pure. Both histories are histories of changes; a change is the same change when it says the same, whoever brings it. From where
they part follows what is to be done with the row:

=========================================  ===========================================================================
the histories                                  the row
=========================================  ===========================================================================
the replica's is part of the server's      stands as the server has it
the server's is part of the replica's      becomes the replica's again, with its version, times and authors
they part                                  what the replica's branch did is merged into the server's row like any
                                           change: disjoint fields merge, others become a conflict
where they part is not known               every field that differs becomes a conflict
=========================================  ===========================================================================

It is not known where they part when the replica no longer has the beginning of its branch, and the row before it is not the one
that the server had then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from localfirst_schema.change_fields import fields_of
from localfirst_schema.entities import CONFIGURATION, Entity, Role
from localfirst_schema.json_merge import difference, merge, same
from localfirst_schema.wire import Fields, Row, decode_fields, decode_json, encode_json

from localfirst_sync import lease
from localfirst_sync.displayed_versions import is_creation
from localfirst_sync.ports import Line


class Union(NamedTuple):
    """What the two histories come to.

    Attributes:
        older: changes that the server lacks although it has later ones: to be logged again as they were.
        branch: the changes of the replica's branch, in order.
        fields: what the branch did to the row, as one change; None: the row stands as the server has it.
        base_version: the version that the branch began from; 0 when the server has no such row.
        parted: whether the server's row has changes that the branch does not know.
    """

    older: Sequence[Line]
    branch: Sequence[Line]
    fields: Fields | None
    base_version: int
    parted: bool


def unite(entity: Entity, mine: Row | None, my_lines: Sequence[Line], theirs: Row | None, their_lines: Sequence[Line]) -> Union:
    """Compares the histories of one row.

    Args:
        mine: the row as the replica had it from the server, or None.
        my_lines: the replica's history of it, by rising version.
        theirs: the row as the server has it, or None.
        their_lines: the server's history of it, whole.
    """
    if mine is not None and (theirs is None or mine["version"] > theirs["version"]):
        my_lines = _completed(entity, mine, my_lines)
    counterparts = match(my_lines, their_lines)
    missing = [line for line, known in zip(my_lines, counterparts, strict=True) if known is None]
    if mine is None and entity is not CONFIGURATION:
        # Changes of a row that was never seen here: nobody can say any more what they were made of.
        return Union([line._replace(outcome="lost") for line in missing], (), None, 0, False)
    if mine is None or (theirs is not None and is_same(entity, mine, theirs)):
        return Union(missing, (), None, 0, False)
    if theirs is None:
        # With every change known to the server and no row there, its creation was refused, and stands in a conflict.
        return Union((), _from_the_creation(entity, mine, missing), creation(entity, mine) if missing else None, 0, False)
    common = _last_common(my_lines, counterparts, their_lines)
    place = -1 if common is None else common[0]
    branch = my_lines[place + 1 :]
    older = [line for line, known in zip(my_lines[: place + 1], counterparts, strict=False) if known is None]
    # Of the branch the server may have single changes, decided in its own past: they are not logged again.
    unlogged = [line for line, known in zip(branch, counterparts[place + 1 :], strict=True) if known is None]
    if branch and not unlogged:
        return Union(older, (), None, 0, False)
    if not branch:
        if my_lines or _is_past(mine, their_lines):
            return Union(older, (), None, 0, False)
        differing = _all_that_differs(entity, mine, theirs)
        whole = Line(mine["version"], mine["updated_by"], mine["updated_at"], "accepted", encode_json(differing))
        return Union(older, [whole], differing, max(1, mine["version"]), True)
    begins = branch[0].version - 1 if common is None else common[1]
    continues = Union(older, unlogged, changes(entity, theirs, mine), theirs["version"], False)
    if entity is CONFIGURATION and theirs["version"] == 1:
        return continues  # every project starts with this row: it is in the past of all others
    base = undone(entity, mine, branch)
    if common is None and begins > 0:
        later = [line for line in their_lines if line.version > begins]
        if not is_same(entity, base, undone(entity, theirs, later), but_for_audit=True):
            return Union(older, unlogged, _all_that_differs(entity, mine, theirs), begins, True)
    else:
        later = _unknown(my_lines, counterparts, their_lines)
    if not later:
        return continues
    if begins == 0:
        base = dict.fromkeys(base)
    return Union(older, unlogged, changes(entity, base, mine), max(1, begins), True)


def _from_the_creation(entity: Entity, mine: Row, missing: Sequence[Line]) -> Sequence[Line]:
    """The changes that the server lacks of a row that is not there. If it tells the creation already, it has refused that: what
    stands before these changes is logged as one of nobody's, since it is in the row from now on."""
    if not missing or is_creation(decode_fields(missing[0].fields)):
        return missing
    before = creation(entity, undone(entity, mine, missing))
    return [Line(missing[0].version, None, mine["created_at"], "merged", encode_json(before)), *missing]


def match(my_lines: Sequence[Line], their_lines: Sequence[Line]) -> list[Line | None]:
    """For each of my lines the server's line that tells the same change, or None; each of theirs is used once.

    The server may have given a change another version and outcome when it was brought back: by, at and fields make it.
    """
    theirs: defaultdict[tuple[str | None, str], list[Line]] = defaultdict(list)
    for line in their_lines:
        theirs[line.by, line.at].append(line)
    found: list[Line | None] = []
    for line in my_lines:
        candidates = theirs.get((line.by, line.at), [])
        twin = next((one for one in candidates if says_the_same(one.fields, line.fields)), None)
        if twin is not None:
            candidates.remove(twin)
        found.append(twin)
    return found


def says_the_same(some_fields: str, other_fields: str) -> bool:
    """Whether two changes, as JSON text, are equal."""
    return some_fields == other_fields or same(decode_json(some_fields), decode_json(other_fields))


def creation(entity: Entity, row: Row) -> Fields:
    """A whole row as the change that would create it."""
    return changes(entity, dict.fromkeys(entity.column_names), row)


def undone(entity: Entity, row: Row, lines: Sequence[Line]) -> Row:
    """The row as it was before these changes, the last of which it shows. What a lost change did not bring in stays."""
    row = dict(row)
    for line in reversed(lines):
        _carry_out(entity, row, line, "new", "old", overwrite=line.outcome != "lost")
    return row


def redone(entity: Entity, row: Row, lines: Sequence[Line]) -> Row:
    """The row with these changes carried out, whatever stood there before; lost ones are left out."""
    row = dict(row)
    for line in lines:
        if line.outcome != "lost":
            _carry_out(entity, row, line, "old", "new", overwrite=True)
    return row


def _carry_out(entity: Entity, row: Row, line: Line, before: str, after: str, *, overwrite: bool) -> None:
    for name, sides in fields_of(entity, line.fields).items():
        if name not in row or name not in entity.by_name or name == "created_at" or sides.get("blind"):
            continue
        old, new = sides.get(before), sides.get(after)
        if name in entity.json_columns:
            merged = merge(old, new, _value(entity, row, name), [], overwrite=overwrite)
            row[name] = None if merged is None else encode_json(merged)
        elif overwrite or row[name] == old:
            row[name] = new


def _completed(entity: Entity, mine: Row, lines: Sequence[Line]) -> Sequence[Line]:
    """The lines, with one that tells the whole row if its last change is not among them."""
    made = (mine["updated_by"], mine["updated_at"])
    if any(line.version >= mine["version"] or (line.by, line.at) == made for line in lines):
        return lines  # (a rebase may have displayed the change at a later version than the one that it was made at)
    whole = encode_json(creation(entity, mine))
    return [*lines, Line(mine["version"], mine["updated_by"], mine["updated_at"], "accepted", whole)]


def _last_common(
    my_lines: Sequence[Line], counterparts: Sequence[Line | None], their_lines: Sequence[Line]
) -> tuple[int, int] | None:
    """The place in my lines of the last change that both have from one past, and the version that the server gave it.

    A change that the server has with another version or outcome was decided there in another past, unless it has all that came
    before it as well.
    """
    gaps = [place for place, line in enumerate(my_lines) if counterparts[place] is None and line.outcome != "lost"]
    first_gap = gaps[0] if gaps else len(my_lines)
    for place in reversed(range(len(my_lines))):
        known, line = counterparts[place], my_lines[place]
        if known is None:
            continue
        if place < first_gap or (known.version, known.outcome) == (line.version, line.outcome):
            return place, known.version
    # Two creations of the same thing that say the same are one beginning.
    begin_alike = my_lines and their_lines and my_lines[0].version == their_lines[0].version == 1
    return (0, 1) if begin_alike and says_the_same(my_lines[0].fields, their_lines[0].fields) else None


def _unknown(my_lines: Sequence[Line], counterparts: Sequence[Line | None], their_lines: Sequence[Line]) -> list[Line]:
    """Their lines that are not part of my past: unknown to me, and not from before my lines begin; or mine, but merged."""
    pairs = [(mine, theirs) for mine, theirs in zip(my_lines, counterparts, strict=True) if theirs is not None]
    known = {theirs for _, theirs in pairs}
    first = min((theirs.version for theirs in known), default=0)
    merged = [theirs for mine, theirs in pairs if mine.version != theirs.version]
    return merged + [line for line in their_lines if line.version > first and line not in known]


def _is_past(mine: Row, their_lines: Sequence[Line]) -> bool:
    """Whether the server's history has the change that made my row what it is."""
    made = (mine["updated_by"], mine["updated_at"])
    return any((line.by, line.at) == made for line in their_lines)


def is_same(entity: Entity, one: Row, other: Row, *, but_for_audit: bool = False) -> bool:
    """Whether two rows are equal, but for what is derived, or for versions, times and authors as well."""
    for column in entity.columns:
        name = column.name
        if column.role is Role.DERIVED or (but_for_audit and column.role is Role.AUDIT):
            continue
        if one[name] != other[name] and not (
            name in entity.json_columns and same(_value(entity, one, name), _value(entity, other, name))
        ):
            return False
    return True


def changes(entity: Entity, before: Row, after: Row) -> Fields:
    """What has to change to come from one row to the other, as a change says it."""
    fields: Fields = {}
    for name in entity.sent_columns:
        if name == "created_at":
            continue
        old, new = _value(entity, before, name), _value(entity, after, name)
        if name in entity.json_columns:
            if old is None and isinstance(new, dict):
                fields[name] = {"old": {}, "new": new}
            elif (part := difference(old, new)) is not None:
                fields[name] = {"old": part[0], "new": part[1]}
        elif old != new:
            fields[name] = {"old": old, "new": new}
    if entity.is_lease and not fields.keys().isdisjoint(lease.COLUMNS):
        fields |= {name: {"old": before[name], "new": after[name]} for name in lease.COLUMNS}
    return fields


def _all_that_differs(entity: Entity, mine: Row, theirs: Row) -> Fields:
    """Every difference as a change from nothing: where the server has a value, it clashes."""
    fields: Fields = {}
    for name, sides in changes(entity, theirs, mine).items():
        is_object = isinstance(sides["new"], dict) and name in entity.json_columns
        fields[name] = {"old": {} if is_object else None, "new": sides["new"]}
    return fields


def _value(entity: Entity, row: Row, name: str) -> Any:
    value = row[name]
    return decode_json(value) if value is not None and name in entity.json_columns else value
