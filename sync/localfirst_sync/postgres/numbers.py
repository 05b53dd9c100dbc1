"""The numbers of the log: whether its last line is the one that the project's head names.

Only who may write the log's own tables can bring them out of step, and then the project stops: lines beyond the head are in the
way of whoever writes, and a head without its line looks like a server that was set back. Nothing else of the log depends on
the numbers but their order, so they are put in order: lines beyond the head come right behind the others, and the head
names the last one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg

from localfirst_sync.postgres.connection import Connection, begin, taken_back_on_failure
from localfirst_sync.postgres.failure import unavailable

_FOUND = """
SELECT p.head, (
    SELECT pg_catalog.count(*) FROM localfirst.history AS h WHERE h.project_id = p.project_id AND h.seq > p.head
), p.head = 0 OR EXISTS (
    SELECT FROM localfirst.history AS h WHERE h.project_id = p.project_id AND h.seq = p.head AND h.tag = p.tag
)
FROM localfirst.project_heads AS p WHERE p.project_id = %s
"""
_LOCK = "SELECT 1 FROM localfirst.project_heads WHERE project_id = %s FOR UPDATE"
_RENUMBER = """
WITH beyond AS (
    DELETE FROM localfirst.history AS h WHERE h.project_id = %(project)s AND h.seq > %(head)s RETURNING h.*
), last AS (
    SELECT coalesce(pg_catalog.max(h.seq), 0) AS seq FROM localfirst.history AS h
    WHERE h.project_id = %(project)s AND h.seq BETWEEN 1 AND %(head)s
)
INSERT INTO localfirst.history
    (project_id, seq, tag, entity, entity_id, version, by, at, outcome, fields, replica_id, number)
SELECT b.project_id, l.seq + pg_catalog.row_number() OVER (ORDER BY b.seq), b.tag, b.entity, b.entity_id, b.version, b.by, b.at,
    b.outcome, b.fields, b.replica_id, b.number
FROM beyond AS b CROSS JOIN last AS l
"""
_MOVE_HEAD = """
UPDATE localfirst.project_heads AS p SET (head, tag) = (
    SELECT coalesce(pg_catalog.max(l.seq), 0), coalesce(pg_catalog.max(l.tag), 0) FROM (
        SELECT h.seq, h.tag FROM localfirst.history AS h
        WHERE h.project_id = %(project)s AND h.seq > 0 ORDER BY h.seq DESC LIMIT 1
    ) AS l
) WHERE p.project_id = %(project)s
"""


class Numbers(NamedTuple):
    """How head and log stand: the head, how many lines are beyond it, and whether the log has its line."""

    head: int
    beyond: int
    is_logged: bool

    @property
    def words(self) -> str | None:
        """What is wrong, or None."""
        head = f"the head of the log is number {self.head} (table project_heads)"
        if self.beyond:
            lines = "1 line" if self.beyond == 1 else f"{self.beyond} lines"
            return (
                f"{head}, and {lines} of the history have numbers beyond it: nobody reads them, and who writes finds one taken"
            )
        if not self.is_logged:
            return f"{head}, and the history has no such line, or with another tag: replicas take the server for one set back"
        return None


def look(connection: Connection, project_id: str) -> Numbers | None:
    """How head and log stand; None if the project has no head. Raises `UnavailableError`."""
    try:
        found: Any = connection.execute(_FOUND, (project_id,)).fetchone()
    except psycopg.Error as error:
        raise unavailable(error) from None
    return None if found is None else Numbers(*found)


def put_in_order(connection: Connection, project_id: str) -> None:
    """Puts the numbers in order, under the head's lock. Raises `UnavailableError`; nothing is changed then."""
    with taken_back_on_failure(connection):
        begin(connection, "BEGIN")
        connection.execute(_LOCK, (project_id,))
        found = look(connection, project_id)
        if found is not None and found.words is not None:
            connection.execute(_RENUMBER, {"project": project_id, "head": found.head})
            connection.execute(_MOVE_HEAD, {"project": project_id})
        connection.execute("COMMIT")
