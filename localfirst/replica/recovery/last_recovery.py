"""The last time that PostgreSQL lacked what this replica had seen of it, and what the replica did."""

from __future__ import annotations

from typing import Any

import apsw


def in_words(replica: apsw.Connection) -> str | None:
    """What happened, for people; None if it never did."""
    rows: list[Any] = replica.execute("SELECT recovered_at, recovered_changes FROM replica").fetchall()
    at, changes = rows[0]
    if at is None:
        return None
    sent = "1 change was" if changes == 1 else f"{changes} changes were"
    why = "was restored to an older state, or another server was taken for this project's (`--adopt-server`)"
    return f"PostgreSQL {why}; {sent} sent again from here at {at}."
