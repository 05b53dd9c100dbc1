"""A snapshot for a new replica: everything that is there, page by page, by one binary ``COPY`` a table.

Pages go by rising id, so that a later call goes on where an earlier one was interrupted, and so that the replica appends to its
indexes instead of scattering over them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

from localfirst_schema.entities import ENTITIES, Kind

from localfirst_sync.ports import BEGINNING, CONFLICT_TABLE, Cursor, HistoryRow, ServerWasRestored, Staging
from localfirst_sync.postgres.columns import copy_list
from localfirst_sync.postgres.conflicts import READ_LIST as CONFLICT_LIST
from localfirst_sync.postgres.conflicts import READ_TYPES as CONFLICT_TYPES
from localfirst_sync.postgres.connection import Connection, begin, lost, taken_back_on_failure
from localfirst_sync.postgres.pull import BEGIN, HEAD, HISTORY_DAYS, LOG, PATIENT

PAGE = 2000
"""Rows that are staged in one transaction of the replica: some 20 ms."""

_HISTORY = "history"
_FIRST_ID = "00000000-0000-0000-0000-000000000000"
_NUMBERS = (Kind.INTEGER, Kind.BOOLEAN)
_HISTORY_TYPES = ("int8", "text", "text", "int8", "text", "text", "text", "text", "text", "int8", "text")


class _Query(NamedTuple):
    """What is asked for one table, and the types of what comes."""

    table: str
    sql: str
    types: tuple[str, ...]


def snapshot(connection: Connection, project_id: str, staging: Staging) -> None:
    """See `RemoteStore.snapshot`. Raises `ServerWasRestored` or `UnavailableError`, and whatever `staging` raises."""
    with taken_back_on_failure(connection):
        _snapshot(connection, project_id, staging)


def _snapshot(connection: Connection, project_id: str, staging: Staging) -> None:
    read_at = staging.read_at
    with connection.pipeline():
        begin(connection, BEGIN)
        found = connection.execute(HEAD, {"project": project_id, "seq": read_at.seq, "tag": read_at.tag}, prepare=True)
        asked = connection.execute(filled_query(), {"project": project_id})
        connection.execute(PATIENT)
    head: Any = found.fetchone()
    if head is None:
        raise lost("the project is not there")
    if read_at == BEGINNING:
        staging.begin(Cursor(head[0], head[1]))
    elif head[2]:
        staging.go_on(Cursor(head[0], head[1]))
    else:
        raise ServerWasRestored
    table, key = staging.place or (ENTITIES[0].table, _FIRST_ID)
    if table != _HISTORY:
        names = [query.table for query in queries()]
        filled: Any = asked.fetchone()
        for query, has_rows in list(zip(queries(), filled, strict=True))[names.index(table) :]:
            if not has_rows:
                continue  # a table without rows is not worth a round trip
            after = key if query.table == table else _FIRST_ID
            for page in _pages(connection, query, {"project": project_id, "after": after}):
                staging.rows(query.table, page)
        key = 0
    arguments = {"project": project_id, "seq": key, "last": staging.cursor.seq}
    for page in _pages(connection, HISTORY_QUERY, arguments):
        staging.history([HistoryRow(*row) for row in page])
    connection.execute("COMMIT")


def _pages(connection: Connection, query: _Query, arguments: dict[str, Any]) -> Iterator[list[tuple[Any, ...]]]:
    with connection.cursor() as cursor, cursor.copy(query.sql.encode(), arguments) as copy:
        copy.set_types(query.types)
        rows = copy.rows()
        while page := list(islice(rows, PAGE)):
            yield page


@cache
def queries() -> tuple[_Query, ...]:
    """The queries for the rows of all tables, in the order in which they are staged."""
    found = []
    for entity in ENTITIES:
        types = tuple("int8" if column.kind in _NUMBERS else "text" for column in entity.columns)
        found.append(_Query(entity.table, _rows_sql(entity.table, copy_list(entity, "t")), types))
    return (*found, _Query(CONFLICT_TABLE, _rows_sql(CONFLICT_TABLE, CONFLICT_LIST), CONFLICT_TYPES))


@cache
def filled_query() -> str:
    """The query whether each of these tables has any rows of the project."""
    filled = (f"EXISTS (SELECT FROM localfirst.{query.table} AS t WHERE t.project_id = %(project)s)" for query in queries())
    return f"SELECT {', '.join(filled)}"


def _rows_sql(table: str, columns: str) -> str:
    return (
        f"COPY (SELECT {columns} FROM localfirst.{table} AS t"
        " WHERE t.project_id = %(project)s AND t.id > %(after)s::uuid ORDER BY t.id) TO STDOUT (FORMAT binary)"
    )


HISTORY_QUERY = _Query(
    _HISTORY,
    f"COPY ({LOG} AND h.seq <= %(last)s AND h.at >= pg_catalog.now() - interval '{HISTORY_DAYS} days' ORDER BY h.seq)"
    " TO STDOUT (FORMAT binary)",
    _HISTORY_TYPES,
)
