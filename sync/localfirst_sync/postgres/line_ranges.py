"""The history in ranges of ids (`localfirst_sync.line_digest`): what PostgreSQL holds, in few bytes first. Within a
`verify.snapshot`. Lines about conflicts are left out, since no replica keeps them.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from localfirst_schema.limits import FIELDS_BYTES_MAX

from localfirst_sync.conflict import CONFLICT
from localfirst_sync.digest import PREFIX, bounds
from localfirst_sync.line_digest import Digests, Held
from localfirst_sync.ports import Line
from localfirst_sync.postgres.columns import json_text, time_text
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.postgres.pull import HISTORY_DAYS

_SINCE = f"SELECT {time_text('d.day')} FROM (SELECT pg_catalog.now() - interval '{HISTORY_DAYS} days') AS d (day)"
_COLUMNS = f"""
    h.seq, h.entity, h.entity_id::text, h.version, h.by, {time_text("h.at")} AS at, h.outcome,
    {json_text("h.fields", FIELDS_BYTES_MAX)} AS fields
"""
_LINES = f"""
    SELECT {_COLUMNS} FROM localfirst.history AS h JOIN localfirst.project_heads AS p USING (project_id)
    WHERE h.project_id = %(project)s AND h.seq <= p.head AND h.entity <> '{CONFLICT}'
"""
_DIGEST = """
    pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
        pg_catalog.string_agg(d.digest, '' ORDER BY d.digest COLLATE "C"){only}, 'UTF8')), 'hex')
"""
_DIGESTS = f"""
SELECT d.prefix, {_DIGEST.format(only="")}, {_DIGEST.format(only=" FILTER (WHERE d.at >= %(since)s)")} FROM (
    SELECT pg_catalog.left(l.entity_id, {PREFIX}) AS prefix, l.at COLLATE "C" AS at, pg_catalog.encode(pg_catalog.sha256(
        pg_catalog.convert_to(
            pg_catalog.json_build_array(l.entity, l.entity_id, l.version::text, l.by, l.at, l.outcome, l.fields)::text, 'UTF8'
    )), 'hex') AS digest FROM ({_LINES}) AS l
) AS d GROUP BY d.prefix
"""
_OF_RANGE = f"{_LINES} AND h.entity_id BETWEEN %(first)s::uuid AND %(last)s::uuid ORDER BY h.seq"


def since(connection: Connection) -> str:
    """From this time on every replica has the history."""
    found: Any = connection.execute(_SINCE).fetchone()
    return str(found[0])


def line_digests(connection: Connection, project_id: str, since: str) -> dict[str, Digests]:
    """The digests of each range that has lines."""
    found: list[Any] = connection.execute(_DIGESTS.encode(), {"project": project_id, "since": since}).fetchall()
    return {prefix: Digests(whole, recent) for prefix, whole, recent in found}


def range_lines(connection: Connection, project_id: str, prefix: str, aside: Set[int]) -> list[Held]:
    """The lines of one range by rising number, but for those that are set aside."""
    first, last = bounds(prefix)
    found: list[Any] = connection.execute(_OF_RANGE.encode(), {"project": project_id, "first": first, "last": last}).fetchall()
    return [Held(seq, name, row_id, Line(*line)) for seq, name, row_id, *line in found if seq not in aside]
