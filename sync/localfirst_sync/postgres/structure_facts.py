"""Loads what `structure.Structure` must know of the server's rows. Call it while the project's head is locked.

Nothing here looks at the whole project: parents come with their `path`, subtrees and dependencies by their indexes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import chain
from typing import Any, NamedTuple

from localfirst_schema.entities import ENTITY, WORK_ITEM, WORK_ITEM_DEPENDENCY
from localfirst_schema.wire import Row

from localfirst_sync.batch import Change
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.structure import Key, Structure, concerns_structure, edge

_REFERENCED = """
SELECT t.id::text, t.deleted_at IS NULL FROM localfirst.{table} AS t WHERE t.project_id = %s AND t.id = ANY(%s::uuid[])
"""

_REFERENCED_ITEMS = """
SELECT t.id::text, t.deleted_at IS NULL, t.path FROM localfirst.work_items AS t
WHERE t.project_id = %s AND t.id = ANY(%s::uuid[])
"""

BELOW = """
WITH RECURSIVE below (id, parent_id, height) AS (
    SELECT c.id, c.parent_id, 1 FROM localfirst.work_items AS c
    WHERE c.project_id = %(project)s AND c.parent_id = ANY(%(ids)s::uuid[])
    UNION
    SELECT c.id, c.parent_id, below.height + 1
    FROM below CROSS JOIN LATERAL (
        SELECT w.id, w.parent_id FROM localfirst.work_items AS w
        WHERE w.project_id = %(project)s AND w.parent_id = below.id OFFSET 0 -- by the index, whatever the planner thinks
    ) AS c
    WHERE below.height < 6
)
SELECT DISTINCT id::text, parent_id::text FROM below
"""

_LIVE_PARENTS = """
SELECT i.id::text FROM pg_catalog.unnest(%(ids)s::uuid[]) AS i (id)
WHERE EXISTS (
    SELECT FROM localfirst.work_items AS c
    WHERE c.project_id = %(project)s AND c.parent_id = i.id AND c.deleted_at IS NULL AND c.id <> ALL (%(touched)s::uuid[])
)
"""

# What an item waits for: two index look-ups, whatever the planner thinks of the sizes.
_WAITS = """
CROSS JOIN LATERAL (
    SELECT d.id, d.depends_on_id AS waited_for FROM localfirst.work_item_dependencies AS d
    WHERE d.project_id = %(project)s AND d.work_item_id = reach.item
        AND d.dependency_type = 'depends_on' AND d.deleted_at IS NULL
    UNION ALL
    SELECT d.id, d.work_item_id FROM localfirst.work_item_dependencies AS d
    WHERE d.project_id = %(project)s AND d.depends_on_id = reach.item
        AND d.dependency_type = 'blocks' AND d.deleted_at IS NULL
) AS e
"""

# From the ends of new dependencies on. One whose beginning nobody waits for is the end of no circle, and not followed: most are
# about an item that is new itself. `ids` are those whose beginning another new one waits for.
_REACHABLE = f"""
WITH RECURSIVE reach (item) AS (
    SELECT n.waited_for
    FROM ROWS FROM (
        pg_catalog.unnest(%(waiting)s::uuid[]), pg_catalog.unnest(%(waited_for)s::uuid[])
    ) AS n (waiting, waited_for)
    WHERE EXISTS (
        SELECT FROM localfirst.work_item_dependencies AS d
        WHERE d.project_id = %(project)s AND d.depends_on_id = n.waiting
            AND d.dependency_type = 'depends_on' AND d.deleted_at IS NULL OFFSET 0
    ) OR EXISTS (
        SELECT FROM localfirst.work_item_dependencies AS d
        WHERE d.project_id = %(project)s AND d.work_item_id = n.waiting
            AND d.dependency_type = 'blocks' AND d.deleted_at IS NULL OFFSET 0
    )
    UNION
    SELECT pg_catalog.unnest(%(ids)s::uuid[])
    UNION
    SELECT e.waited_for FROM reach {_WAITS}
)
SELECT e.id::text, reach.item::text, e.waited_for::text FROM reach {_WAITS}
"""


class Asked(NamedTuple):
    """What was asked, by kind of question, and the answers to be read.

    Attributes:
        keys: the rows of which is known then whether they are alive: those asked for, and those that the push itself reads.
    """

    keys: Set[Key]
    deleted: Set[str]
    moved: Set[str]
    edges: Set[tuple[str, str]]
    referenced: Sequence[tuple[str, Any]]
    live_parents: Any
    below: Any
    dependencies: Any


def send(connection: Connection, project_id: str, changes: Sequence[Change], named: Iterable[Key]) -> Asked | None:
    """Asks, within the pipeline that locks and reads the rows `named`, for what the changes themselves tell to be needed."""
    structural = _structural(changes)
    if not structural:
        return None
    known = frozenset(named)
    items = [c for c in structural if c.entity is WORK_ITEM and c.mutation.base_version > 0]
    return _send(
        connection,
        project_id,
        known,
        {key for change in structural for key in _named(change, None)} - known,
        [c.mutation.id for c in items if "deleted_at" in c.fields],
        [c.mutation.id for c in items if "parent_id" in c.fields],
        [edge(row) for c in structural if c.entity is WORK_ITEM_DEPENDENCY and (row := _dependency(c, {}))],
        _touched(structural),
    )


def load_structure(
    connection: Connection,
    project_id: str,
    changes: Sequence[Change],
    rows: Mapping[Key, Row],
    kind: type[Structure] = Structure,
    asked: Asked | None = None,
) -> Structure | None:
    """What stands around the changes, or None when none of them touches the structure (then nothing is asked).

    What was `asked` before the rows were known is mostly all that is needed: where a row has to be looked at first (a tombstone
    that is revived names its parent), another question follows.
    """
    structural = _structural(changes)
    if not structural:
        return None
    wanted = {key for change in structural for key in _named(change, rows.get(change.key))} - rows.keys()
    items = [c for c in structural if c.entity is WORK_ITEM and c.key in rows]
    deleted = [c.mutation.id for c in items if "deleted_at" in c.fields]
    moved = [c.mutation.id for c in items if "parent_id" in c.fields]
    edges = [edge(row) for c in structural if c.entity is WORK_ITEM_DEPENDENCY and (row := _dependency(c, rows))]
    if asked is not None:
        wanted -= asked.keys
        deleted = [item for item in deleted if item not in asked.deleted]
        moved = [item for item in moved if item not in asked.moved]
        edges = [] if asked.edges >= set(edges) else edges
    answers = [] if asked is None else [asked]
    if wanted or deleted or moved or edges:
        with connection.pipeline():
            answers.append(_send(connection, project_id, frozenset(), wanted, deleted, moved, edges, _touched(structural)))
    return _read(answers, [row["path"] for (name, _), row in rows.items() if name == WORK_ITEM.name], kind)


def _structural(changes: Sequence[Change]) -> list[Change]:
    return [
        c
        for c in changes
        if c.entity is not None and not c.invalid_reason and concerns_structure(c.entity, c.mutation, c.fields)
    ]


def _touched(structural: Sequence[Change]) -> list[str]:
    return [change.mutation.id for change in structural if change.entity is WORK_ITEM]


def _send(
    connection: Connection,
    project: str,
    known: Set[Key],
    wanted: Set[Key],
    deleted: list[str],
    moved: list[str],
    edges: list[tuple[str, str]],
    touched: list[str],
) -> Asked:
    return Asked(
        known | wanted,
        frozenset(deleted),
        frozenset(moved),
        frozenset(edges),
        [(name, _ask_referenced(connection, project, name, ids)) for name, ids in _by_entity(wanted)],
        _ask(connection, _LIVE_PARENTS, deleted, project=project, touched=touched),
        _ask(connection, BELOW, moved, project=project),
        _ask_reachable(connection, project, edges),
    )


def _read(answers: Sequence[Asked], paths: list[str], kind: type[Structure]) -> Structure:
    alive: dict[Key, bool] = {}
    for name, cursor in chain.from_iterable(answer.referenced for answer in answers):
        for row_id, lives, *path in cursor.fetchall():
            alive[name, row_id] = lives
            paths += path
    parents = _parents(paths)
    live_parents: list[str] = []
    dependencies: dict[tuple[Any, ...], None] = {}
    for answer in answers:
        parents |= dict(_rows(answer.below))
        live_parents += [row[0] for row in _rows(answer.live_parents)]
        dependencies |= dict.fromkeys(_rows(answer.dependencies))
    return kind(alive, parents, live_parents, list(dependencies))


def _parents(paths: Iterable[str]) -> dict[str, str | None]:
    """Each item's parent, as far as paths tell it."""
    parents: dict[str, str | None] = {}
    for path in paths:
        above = None
        for item in path.split("/"):
            parents[item] = above
            above = item
    return parents


def _named(change: Change, row: Row | None) -> Iterable[Key]:
    """The rows that a change names in references, itself or by what it revives. What is deleted may refer to anything."""
    assert change.entity is not None
    deletes = change.mutation.base_version > 0 and change.fields.get("deleted_at", {}).get("new") is not None
    for column, referenced in change.entity.references.items():
        stands = None if row is None or deletes else row[column]
        named = (change.fields.get(column) or {"new": stands})["new"]
        if named is not None:
            yield referenced, named


def _dependency(change: Change, rows: Mapping[Key, Row]) -> Row | None:
    row = rows.get(change.key)
    if row is not None:
        return row
    columns = ("work_item_id", "depends_on_id", "dependency_type")
    if all(column in change.fields for column in columns):
        return {column: change.fields[column]["new"] for column in columns}
    return None


def _by_entity(keys: Iterable[Key]) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for name, row_id in keys:
        found.setdefault(name, []).append(row_id)
    return list(found.items())


def _ask_referenced(connection: Connection, project_id: str, name: str, ids: list[str]) -> Any:
    query = _REFERENCED_ITEMS if name == WORK_ITEM.name else _REFERENCED.format(table=ENTITY[name].table)
    return connection.execute(query, (project_id, ids), prepare=True)


def _ask(connection: Connection, query: str, ids: list[str], **arguments: object) -> Any:
    return connection.execute(query, {"ids": ids, **arguments}, prepare=True) if ids else None


def _ask_reachable(connection: Connection, project_id: str, edges: Sequence[tuple[str, str]]) -> Any:
    if not edges:
        return None
    ends = {waited_for for _, waited_for in edges}
    arguments = {
        "project": project_id,
        "ids": [waited_for for waiting, waited_for in edges if waiting in ends],
        "waiting": [waiting for waiting, _ in edges if waiting not in ends],
        "waited_for": [waited_for for waiting, waited_for in edges if waiting not in ends],
    }
    return connection.execute(_REACHABLE, arguments, prepare=True)


def _rows(cursor: Any) -> list[tuple[Any, ...]]:
    return [] if cursor is None else cursor.fetchall()
