"""Looks at what stands in PostgreSQL."""

from __future__ import annotations

from typing import Any

import psycopg

Connection = psycopg.Connection[Any]


def row(server: Connection, row_id: str, table: str = "work_items") -> dict[str, Any]:
    """A row by column name."""
    (found,) = _dicts(server, f"SELECT * FROM localfirst.{table} WHERE id = %s", row_id)
    return found


def history(server: Connection, row_id: str) -> list[tuple[int, str]]:
    """(version, outcome) of every change of a row, in order."""
    found = _dicts(server, "SELECT version, outcome FROM localfirst.history WHERE entity_id = %s ORDER BY seq", row_id)
    return [(change["version"], change["outcome"]) for change in found]


def conflicts(server: Connection) -> list[dict[str, Any]]:
    """All conflicts."""
    return _dicts(server, "SELECT * FROM localfirst.conflicts ORDER BY created_at, id")


def reasons(server: Connection) -> list[str]:
    """The reasons of all conflicts, in the order of the changes."""
    found = _dicts(
        server,
        "SELECT c.reason FROM localfirst.conflicts AS c JOIN localfirst.history AS h ON h.entity_id = c.id AND h.version = 1"
        " ORDER BY h.seq",
    )
    return [conflict["reason"] for conflict in found]


def head(server: Connection) -> tuple[int, int]:
    """The only project's head and tag."""
    (found,) = _dicts(server, "SELECT head, tag FROM localfirst.project_heads")
    return found["head"], found["tag"]


def assert_gapless(server: Connection) -> None:
    """Every number up to the head is taken exactly once, and nothing is left over of a transaction."""
    (found,) = _dicts(server, "SELECT count(*) AS n, coalesce(max(seq), 0) AS last FROM localfirst.history")
    assert found["n"] == found["last"] == head(server)[0]
    for table in ("history_pending", "history_markers"):
        assert _dicts(server, f"SELECT count(*) AS n FROM localfirst.{table}") == [{"n": 0}]


def _dicts(server: Connection, query: str, *arguments: object) -> list[dict[str, Any]]:
    cursor = server.execute(query.encode(), arguments)
    assert cursor.description is not None
    names = [column.name for column in cursor.description]
    return [dict(zip(names, found, strict=True)) for found in cursor.fetchall()]


def misplaced(server: Connection) -> list[dict[str, Any]]:
    """Work items whose path or depth is not what their parent's says."""
    return _dicts(
        server,
        "SELECT w.id::text, w.path, p.path AS above FROM localfirst.work_items AS w"
        " LEFT JOIN localfirst.work_items AS p ON p.project_id = w.project_id AND p.id = w.parent_id"
        " WHERE (w.path, w.depth) <> (coalesce(p.path || '/', '') || w.id, coalesce(p.depth + 1, 0))",
    )
