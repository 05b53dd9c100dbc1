"""A pull: everything that was committed after a cursor, from one snapshot.

A small pull takes one round trip: the log, and the rows that it names, which PostgreSQL looks up itself. (Behind a pooler,
where nothing is prepared and so large a statement would be planned anew each time, two: the rows are asked for by their ids.)
A large one, and a recovery's of all there is, is streamed in batches. All values come as canonical text: parsing and printing
them would cost four times as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any

import msgspec
from localfirst_schema.entities import ENTITIES, Entity
from localfirst_schema.limits import FIELDS_BYTES_MAX

from localfirst_sync.conflict import CONFLICT
from localfirst_sync.ports import BEGINNING, CONFLICT_TABLE, Again, Cursor, HistoryRow, PullSink, ServerWasRestored
from localfirst_sync.postgres import log
from localfirst_sync.postgres.columns import json_text, pull_list, time_text
from localfirst_sync.postgres.conflicts import READ_LIST as CONFLICT_LIST
from localfirst_sync.postgres.connection import Connection, begin, lost, taken_back_on_failure
from localfirst_sync.sieve import TEXT_CHARS_MAX

_decode = msgspec.json.Decoder(list[Any]).decode

BATCH = 1000
SMALL = 500
"""Up to so many changes are fetched at once, by the ids that the log names."""

HISTORY_DAYS = 90
"""How much of the past a new replica gets; changes that are pulled later are kept as long as the replica likes."""

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
PATIENT = (
    "SELECT pg_catalog.set_config('statement_timeout', '0', true),"
    " pg_catalog.set_config('idle_in_transaction_session_timeout', '120s', true),"
    " pg_catalog.set_config('plan_cache_mode', NULL, true), pg_catalog.set_config('enable_seqscan', NULL, true),"
    " CASE WHEN pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL"  # PostgreSQL 17 and newer
    " THEN pg_catalog.set_config('transaction_timeout', '0', true) END"
)
"""For what takes as long as there are rows: a laptop may need its time for a page, and only reads meanwhile."""

# With the plans of a small pull, which is made of looks by key: to plan them anew each time took longer than to carry them out,
# and a plan that is kept must not read a whole table because it was small when the plan was made.
HEAD = """
SELECT p.head, p.tag, EXISTS (
    SELECT FROM localfirst.history AS h WHERE h.project_id = p.project_id AND h.seq = %(seq)s AND h.tag = %(tag)s
), pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true), pg_catalog.set_config('enable_seqscan', 'off', true)
FROM localfirst.project_heads AS p WHERE p.project_id = %(project)s
"""

_LINES = f"""
SELECT h.seq, pg_catalog.left(h.entity, {TEXT_CHARS_MAX + 1}), h.entity_id::text, h.version,
    pg_catalog.left(h.by, {TEXT_CHARS_MAX + 1}),
    {time_text("h.at")}, h.outcome, {json_text("h.fields", FIELDS_BYTES_MAX)}, h.replica_id::text, h.number,
    pg_catalog.left(h.via, {TEXT_CHARS_MAX + 1})
FROM localfirst.history AS h WHERE h.project_id = %(project)s
"""
LOG = f"{_LINES} AND h.seq > %(seq)s"
_LINES_AGAIN = f"{_LINES} AND h.seq = ANY(%(lines)s::bigint[]) ORDER BY h.seq"
_FEW_OF_LOG = f"{LOG} ORDER BY h.seq LIMIT {SMALL + 1}"
# What is beyond the head is no part of the log, and no pull may bring it again and again.
_ALL_OF_LOG = f"{LOG} AND h.seq <= %(head)s ORDER BY h.seq"
_RECENT_LOG = f"{LOG} AND h.seq <= %(head)s AND h.at >= pg_catalog.now() - interval '{HISTORY_DAYS} days' ORDER BY h.seq"

_CHANGED_IDS = """
SELECT DISTINCT h.entity_id FROM localfirst.history AS h
WHERE h.project_id = %(project)s AND h.seq > %(seq)s AND h.entity = %(entity)s
"""


def pull(
    connection: Connection,
    project_id: str,
    cursor: Cursor,
    sink: PullSink,
    again: Again | None = None,
    known: Sequence[Cursor] = (),
) -> Cursor:
    """Gives `sink` everything after `cursor`, and `again`, and returns the head.

    Raises `ServerWasRestored` or `UnavailableError`.
    """
    with taken_back_on_failure(connection):
        if cursor == BEGINNING or again is not None or connection.pooled:
            return _pull(connection, project_id, cursor, sink, again, known)
        head, first = _pull_at_once(connection, project_id, cursor, sink, known)
        return _pull_the_rest(connection, project_id, cursor, sink, head, first) if first else head


def _pull_at_once(
    connection: Connection, project_id: str, cursor: Cursor, sink: PullSink, known: Sequence[Cursor]
) -> tuple[Cursor, Sequence[HistoryRow]]:
    """The head, and nothing if there was so little that all of it has come; else the first changes, and `sink` has nothing."""
    after = {"project": project_id, "seq": cursor.seq, "tag": cursor.tag}
    with connection.pipeline():
        begin(connection, BEGIN)
        connection.is_to_answer()
        found = connection.execute(HEAD, after, prepare=True)
        asked = [log.send_cursor(connection, project_id, one) for one in known]
        few = connection.execute(_FEW_OF_LOG, after, prepare=True)
        rows = connection.execute(rows_of_few(), after, prepare=True)
        connection.execute("COMMIT")
    head = _checked(found.fetchone(), cursor, asked)
    lines: list[Any] = few.fetchall()
    changes = [HistoryRow(*line) for line in lines if line[0] <= head.seq]
    sink.expects(head.seq - cursor.seq)
    if len(lines) > SMALL:
        return head, changes
    by_table: dict[int, list[tuple[Any, ...]]] = {}
    found_rows: list[Any] = rows.fetchall()
    for place, values in found_rows:
        by_table.setdefault(place, []).append(tuple(_decode(values)))
    for place, (_, table, *_) in enumerate(_tables()):
        if place in by_table:
            sink.rows(table, by_table[place])
    if changes:
        sink.history(changes)
    return head, ()


def _pull_the_rest(
    connection: Connection, project_id: str, cursor: Cursor, sink: PullSink, head: Cursor, first: Sequence[HistoryRow]
) -> Cursor:
    """All of a large pull, of which the first changes have come; those are true still where the log holds the head of then."""
    with connection.pipeline():
        begin(connection, BEGIN)
        found = connection.execute(HEAD, {"project": project_id, "seq": head.seq, "tag": head.tag}, prepare=True)
        connection.execute(PATIENT)
    reached = _checked(found.fetchone(), head, ())
    _many(connection, {"project": project_id, "seq": cursor.seq, "head": reached.seq}, first, sink)
    connection.execute("COMMIT")
    return reached


def _pull(
    connection: Connection, project_id: str, cursor: Cursor, sink: PullSink, again: Again | None, known: Sequence[Cursor]
) -> Cursor:
    after = {"project": project_id, "seq": cursor.seq, "tag": cursor.tag}
    with connection.pipeline():
        begin(connection, BEGIN)
        connection.is_to_answer()
        found = connection.execute(HEAD, after, prepare=True)
        asked = [log.send_cursor(connection, project_id, one) for one in known]
        few = None if cursor == BEGINNING else connection.execute(_FEW_OF_LOG, after, prepare=True)
    head = _checked(found.fetchone(), cursor, asked)
    sink.expects(head.seq - cursor.seq)
    found_lines: list[Any] = few.fetchall() if few is not None else []
    changes = [HistoryRow(*line) for line in found_lines if line[0] <= head.seq]
    if again is not None:
        _again(connection, project_id, again, sink)
    if few is not None and len(changes) <= SMALL:
        _small(connection, project_id, changes, sink)
    else:
        connection.execute(PATIENT)
        if few is None:
            _everything(connection, {**after, "head": head.seq}, sink)
        else:
            _many(connection, {**after, "head": head.seq}, changes, sink)
        connection.execute("COMMIT")
    return head


def _checked(found: tuple[Any, ...] | None, cursor: Cursor, known: Sequence[Any]) -> Cursor:
    if found is None:
        raise lost("the project is not there")
    head = Cursor(found[0], found[1])
    if cursor != BEGINNING and not found[2]:
        raise ServerWasRestored
    for asked in known:
        log.check_cursor(asked)
    return head


def _small(connection: Connection, project_id: str, changes: Sequence[HistoryRow], sink: PullSink) -> None:
    ids: dict[str, dict[str, None]] = {}
    for change in changes:
        ids.setdefault(change.entity, {})[change.entity_id] = None
    with connection.pipeline():
        asked = [
            (table, connection.execute(by_ids, (project_id, list(ids[name])), prepare=True))
            for name, table, by_ids, _, _ in _tables()
            if name in ids
        ]
        connection.execute("COMMIT")
    for table, found in asked:
        sink.rows(table, found.fetchall())
    if changes:
        sink.history(changes)


def _again(connection: Connection, project_id: str, again: Again, sink: PullSink) -> None:
    """What was set aside by an older program; before the rest, of which some may be the same rows."""
    for _, table, by_ids, _, _ in _tables():
        if table in again.rows:
            sink.rows(table, connection.execute(by_ids, (project_id, list(again.rows[table]))).fetchall())
    if again.lines:
        lines = connection.execute(_LINES_AGAIN, {"project": project_id, "lines": list(again.lines)}).fetchall()
        sink.history([HistoryRow(*line) for line in lines])  # type: ignore[arg-type]  # its columns


def _many(connection: Connection, after: dict[str, Any], changes: Sequence[HistoryRow], sink: PullSink) -> None:
    """The log, of which `changes` are the beginning, and then what it names: most tables have not changed."""
    named = {change.entity for change in changes}
    sink.history(changes)
    for batch in _batches(connection, _ALL_OF_LOG, {**after, "seq": changes[-1].seq}):
        lines = [HistoryRow(*row) for row in batch]
        named.update(line.entity for line in lines)
        sink.history(lines)
    for name, table, _, changed, _ in _tables():
        if name in named:
            for batch in _batches(connection, changed, {**after, "entity": name}):
                sink.rows(table, batch)


def _everything(connection: Connection, after: dict[str, Any], sink: PullSink) -> None:
    for _, table, _, _, everything in _tables():
        for batch in _batches(connection, everything, after):
            sink.rows(table, batch)
    for batch in _batches(connection, _RECENT_LOG, after):
        sink.history([HistoryRow(*row) for row in batch])


def _batches(connection: Connection, query: str, arguments: dict[str, Any]) -> Iterator[list[tuple[Any, ...]]]:
    with connection.cursor() as stream:
        rows = stream.stream(query, arguments, size=BATCH)
        while batch := list(islice(rows, BATCH)):
            yield batch


@cache
def rows_of_few() -> str:
    """The query for the rows that the log names after a cursor, if those are few: place in `_tables`, and a JSON list."""
    return (
        "WITH few AS MATERIALIZED ("
        "SELECT h.entity, h.entity_id FROM localfirst.history AS h"
        f" WHERE h.project_id = %(project)s AND h.seq > %(seq)s ORDER BY h.seq LIMIT {SMALL + 1}), "
        "named AS MATERIALIZED ("
        f"SELECT DISTINCT f.entity, f.entity_id FROM few AS f WHERE (SELECT pg_catalog.count(*) FROM few) <= {SMALL}) "
    ) + " UNION ALL ".join(
        f"SELECT {place}, pg_catalog.json_build_array({columns})::text FROM named AS n CROSS JOIN LATERAL ("
        f"SELECT * FROM localfirst.{table} AS r WHERE r.project_id = %(project)s AND r.id = n.entity_id OFFSET 0) AS t"
        f" WHERE n.entity = '{name}'"
        for place, (name, table, columns) in enumerate(_columns_of_tables())
    )


def _columns_of_tables() -> list[tuple[str, str, str]]:
    return [*((entity.name, entity.table, _columns(entity)) for entity in ENTITIES), (CONFLICT, CONFLICT_TABLE, CONFLICT_LIST)]


@cache
def _tables() -> tuple[tuple[str, str, str, str, str], ...]:
    """Entity name, table, and the queries for rows by ids, changed rows and all rows; conflicts last."""
    found = [_queries(entity.name, entity.table, _columns(entity)) for entity in ENTITIES]
    return (*found, _queries(CONFLICT, CONFLICT_TABLE, CONFLICT_LIST))


def _columns(entity: Entity) -> str:
    return pull_list(entity, "t")


def _queries(name: str, table: str, columns: str) -> tuple[str, str, str, str, str]:
    rows = f"SELECT {columns} FROM localfirst.{table} AS t"
    return (
        name,
        table,
        f"{rows} WHERE t.project_id = %s AND t.id = ANY(%s::uuid[])",
        # OFFSET 0: by the key, one after the other; on a table that was never analysed the planner would compare all with all.
        f"SELECT {columns} FROM ({_CHANGED_IDS}) AS h CROSS JOIN LATERAL ("
        f"SELECT * FROM localfirst.{table} AS r WHERE r.project_id = %(project)s AND r.id = h.entity_id OFFSET 0) AS t",
        f"{rows} WHERE t.project_id = %(project)s",
    )
