"""The rows of a table in ranges of ids (`localfirst_sync.digest`): what PostgreSQL holds, in few bytes first. Within a
`verify.snapshot`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localfirst_schema.entities import Entity

from localfirst_sync.conflict import CONFLICTS
from localfirst_sync.digest import PREFIX, bounds
from localfirst_sync.postgres.columns import pull_list
from localfirst_sync.postgres.conflicts import READ_LIST as CONFLICT_LIST
from localfirst_sync.postgres.connection import Connection


def _texts(entity: Entity) -> str:
    columns = ", ".join(f"({column})::text" for column in _columns(entity))
    return f"json_build_array({columns})::text"


def _columns(entity: Entity) -> list[str]:
    return [f"r.{name}" for name in entity.column_names]


def _list(entity: Entity) -> str:
    return CONFLICT_LIST if entity is CONFLICTS else pull_list(entity, "t")


def _rows(entity: Entity, where: str) -> str:
    names = ", ".join(entity.column_names)
    return (
        f"(SELECT {_list(entity)} FROM localfirst.{entity.table} AS t WHERE t.project_id = %(project)s{where}) AS r ({names})"
    )


def range_digests(connection: Connection, project_id: str, entity: Entity) -> dict[str, str]:
    """The digest of each range that has rows."""
    query = (
        f"SELECT left(r.id, {PREFIX}), encode(sha256(convert_to("
        f"string_agg(encode(sha256(convert_to({_texts(entity)}, 'UTF8')), 'hex'), '' ORDER BY r.id COLLATE \"C\")"
        ", 'UTF8')), 'hex')"
        f" FROM {_rows(entity, '')} GROUP BY 1"
    )
    found: list[Any] = connection.execute(query.encode(), {"project": project_id}).fetchall()
    return dict(found)


def range_rows(connection: Connection, project_id: str, entity: Entity, prefix: str) -> Sequence[tuple[Any, ...]]:
    """The rows of one range, as a replica keeps them."""
    first, last = bounds(prefix)
    where = " AND t.id BETWEEN %(first)s::uuid AND %(last)s::uuid"
    query = f"SELECT * FROM {_rows(entity, where)}"
    found = connection.execute(query.encode(), {"project": project_id, "first": first, "last": last})
    return found.fetchall()
