"""Conflicts held against the log, which tells when one was opened, went on, and was settled, and not what is in it.

Reads only. Counterpart: `verify`, which does the same for rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from localfirst_sync.conflict import CONFLICT, SETTLING_FIELDS
from localfirst_sync.ports import CONFLICT_TABLE
from localfirst_sync.postgres.columns import time_text
from localfirst_sync.postgres.connection import Connection

GIVEN_UP_BY = "localfirst doctor"
"""Who tells that a conflict is gone for good, by a line that is lost."""

_SETTLED = SETTLING_FIELDS[0]

_UNLOGGED = f"""
SELECT t.id::text, t.{_SETTLED} IS NOT NULL, {time_text(f"t.{_SETTLED}")}, t.resolved_by, t.my_by, {time_text("t.created_at")},
    l.last_version, l.logged
FROM localfirst.conflicts AS t LEFT JOIN LATERAL (
    SELECT pg_catalog.max(h.version) AS last_version, (
        pg_catalog.array_agg(h.fields #>> '{{{_SETTLED},new}}' IS NOT NULL ORDER BY h.version DESC, h.seq DESC)
        FILTER (WHERE h.outcome = 'accepted' AND pg_catalog.jsonb_exists(h.fields, '{_SETTLED}'))
    )[1] AS logged
    FROM localfirst.history AS h
    WHERE h.project_id = t.project_id AND h.entity_id = t.id AND h.entity = '{CONFLICT}'
) AS l ON true
WHERE t.project_id = %(project)s AND (%(ids)s::uuid[] IS NULL OR t.id = ANY(%(ids)s::uuid[])) AND (
    l.last_version IS NULL
    OR (t.{_SETTLED} IS NULL AND l.logged)
    OR (t.{_SETTLED} IS NOT NULL AND (l.logged = false OR l.last_version = 1))
)
"""
_ABSENT = f"""
SELECT l.entity_id::text, l.version FROM (
    SELECT DISTINCT ON (h.entity_id) h.project_id, h.entity_id, h.version, h.outcome, h.by FROM localfirst.history AS h
    WHERE h.project_id = %(project)s AND h.entity = '{CONFLICT}'
        AND (%(ids)s::uuid[] IS NULL OR h.entity_id = ANY(%(ids)s::uuid[]))
        AND (h.outcome <> 'lost' OR h.by = '{GIVEN_UP_BY}')
    ORDER BY h.entity_id, h.seq DESC
) AS l
WHERE l.outcome <> 'lost' AND NOT EXISTS (
    SELECT FROM localfirst.{CONFLICT_TABLE} AS t WHERE t.project_id = l.project_id AND t.id = l.entity_id
)
"""


class Unlogged(NamedTuple):
    """A conflict of which the log tells something else than its row says.

    Attributes:
        kind: the log knows nothing of it; it tells of it as settled or open and the row says otherwise; it tells of it, and it
            is not there.
        last_version: the version of its last line; 0 if there is none.
        settled_at: when it was settled, by its row; None while it is open.
        by: who settled it, or else whose change it is about.
        at: when that was.
    """

    id: str
    kind: Literal["unlogged", "departed", "absent"]
    last_version: int
    settled_at: str | None = None
    by: str | None = None
    at: str | None = None

    @property
    def words(self) -> str:
        """What is wrong."""
        if self.kind == "unlogged":
            return "the history knows nothing of this conflict"
        if self.kind == "absent":
            return "the history tells of this conflict, and it is not there"
        return "is open, by its history settled" if self.settled_at is None else "is settled, by its history open"


def unlogged(connection: Connection, project_id: str, ids: Sequence[str] | None = None) -> Iterator[Unlogged]:
    """All such conflicts, or those with these ids. Raises psycopg.Error."""
    asked = {"project": project_id, "ids": None if ids is None else list(ids)}
    found: list[Any] = connection.execute(_UNLOGGED, asked).fetchall()
    for row_id, is_settled, settled_at, settled_by, my_by, created_at, last_version, _ in found:
        by, at = (settled_by or my_by, settled_at) if is_settled else (my_by, created_at)
        kind: Literal["unlogged", "departed"] = "unlogged" if last_version is None else "departed"
        yield Unlogged(row_id, kind, last_version or 0, settled_at, by, at)
    absent: list[Any] = connection.execute(_ABSENT, asked).fetchall()
    for row_id, version in absent:
        yield Unlogged(row_id, "absent", version)
