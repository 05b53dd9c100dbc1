"""What a replica knows, replayed as changes: so that another replica can take it in by the engine's own rules.

Pure, and about one row at a time. The row's history gives the changes, each with its author and time; what the history does not
tell (it is kept for a while, and begins with a first fill) is given by one change before them, and what they do not explain by
one behind them. So the changes always end in the row as it is, at its version.

What was lost to somebody else's change is not replayed: it stands in its conflict, and is nobody's value of the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from localfirst_schema.change_fields import fields_of
from localfirst_schema.entities import CONFIGURATION, Entity
from localfirst_schema.wire import Fields, Mutation, Row, decode_fields, encode_json
from localfirst_sync.decision import decide, rebase
from localfirst_sync.divergence import changes, creation, is_same, says_the_same, undone
from localfirst_sync.ports import Line

BEFORE_ALL, AFTER_ALL = -1, 1 << 62
"""Places of what no line of the history tells."""


class HistoryLine(NamedTuple):
    """A line of the history.

    Attributes:
        place: its place in the order of the history.
        act: what it was one act with; None unless it waits for the server.
    """

    place: int
    line: Line
    act: int | None


class Change(NamedTuple):
    """A change of the row. `is_added` if no line of the history tells it."""

    place: int
    act: int | None
    mutation: Mutation
    is_added: bool = False


def replayed_changes(entity: Entity, row: Row, history: Sequence[HistoryLine], start: Row | None = None) -> list[Change]:
    """The changes that come to this row.

    Args:
        history: all lines of the row, in any order.
        start: how the row begins in every project; None for one that somebody creates.
    """
    row = row | {name: bool(row[name]) for name in entity.boolean_columns}
    lines = _in_order(entity, history)
    before = undone(entity, row, [one.line for one in lines])
    if start is not None:
        first = changes(entity, start, before)
    elif lines and _creates(entity, decode_fields(lines[0].line.fields)):
        first = {}
    else:
        if any(before[name] is None for name in _key(entity)):
            before, lines = row, []  # what they say cannot be followed back to a beginning
        first = creation(entity, before)
    begin = [_added(BEFORE_ALL, row["created_by"], row["created_at"], first)] if first else []
    found = [*begin, *(_of_line(one) for one in lines)]
    if not found:
        return []
    displayed = carried_out(entity, [one.mutation for one in _numbered(entity, row, found)], start)
    assert displayed is not None, "the first of them creates the row"
    if not is_same(entity, displayed, row, but_for_audit=True):
        found.append(_added(AFTER_ALL, row["updated_by"], row["updated_at"], changes(entity, displayed, row)))
    return _numbered(entity, row, found)


def _in_order(entity: Entity, history: Sequence[HistoryLine]) -> list[HistoryLine]:
    """The lines as they made the row: what the server has by version, then what waits; each change once, none that was lost."""
    kept = [one for one in history if one.line.outcome != "lost"]
    if entity is CONFIGURATION:
        kept = [one for one in kept if not _creates(entity, decode_fields(one.line.fields))]
    settled = [one for one in kept if one.act is None]
    places = sorted(one.place for one in settled)
    by_version = sorted(settled, key=lambda one: (one.line.version, one.place))
    ordered = [one._replace(place=place) for one, place in zip(by_version, places, strict=True)]
    # Of a change that waits for its verdict alone, a pull may have brought the server's line.
    waiting = sorted((one for one in kept if one.act is not None), key=lambda one: one.place)
    return ordered + [one for one in waiting if not any(_is_twin(one.line, other.line) for other in ordered)]


def _is_twin(one: Line, other: Line) -> bool:
    return (one.by, one.at) == (other.by, other.at) and says_the_same(one.fields, other.fields)


def _creates(entity: Entity, fields: Fields) -> bool:
    """Whether a change is one that creates its row: it sets what every row has and no update may empty."""
    return all(name in fields and fields[name].get("old") is None and not fields[name].get("blind") for name in _key(entity))


def _key(entity: Entity) -> frozenset[str]:
    """What every row of the entity has, and no update may empty."""
    return entity.immutable or frozenset({entity.sent_columns[0]})


def _of_line(lines: HistoryLine) -> Change:
    line = lines.line
    return Change(lines.place, lines.act, Mutation(0, 0, "", "", 0, 0, line.by, line.at, line.fields))


def _added(place: int, by: str | None, at: str, fields: Fields) -> Change:
    return Change(place, None, Mutation(0, 0, "", "", 0, 0, by, at, encode_json(fields)), is_added=True)


def _numbered(entity: Entity, row: Row, found: Sequence[Change]) -> list[Change]:
    """With versions that end in the row's: who has seen the last one finds what he saw at it."""
    version = max(1, int(row["version"]) - len(found) + 1)
    numbered = []
    for one in found:
        creates = _creates(entity, decode_fields(one.mutation.fields))
        mutation = msgspec.structs.replace(
            one.mutation, entity=entity.name, id=row["id"], base_version=0 if creates else version - 1, version=version
        )
        numbered.append(one._replace(mutation=mutation))
        version += 1
    return numbered


def carried_out(entity: Entity, mutations: Sequence[Mutation], row: Row | None) -> Row | None:
    """The row with these changes, as a replica shows it while they wait; None where there is nothing that they could change."""
    pending = [(mutation, fields_of(entity, mutation.fields)) for mutation in mutations]
    if row is None:
        (first, fields), *pending = pending
        if first.base_version != 0:
            return None
        row = decide(entity, first, fields, None).row
        assert row is not None, "a creation of what is not there is accepted"
    return rebase(entity, pending, row) if pending else row
