"""Compares what stands in PostgreSQL: rows and conflicts with their history, and rows with their parents. Reads only, in one
snapshot.

Needs no more than the right to read. Rows are streamed with their history, so that memory holds one batch, whatever the
project's size; per row the history costs one look-up by its index.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Literal, NamedTuple

import msgspec
import psycopg
from localfirst_schema.entities import ENTITIES, WORK_ITEM, Entity
from localfirst_schema.limits import TREE_DEPTH_MAX

from localfirst_sync.conflict import CONFLICT
from localfirst_sync.ports import CONFLICT_TABLE, Cursor, Line
from localfirst_sync.postgres import conflict_log
from localfirst_sync.postgres.columns import read_list, time_text
from localfirst_sync.postgres.connection import Connection, begin, lost, roll_back
from localfirst_sync.postgres.failure import unavailable
from localfirst_sync.postgres.pull import BEGIN, PATIENT
from localfirst_sync.replay import departures

BATCH = 1000

Kind = Literal["unlogged", "departed", "absent", "misplaced", "too deep"]


class Difference(NamedTuple):
    """One row in which something is not as it must be.

    Attributes:
        kind: what differs: the history does not know the row, or says something else of it, or knows a row that is not there;
            its path or depth are not those of its place; or its place is too deep, or in a circle, and it can have none.
        words: what differs, column by column.
    """

    entity: str
    table: str
    id: str
    kind: Kind
    words: str


_HEAD = "SELECT head, tag FROM localfirst.project_heads WHERE project_id = %s"

_LINES = f"""
SELECT json_agg(
    json_build_array(h.version, h.by, {time_text("h.at")}, h.outcome, h.fields::text) ORDER BY h.version, h.seq
)::text
FROM localfirst.history AS h WHERE h.project_id = t.project_id AND h.entity_id = t.id AND h.entity = %(entity)s
"""

_ABSENT = """
SELECT DISTINCT h.entity_id::text FROM localfirst.history AS h
WHERE h.project_id = %(project)s AND h.entity = %(entity)s AND h.outcome <> 'lost'
    AND NOT EXISTS (SELECT FROM localfirst.{table} AS t WHERE t.project_id = h.project_id AND t.id = h.entity_id)
"""

# Up to five parents, each by its key; a sixth level is too deep, or part of a circle.
_ABOVE = "\n".join(
    f"LEFT JOIN LATERAL (SELECT w.id, w.parent_id FROM localfirst.work_items AS w"
    f" WHERE w.project_id = t.project_id AND w.id = {'t' if level == 1 else f'p{level - 1}'}.parent_id OFFSET 0)"
    f" AS p{level} ON true"
    for level in range(1, 6)
)
_PLACES = f"""
SELECT p.* FROM (
    SELECT t.id::text, t.path, t.depth::integer, concat_ws('/', p5.id, p4.id, p3.id, p2.id, p1.id, t.id) AS true_path,
        num_nonnulls(p1.id, p2.id, p3.id, p4.id, p5.id)::integer AS true_depth
    FROM localfirst.work_items AS t
    {_ABOVE}
    WHERE t.project_id = %(project)s
) AS p WHERE p.path <> p.true_path OR p.depth <> p.true_depth
"""


@contextmanager
def snapshot(connection: Connection, project_id: str) -> Iterator[Cursor]:
    """One moment of the server, and the head at it. Raises `UnavailableError` for whatever goes wrong within."""
    try:
        try:
            begin(connection, BEGIN)
            connection.execute(PATIENT)
            found: Any = connection.execute(_HEAD, (project_id,)).fetchone()
            if found is None:
                raise lost("the project is not there")
            yield Cursor(*found)
        finally:
            roll_back(connection)
    except psycopg.Error as error:
        raise unavailable(error) from None


def differences(connection: Connection, project_id: str) -> Iterator[Difference]:
    """Everything that differs, table by table, within a `snapshot`."""
    for entity in ENTITIES:
        yield from _from_history(connection, project_id, entity)
        for (row_id,) in _stream(connection, _ABSENT.format(table=entity.table), project_id, entity):
            words = "the history tells of this row, and it is not there"
            yield Difference(entity.name, entity.table, row_id, "absent", words)
    for one in conflict_log.unlogged(connection, project_id):
        yield Difference(CONFLICT, CONFLICT_TABLE, one.id, one.kind, one.words)
    yield from _from_parents(connection, project_id)


def _from_history(connection: Connection, project_id: str, entity: Entity) -> Iterator[Difference]:
    query = f"SELECT {read_list(entity, 't')}, ({_LINES}) FROM localfirst.{entity.table} AS t WHERE t.project_id = %(project)s"
    for *values, lines in _stream(connection, query, project_id, entity):
        row = dict(zip(entity.column_names, values, strict=True))
        if lines is None:
            words = "the history knows nothing of this row"
            yield Difference(entity.name, entity.table, row["id"], "unlogged", words)
        elif found := departures(entity, row, [Line(*line) for line in msgspec.json.decode(lines)]):
            words = "; ".join(f"{one.column} is {brief(one.found)}, by its history {brief(one.logged)}" for one in found)
            yield Difference(entity.name, entity.table, row["id"], "departed", words)


def _from_parents(connection: Connection, project_id: str) -> Iterator[Difference]:
    for row_id, path, depth, true_path, true_depth in _stream(connection, _PLACES, project_id, WORK_ITEM):
        if true_depth > TREE_DEPTH_MAX:
            words = (
                f"is nested deeper than {TREE_DEPTH_MAX + 1} levels, or in a circle: give it, or one above, another parent_id"
            )
            yield Difference(WORK_ITEM.name, WORK_ITEM.table, row_id, "too deep", words)
        else:
            words = f"path is {path}, by its parents {true_path}; depth is {depth}, by its parents {true_depth}"
            yield Difference(WORK_ITEM.name, WORK_ITEM.table, row_id, "misplaced", words)


def _stream(connection: Connection, query: str, project_id: str, entity: Entity) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as stream:
        rows = stream.stream(query, {"project": project_id, "entity": entity.name}, size=BATCH)
        while batch := list(islice(rows, BATCH)):
            yield from batch


def brief(value: object) -> str:
    """A value as a person reads it, cut where it is long."""
    text = "empty" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}…"
